//! How a child is, since when, and why.

use std::time::Duration;

use tokio::time::Instant;

use crate::call::unix_seconds;

/// The health states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being dialled for the first time.
    Starting,
    /// Answers.
    Ready,
    /// Connected, but its last calls or its lists failed; of a mount: not all replicas are ready.
    Degraded,
    /// Cannot be reached; dialled again after a pause.
    Down,
    /// Wants a credential that it was not given; not asked again soon.
    Unauthorized,
    /// Not running, because nobody needs it: the next call starts it.
    Idle,
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
            Self::Idle => "idle",
            Self::Stopped => "stopped",
        }
    }
}

impl Status {
    /// Whether somebody who needs the child waits for what comes of its start.
    pub(super) fn may_come(&self) -> bool {
        matches!(self.state, State::Starting | State::Idle)
    }

    pub(super) fn starting() -> Self {
        Self {
            state: State::Starting,
            since: unix_seconds(),
            reason: String::new(),
            next_dial: None,
            settled: false,
        }
    }

    /// The status that follows this one; the time of a state that stays the same is kept.
    pub(super) fn then(&self, state: State, reason: String, next_dial: Option<Instant>) -> Self {
        Self {
            state,
            since: if state == self.state { self.since } else { unix_seconds() },
            reason,
            next_dial,
            settled: self.settled || state != State::Starting,
        }
    }

    /// How long until the child is dialled again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.next_dial.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// The status of a mount, from those of its equal replicas, which follows `before`.
pub(super) fn of_all(before: &Status, replicas: &[Status]) -> Status {
    if let [only] = replicas {
        return only.clone();
    }
    let count = |state: State| replicas.iter().filter(|one| one.state == state).count();
    let all = |state: State| count(state) == replicas.len();
    let answering = count(State::Ready) + count(State::Degraded);
    let well = |state: State| matches!(state, State::Ready | State::Idle);
    let sick = replicas.iter().enumerate().find(|(_, one)| !well(one.state));
    let state = if all(State::Idle) {
        State::Idle
    } else if sick.is_none() {
        State::Ready
    } else if answering > 0 {
        State::Degraded
    } else if count(State::Starting) > 0 {
        State::Starting
    } else if count(State::Idle) > 0 {
        State::Idle
    } else if all(State::Unauthorized) {
        State::Unauthorized
    } else if all(State::Stopped) {
        State::Stopped
    } else {
        State::Down
    };
    let reason = match sick {
        None => String::new(),
        Some((place, one)) => {
            let (number, of, word) = (place + 1, replicas.len(), one.state.as_str());
            let why = if one.reason.is_empty() { "" } else { ": " };
            let reason = &one.reason;
            format!("{answering} of {of} replicas answer; replica {number} is {word}{why}{reason}")
        }
    };
    let next_dial = replicas.iter().filter_map(|one| one.next_dial).min();
    let mut status = before.then(state, reason, next_dial);
    status.settled = before.settled || answering > 0 || replicas.iter().all(|one| one.settled);
    status
}
