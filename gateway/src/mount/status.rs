//! How a child is, since when, and why.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The health states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being dialled for the first time.
    Starting,
    /// Answers.
    Ready,
    /// Connected, but its last calls or its lists failed.
    Degraded,
    /// Cannot be reached; dialled again after a pause.
    Down,
    /// Wants a credential that it was not given; not asked again soon.
    Unauthorized,
    /// Taken out of service.
    Stopped,
}

/// A state with its history.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// When it began, seconds since 1970.
    pub since: u64,
    /// Why, for people; empty when all is well.
    pub reason: String,
    /// When the child is dialled next.
    pub next_dial: Option<Instant>,
    /// Whether a first attempt has ended, well or not.
    pub settled: bool,
}

impl State {
    /// The word in `/mounts` and in faults.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unauthorized => "unauthorized",
            Self::Stopped => "stopped",
        }
    }
}

impl Status {
    pub(super) fn starting() -> Self {
        Self {
            state: State::Starting,
            since: now(),
            reason: String::new(),
            next_dial: None,
            settled: false,
        }
    }

    /// The status that follows this one; the time of a state that stays the same is kept.
    pub(super) fn then(&self, state: State, reason: &str, pause: Option<Duration>) -> Self {
        Self {
            state,
            since: if state == self.state { self.since } else { now() },
            reason: reason.to_owned(),
            next_dial: pause.map(|pause| Instant::now() + pause),
            settled: self.settled || state != State::Starting,
        }
    }

    /// How long until the child is dialled again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.next_dial.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
