//! A child at a prefix, with its policy: dialled, listed, watched, and called within bounds.
//!
//! A mount has one or several equal replicas. Each keeps itself connected (`supervise.rs`) and
//! reports to the mount's one `board`; a call goes to the one that `choose.rs` picks.

mod status;
mod pause;
mod catalog;
mod entry;
mod board;
mod replica;
mod gate;
mod uses;
mod supervise;
mod attend;
mod choose;
mod task_place;
mod bulkhead;
mod answers;
mod budget;
mod repeat;
mod attempt;
mod serve;
mod listen;
mod link_key;
mod links;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::Raw;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::{Dial, Offer};
use crate::config::{Health, Running};
use answers::Answers;
use board::Board;
use budget::Budget;
use bulkhead::Bulkhead;
use choose::Pins;
use replica::Replica;

pub use gate::Position;
pub use link_key::Sharing;
pub use links::SharedDial;
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
    /// Calls under way at once.
    pub calls_in_flight_max: usize,
    /// Calls that wait for one of those to end; more are refused.
    pub calls_queued_max: usize,
    /// The longest that they wait.
    pub queue_wait: Duration,
    /// Bytes of the params of all these calls.
    pub bytes_in_flight_max: usize,
    /// Bytes of their answers, until those who called have taken them.
    pub answer_bytes_max: usize,
    /// How often a call may be sent again to the same replica.
    pub retries: u32,
    /// Calls that may be sent again, in percent of all.
    pub retries_percent: usize,
    /// Calls a minute that may be sent again in any case.
    pub retries_floor: usize,
    /// Whether a tool that says it does no harm twice is sent again when its outcome is unknown.
    pub trust_annotations: bool,
    /// Pages of one list that are followed.
    pub pages_max: usize,
    /// Entries of one list that are kept.
    pub entries_max: usize,
    /// Whether the child is a remote server: probed for signs of life, asked seldom when dead,
    /// and its tools held to the rules for mirrored headers (check 67).
    pub remote: bool,
    /// When a child process runs; any other one runs always.
    pub running: Running,
    /// When a replica counts as sick, and how it is looked after.
    pub health: Health,
    /// Whether the child is told in the metadata who calls.
    pub tells_caller: bool,
}

/// One child, or several equal ones, at a prefix.
pub struct Mount {
    settings: Arc<MountSettings>,
    replicas: Vec<Replica>,
    board: Arc<Board>,
    pins: Pins,
    bulkhead: Bulkhead,
    answers: Answers,
    budget: Budget,
}

/// How one replica of a mount is.
#[derive(Debug, Clone)]
pub struct ReplicaReport {
    /// What is dialled, without secrets.
    pub address: String,
    /// Its own health.
    pub status: Status,
    /// Calls under way now, calls so far, faults of the child so far.
    pub counts: [u64; 3],
    /// Whether it offers something else than the mount shows.
    pub differs: bool,
    /// Whether calls are let through to it.
    pub gate: Position,
    /// Failures in a row.
    pub failures: u32,
}

impl Mount {
    /// A mount that is not dialled yet: [`Self::run`] does that. Each of `dials` leads to one of
    /// its equal children.
    pub fn new(settings: MountSettings, dials: Vec<Arc<dyn Dial>>) -> Arc<Self> {
        let settings = Arc::new(settings);
        let board = Arc::new(Board::new(dials.len()));
        let replicas = dials.into_iter().enumerate();
        let replica =
            |(place, dial)| Replica::new(Arc::clone(&settings), place, dial, Arc::clone(&board));
        Arc::new(Self {
            replicas: replicas.map(replica).collect(),
            bulkhead: Bulkhead::new(
                &settings.name,
                settings.calls_in_flight_max,
                settings.calls_queued_max,
                settings.queue_wait,
                settings.bytes_in_flight_max,
            ),
            answers: Answers::new(&settings.name, settings.answer_bytes_max),
            budget: Budget::new(settings.retries_percent, settings.retries_floor),
            pins: Pins::default(),
            board,
            settings,
        })
    }

    /// Keeps the children connected until `stop`; their processes and connections are gone after.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        join_all(self.replicas.iter().map(|replica| replica.run(&stop))).await;
    }

    /// Shows `offer`, of an earlier run, until a child answers. Lists need not wait for this mount.
    pub fn recall(&self, offer: Arc<Offer>) {
        self.board.recall(offer);
    }

    /// The name in the file.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// What is dialled, without secrets.
    pub fn address(&self) -> String {
        let addresses: Vec<_> = self.replicas.iter().map(|one| one.dial.address()).collect();
        addresses.join(", ")
    }

    /// The last lines that child processes wrote to standard error.
    pub fn last_words(&self) -> Vec<String> {
        self.replicas.iter().flat_map(|one| one.dial.last_words()).collect()
    }

    /// What its compiled-in child tells of itself.
    pub fn figures(&self) -> Option<Raw> {
        self.replicas.first()?.dial.figures()
    }

    /// How the mount is, and each change of that.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.board.status.subscribe()
    }

    /// The last good catalog, and each change of it; `None` before the first.
    pub fn offer(&self) -> watch::Receiver<Option<Arc<Offer>>> {
        self.board.offer.subscribe()
    }

    /// Each replica, in the order of the file.
    pub fn replicas(&self) -> Vec<ReplicaReport> {
        let report = |replica: &Replica| {
            let (gate, failures) = replica.gate();
            ReplicaReport {
                address: replica.dial.address(),
                status: replica.status(),
                counts: replica.counts(),
                differs: self.board.differs(replica.place),
                gate,
                failures,
            }
        };
        self.replicas.iter().map(report).collect()
    }

    /// Calls under way now, calls so far, faults of the child so far.
    pub fn counts(&self) -> [u64; 3] {
        self.replicas.iter().map(Replica::counts).fold([0; 3], |sum, one| {
            let [flying, calls, faults] = sum;
            [flying + one[0], calls + one[1], faults + one[2]]
        })
    }

    /// Whether a call is open at a child, be it one that waits for its client.
    pub fn is_busy(&self) -> bool {
        self.replicas.iter().any(Replica::is_busy)
    }

    /// Bytes of answers that those who called have not taken yet.
    pub fn answer_bytes(&self) -> usize {
        self.answers.held()
    }

    /// Calls that wait for a place, and calls that may be sent again before the budget is used up.
    pub fn queued_and_budget(&self) -> [u64; 2] {
        [self.bulkhead.queued() as u64, self.budget.left()]
    }
}
