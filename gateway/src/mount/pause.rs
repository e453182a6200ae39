//! How long to wait before a child is tried again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Health;

/// Up to this part of a pause is added by chance, so that many mounts do not dial at once.
const JITTER: f64 = 0.2;
/// Calls for a process that crashes again and again do not start it more often.
const PROCESS_HURRIED_EVERY: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Exponential pauses with jitter.
#[derive(Debug)]
pub(super) struct Pauses {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        let first = first.min(max);
        Self { first, max, next: first }
    }

    /// The next pause, twice the one before.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        with_jitter(pause)
    }

    /// The child serves: the next pause is the first again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A pause with some chance added.
fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() * JITTER)
}

/// Attempts to reach a sick child within the last hour, of which there are only so many.
#[derive(Debug)]
pub(super) struct Attempts {
    max: usize,
    made: VecDeque<Instant>,
}

impl Attempts {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), made: VecDeque::new() }
    }

    /// Notes an attempt.
    pub(super) fn made(&mut self, now: Instant) {
        if self.made.len() == self.max {
            self.made.pop_front();
        }
        self.made.push_back(now);
    }

    /// How long until another attempt is within the bound.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match self.made.front() {
            Some(first) if self.made.len() == self.max => {
                (*first + HOUR).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }

    /// Whether somebody who asks for the child may have it tried before its pause is over: never
    /// more often than the bound lets through in the long run.
    pub(super) fn may_hurry(&self, now: Instant) -> bool {
        let gap = HOUR / u32::try_from(self.max).unwrap_or(u32::MAX);
        let last = self.made.back();
        self.wait(now).is_zero() && last.is_none_or(|last| now >= *last + gap)
    }
}

/// When one child is tried again: pauses that grow, and for a remote child a bound per hour.
#[derive(Debug)]
pub(super) struct Trying {
    pauses: Pauses,
    unauthorized_every: Duration,
    /// Of a process, which costs only this machine, there is no bound.
    attempts: Option<Attempts>,
    last: Option<Instant>,
}

impl Trying {
    pub(super) fn new(health: &Health, remote: bool) -> Self {
        Self {
            pauses: Pauses::new(health.pause, health.pause_max),
            unauthorized_every: health.unauthorized_every,
            attempts: remote.then(|| Attempts::new(health.dials_per_hour)),
            last: None,
        }
    }

    /// An attempt begins.
    pub(super) fn made(&mut self, now: Instant) {
        self.last = Some(now);
        if let Some(attempts) = &mut self.attempts {
            attempts.made(now);
        }
    }

    /// The pause after an attempt that failed.
    pub(super) fn pause(&mut self, now: Instant, unauthorized: bool) -> Duration {
        let pause = match unauthorized {
            true => with_jitter(self.unauthorized_every),
            false => self.pauses.next(),
        };
        pause.max(self.wait(now))
    }

    /// How long until another attempt is within the bound per hour.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.attempts.as_ref().map_or(Duration::ZERO, |attempts| attempts.wait(now))
    }

    /// Whether somebody who asks for the child may end a pause early.
    pub(super) fn may_hurry(&self, now: Instant) -> bool {
        match &self.attempts {
            Some(attempts) => attempts.may_hurry(now),
            None => self.last.is_none_or(|last| now >= last + PROCESS_HURRIED_EVERY),
        }
    }

    /// The child served: the pauses begin again.
    pub(super) fn reset(&mut self) {
        self.pauses.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Attempts, HOUR, JITTER, Pauses};

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let ms = Duration::from_millis;
        let mut pauses = Pauses::new(ms(500), ms(3000));
        for expected in [500, 1000, 2000, 3000, 3000] {
            let pause = pauses.next();
            assert!(pause >= ms(expected), "{pause:?}");
            assert!(pause <= ms(expected).mul_f64(1.0 + JITTER), "{pause:?}");
        }
        pauses.reset();
        assert!(pauses.next() < ms(1000));
    }

    #[test]
    fn a_dead_host_is_asked_at_most_so_often_in_any_hour() {
        let max = 5;
        let mut attempts = Attempts::new(max);
        let mut now = Instant::now();
        let mut made = Vec::new();
        // Somebody wants it every second for three hours, and the supervisor as soon as it may.
        for second in 0..3 * 3600 {
            if attempts.wait(now).is_zero() && (second % 2 == 0 || attempts.may_hurry(now)) {
                attempts.made(now);
                made.push(now);
            }
            now += Duration::from_secs(1);
        }
        for at in &made {
            let within = made.iter().filter(|one| **one >= *at && **one < *at + HOUR).count();
            assert!(within <= max, "{within} within an hour");
        }
        assert!(made.len() > max, "it is asked again in the next hour");
    }

    #[test]
    fn whoever_asks_for_a_dead_child_hurries_it_at_a_bounded_rate() {
        let mut attempts = Attempts::new(30);
        let now = Instant::now();
        assert!(attempts.may_hurry(now));
        attempts.made(now);
        assert!(!attempts.may_hurry(now + Duration::from_secs(119)));
        assert!(attempts.may_hurry(now + Duration::from_secs(120)));
    }
}
