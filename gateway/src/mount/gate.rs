//! The gate of one replica: open, shut after too many failures, probing when it is tried again.
//!
//! A child's own errors and slowness are no failures: what counts is that a call did not reach the
//! child, or was lost with the connection. Silence and garbage make the child suspect, and the next
//! sign of life that it gives or owes decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pause::Pauses;
use crate::config::Health;

/// A gate before a child that is connected is tried again at the latest after so long: it is
/// alive, and no vendor is bothered.
const SHUT_MAX: Duration = Duration::from_secs(30);

/// Whether calls are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// All calls are.
    Open,
    /// None is, until the child is tried again.
    Shut,
    /// None is, while the child is tried.
    Probing,
}

impl Position {
    /// The word in `/mounts`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shut => "shut",
            Self::Probing => "probing",
        }
    }
}

/// The gate of one replica.
#[derive(Debug)]
pub(super) struct Gate {
    open: AtomicBool,
    state: Mutex<State>,
    failures_max: u32,
    percent: u64,
    window_calls: u64,
}

#[derive(Debug)]
struct State {
    position: Position,
    failures: u32,
    window: Window,
    pauses: Pauses,
}

impl Gate {
    pub(super) fn new(health: &Health) -> Self {
        let max = health.pause_max.min(SHUT_MAX);
        Self {
            open: AtomicBool::new(true),
            state: Mutex::new(State {
                position: Position::Open,
                failures: 0,
                window: Window::new(health.window),
                pauses: Pauses::new(health.pause, max),
            }),
            failures_max: u32::try_from(health.failures_max).unwrap_or(u32::MAX),
            percent: health.failures_percent as u64,
            window_calls: health.window_calls as u64,
        }
    }

    /// Whether calls are let through; read once a call, without a lock.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Where it stands, and the failures in a row.
    pub(super) fn read(&self) -> (Position, u32) {
        let state = self.state();
        (state.position, state.failures)
    }

    /// A call was answered.
    pub(super) fn succeeded(&self, now: Instant) {
        let mut state = self.state();
        state.window.count(now, false);
        if state.position == Position::Open {
            state.failures = 0;
            state.pauses.reset();
        }
    }

    /// A call failed at the child; how long the gate is shut, if that shuts it.
    pub(super) fn failed(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        state.window.count(now, true);
        state.failures = state.failures.saturating_add(1);
        if state.position != Position::Open {
            return None;
        }
        let [calls, failed] = state.window.sums(now);
        let many = calls >= self.window_calls && failed * 100 >= calls * self.percent;
        let row = state.failures >= self.failures_max;
        (many || row).then(|| self.shut(&mut state))
    }

    /// The child owed a sign of life; how long the gate is shut, if it is now.
    pub(super) fn silent(&self) -> Option<Duration> {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let shut = state.position != Position::Open || state.failures >= self.failures_max;
        shut.then(|| self.shut(&mut state))
    }

    /// The child is tried again.
    pub(super) fn probe(&self) {
        let mut state = self.state();
        if state.position == Position::Shut {
            state.position = Position::Probing;
        }
    }

    /// The child gave a sign of life: opens, but the next failure shuts it at once and for longer.
    /// Whether it was shut.
    pub(super) fn alive(&self) -> bool {
        let mut state = self.state();
        if state.position == Position::Open {
            return false;
        }
        state.position = Position::Open;
        state.failures = self.failures_max.saturating_sub(1);
        state.window.clear();
        self.open.store(true, Ordering::Relaxed);
        true
    }

    fn shut(&self, state: &mut State) -> Duration {
        self.open.store(false, Ordering::Relaxed);
        state.position = Position::Shut;
        state.pauses.next()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls and failures of about the last while: two halves, of which the older one is forgotten as
/// a whole.
#[derive(Debug)]
struct Window {
    half: Duration,
    began: Option<Instant>,
    /// Calls and failures of this half and of the one before.
    now: [u64; 2],
    before: [u64; 2],
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { half: length / 2, began: None, now: [0; 2], before: [0; 2] }
    }

    fn turn(&mut self, now: Instant) {
        let age = self.began.map(|began| now.saturating_duration_since(began));
        match age {
            Some(age) if age < self.half => return,
            Some(age) if age < self.half * 2 => self.before = self.now,
            _ => self.before = [0; 2],
        }
        self.now = [0; 2];
        self.began = Some(now);
    }

    fn count(&mut self, now: Instant, failed: bool) {
        self.turn(now);
        self.now[0] += 1;
        self.now[1] += u64::from(failed);
    }

    fn sums(&mut self, now: Instant) -> [u64; 2] {
        self.turn(now);
        [self.now[0] + self.before[0], self.now[1] + self.before[1]]
    }

    fn clear(&mut self) {
        self.now = [0; 2];
        self.before = [0; 2];
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Gate, Position};
    use crate::config::{Health, LinkConfig, MountConfig};

    fn health() -> Health {
        let health = MountConfig::new(
            "m",
            LinkConfig::InProcess { child: "m".to_owned(), options: protocol::Options::default() },
        )
        .health;
        Health { failures_max: 3, window_calls: 10, ..health }
    }

    #[test]
    fn failures_in_a_row_shut_it_and_a_success_between_does_not() {
        let health = Health { window_calls: 1000, ..health() };
        let (gate, now) = (Gate::new(&health), Instant::now());
        for _ in 0..3 {
            assert_eq!(gate.failed(now), None);
            assert_eq!(gate.failed(now), None);
            gate.succeeded(now);
            gate.succeeded(now);
        }
        assert!(gate.is_open());
        gate.failed(now);
        gate.failed(now);
        let pause = gate.failed(now).expect("the third in a row shuts it");
        assert!(pause >= Duration::from_millis(500) && pause < Duration::from_secs(1));
        assert!(!gate.is_open());
        assert_eq!(gate.read(), (Position::Shut, 3));
        assert_eq!(gate.failed(now), None, "a late failure does not shut it again");
    }

    #[test]
    fn a_part_of_the_calls_of_a_window_shuts_it() {
        let (gate, now) = (Gate::new(&health()), Instant::now());
        for _ in 0..4 {
            assert_eq!(gate.failed(now), None);
            gate.succeeded(now);
        }
        gate.succeeded(now);
        assert!(gate.failed(now).is_some(), "5 of 10");
        let gate = Gate::new(&health());
        let later = now + Duration::from_secs(60);
        for _ in 0..4 {
            gate.failed(now);
            gate.succeeded(now);
        }
        for _ in 0..6 {
            gate.succeeded(later);
        }
        assert_eq!(gate.failed(later), None, "what is out of the window does not count");
    }

    #[test]
    fn a_sign_of_life_opens_it_on_probation_and_the_pauses_grow_until_a_call_is_answered() {
        let (gate, now) = (Gate::new(&health()), Instant::now());
        let mut last = Duration::ZERO;
        while gate.failed(now).is_none() {}
        for _ in 0..4 {
            gate.probe();
            assert_eq!(gate.read().0, Position::Probing);
            assert!(!gate.is_open(), "a call is not let through while it is tried");
            assert!(gate.alive());
            assert!(gate.is_open() && !gate.alive());
            let pause = gate.failed(now).expect("one failure shuts it again");
            assert!(pause > last, "{pause:?} after {last:?}");
            last = pause;
        }
        assert!(gate.alive());
        gate.succeeded(now);
        gate.failed(now);
        gate.failed(now);
        assert!(gate.is_open(), "three are allowed again");
        assert!(gate.failed(now).expect("shut") < last, "the pauses begin again");
    }

    #[test]
    fn missing_signs_of_life_shut_it_and_keep_it_shut() {
        let gate = Gate::new(&health());
        assert_eq!(gate.silent(), None);
        assert_eq!(gate.silent(), None);
        let first = gate.silent().expect("the third shuts it");
        gate.probe();
        let second = gate.silent().expect("still shut");
        assert!(second > first);
        assert_eq!(gate.read().0, Position::Shut);
    }
}
