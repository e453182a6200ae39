//! One of the equal children of a mount: its connection, its status, and what is counted of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::board::Board;
use super::gate::{Gate, Position};
use super::uses::{Uses, Using};
use super::{MountSettings, State, Status};
use crate::call::{Dial, Fault, Kind, Link, Origin, Reply};

/// One child of several equal ones, or the only one.
pub(super) struct Replica {
    pub(super) settings: Arc<MountSettings>,
    /// Its place among the replicas, from 0.
    pub(super) place: usize,
    pub(super) dial: Arc<dyn Dial>,
    /// Where it reports.
    pub(super) board: Arc<Board>,
    /// The one live connection.
    link: ArcSwapOption<Linked>,
    status: watch::Sender<Status>,
    pub(super) gate: Gate,
    pub(super) uses: Uses,
    /// Asks the supervisor to try the child before its pause is over.
    pub(super) wanted: Notify,
    /// Asks the supervisor to look at the child's lists again.
    pub(super) stale: Notify,
    /// Asks the supervisor to look whether the child is alive.
    pub(super) suspect: Notify,
    /// The number of the last look at the child's lists that began, and of the last that ended.
    pub(super) lists_begun: AtomicU64,
    pub(super) lists_ended: watch::Sender<u64>,
    /// Whether a call was answered on this connection.
    answered: AtomicBool,
    in_flight: AtomicU64,
    calls: AtomicU64,
    faults: AtomicU64,
}

/// The live link, sized so that it can be swapped.
struct Linked(Arc<dyn Link>);

/// A call under way: counted until this is dropped.
pub(super) struct UnderWay<'a>(&'a Replica);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Replica {
    pub(super) fn new(
        settings: Arc<MountSettings>,
        place: usize,
        dial: Arc<dyn Dial>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            gate: Gate::new(&settings.health),
            uses: Uses::new(settings.running.stop_idle),
            wanted: Notify::new(),
            settings,
            place,
            dial,
            board,
            link: ArcSwapOption::empty(),
            status: watch::Sender::new(Status::starting()),
            stale: Notify::new(),
            suspect: Notify::new(),
            lists_begun: AtomicU64::new(0),
            lists_ended: watch::Sender::new(0),
            answered: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    /// The mount's name.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// The live connection, if calls are let through to it, which is in use from now on. A child
    /// that is idle is started for the next one who asks.
    pub(super) fn open(&self) -> Option<(Arc<dyn Link>, Using<'_>)> {
        if self.gate.is_open()
            && let Some(using) = self.uses.begin()
            && let Some(linked) = self.link.load().as_ref()
        {
            return Some((Arc::clone(&linked.0), using));
        }
        if self.status.borrow().state == State::Idle {
            self.wanted.notify_one();
        }
        None
    }

    pub(super) fn is_connected(&self) -> bool {
        self.link.load().is_some()
    }

    /// The connection is made, which is a sign of life.
    pub(super) fn join(&self, link: Arc<dyn Link>) {
        self.gate.alive();
        self.answered.store(false, Ordering::Relaxed);
        self.link.store(Some(Arc::new(Linked(link))));
    }

    /// The connection is lost: no call goes there any more. Gives it back to be closed.
    pub(super) fn leave(&self) -> Option<Arc<dyn Link>> {
        let linked = self.link.swap(None);
        self.board.leave(self.place);
        linked.map(|linked| Arc::clone(&linked.0))
    }

    /// Whether the child is idle and to be stopped; then no call goes there any more.
    pub(super) fn falls_idle(&self, link: &dyn Link) -> bool {
        if !self.gate.is_open() || !self.uses.close() {
            return false;
        }
        if link.is_busy() {
            self.uses.used();
            self.uses.open();
            return false;
        }
        let idle = self.settings.running.stop_idle.unwrap_or_default();
        self.rest(&format!("nobody used it for {idle:?} (stop_idle): the next call starts it"));
        true
    }

    /// The child is not needed until somebody asks for it.
    pub(super) fn rest(&self, reason: &str) {
        // Whoever asked before was served, or told why not.
        let _stale = self.wanted.notified().now_or_never();
        self.set(State::Idle, reason, None);
    }

    /// Whether a call was answered on this connection.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Where the gate stands, and the failures in a row; without a connection it is not open.
    pub(super) fn gate(&self) -> (Position, u32) {
        let (position, failures) = self.gate.read();
        match (position, self.is_connected()) {
            (Position::Open, false) if self.status().state == State::Idle => (position, failures),
            (Position::Open, false) if self.status().next_dial.is_some() => {
                (Position::Shut, failures)
            }
            (Position::Open, false) => (Position::Probing, failures),
            _ => (position, failures),
        }
    }

    /// Counts the outcome of a call: the child is well, sick, or suspect.
    pub(super) fn note(&self, outcome: &Result<Reply, Fault>) {
        let now = Instant::now();
        let fault = match outcome {
            Err(fault) if !matches!(fault.kind, Kind::Child(_)) => fault,
            _ => {
                if !self.answered.load(Ordering::Relaxed) {
                    self.answered.store(true, Ordering::Relaxed);
                }
                return self.gate.succeeded(now);
            }
        };
        if fault.origin() != Origin::Child {
            return;
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        let shut = match fault.kind {
            // It is alive, and says when to come again or what it wants.
            Kind::Unreachable { retry_after: Some(_), .. }
            | Kind::Unreachable { unauthorized: true, .. } => None,
            Kind::Unreachable { .. } | Kind::OutcomeUnknown { .. } => self.gate.failed(now),
            _ => None,
        };
        if let Some(pause) = shut {
            self.gate_shut(&fault.text, pause);
        }
        self.suspect.notify_one();
    }

    /// The gate was shut for this while, because of this.
    pub(super) fn gate_shut(&self, why: &str, pause: Duration) {
        if self.is_connected() {
            let (_, failures) = self.gate.read();
            let reason = format!("no calls are let through after {failures} failures: {why}");
            tracing::warn!(mount = %self.name(), reason, again_after = ?pause, "gate shut");
            self.set(State::Degraded, &reason, Some(pause));
        }
    }

    /// How this child is.
    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Each change of that.
    pub(super) fn status_changes(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn set(&self, state: State, reason: &str, pause: Option<Duration>) {
        let next_dial = pause.map(|pause| Instant::now() + pause);
        self.status.send_modify(|status| {
            *status = status.then(state, reason.to_owned(), next_dial);
            self.board.report(self.place, status.clone());
        });
    }

    /// Counts a call until what comes back is dropped.
    pub(super) fn enter(&self) -> UnderWay<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Calls under way now.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether a call is open at the child, be it one that waits for its client.
    pub(super) fn is_busy(&self) -> bool {
        self.link.load().as_ref().is_some_and(|linked| linked.0.is_busy())
    }

    /// Calls under way now, calls so far, faults of the child so far.
    pub(super) fn counts(&self) -> [u64; 3] {
        [self.in_flight(), self.calls.load(Ordering::Relaxed), self.faults.load(Ordering::Relaxed)]
    }

    /// A fault of the link as the client gets it: with this mount's name and state.
    pub(super) fn named(&self, mut fault: Fault) -> Fault {
        let status = self.status.borrow();
        match &mut fault.kind {
            Kind::Unreachable { mount, state, since, retry_after, .. } => {
                *mount = Arc::clone(self.name());
                *state = status.state.as_str();
                *since = status.since;
                *retry_after = retry_after.or_else(|| status.retry_after());
            }
            Kind::Timeout { mount }
            | Kind::OutcomeUnknown { mount }
            | Kind::BadAnswer { mount } => {
                *mount = Arc::clone(self.name());
            }
            _ => {}
        }
        fault
    }
}
