//! A child at a prefix, with its policy: dialled, listed, watched, and called within bounds.

mod status;
mod pause;
mod catalog;
mod supervise;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, Semaphore, watch};

use crate::call::{Dial, Link, Offer};

pub use status::{State, Status};

/// The policy of one mount.
#[derive(Debug, Clone)]
pub struct MountSettings {
    /// The name in the file.
    pub name: Arc<str>,
    /// The longest silence of a call: without an answer and without progress.
    pub timeout: Duration,
    /// The longest call.
    pub timeout_max: Duration,
    /// The longest time from dialling to the end of the handshake.
    pub timeout_dial: Duration,
    /// Calls under way at the child at once; more are refused.
    pub calls_in_flight_max: usize,
    /// Pages of one list that are followed.
    pub pages_max: usize,
    /// Entries of one list that are kept.
    pub entries_max: usize,
    /// Whether the child is a remote server: probed for signs of life, asked seldom when dead,
    /// and its tools held to the rules for mirrored headers (check 67).
    pub remote: bool,
}

/// A child at a prefix.
pub struct Mount {
    settings: MountSettings,
    dial: Arc<dyn Dial>,
    link: ArcSwapOption<Linked>,
    status: watch::Sender<Status>,
    offer: watch::Sender<Option<Arc<Offer>>>,
    permits: Semaphore,
    /// Asks the supervisor to look at the child's lists again.
    stale: Notify,
    /// Asks the supervisor to look whether the child is alive.
    suspect: Notify,
    /// The number of the last look at the child's lists that began, and of the last that ended.
    lists_begun: AtomicU64,
    lists_ended: watch::Sender<u64>,
    failures: AtomicU32,
    calls: AtomicU64,
    faults: AtomicU64,
}

/// The live link, sized so that it can be swapped.
struct Linked(Arc<dyn Link>);

impl Mount {
    /// A mount that is not dialled yet: [`Self::run`] does that.
    pub fn new(settings: MountSettings, dial: Arc<dyn Dial>) -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(settings.calls_in_flight_max),
            settings,
            dial,
            link: ArcSwapOption::empty(),
            status: watch::Sender::new(Status::starting()),
            offer: watch::Sender::new(None),
            stale: Notify::new(),
            suspect: Notify::new(),
            lists_begun: AtomicU64::new(0),
            lists_ended: watch::Sender::new(0),
            failures: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        })
    }

    /// The name in the file.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// What is dialled, without secrets.
    pub fn address(&self) -> String {
        self.dial.address()
    }

    /// The last lines a child process wrote to standard error.
    pub fn last_words(&self) -> Vec<String> {
        self.dial.last_words()
    }

    /// How the child is, and each change of that.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// The last good catalog, and each change of it; `None` before the first.
    pub fn offer(&self) -> watch::Receiver<Option<Arc<Offer>>> {
        self.offer.subscribe()
    }

    /// Calls under way now, calls so far, faults of the child so far.
    pub fn counts(&self) -> [u64; 3] {
        use std::sync::atomic::Ordering::Relaxed;
        let free = self.permits.available_permits();
        let busy = self.settings.calls_in_flight_max.saturating_sub(free) as u64;
        [busy, self.calls.load(Relaxed), self.faults.load(Relaxed)]
    }
}
