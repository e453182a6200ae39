//! Pauses between attempts at a stream, longer each time.

use std::time::Duration;

use rand::Rng;

/// How long to wait before the next attempt at a stream.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LAST: Duration = Duration::from_secs(300);
    /// A stream that lived this long was no failure.
    pub(super) const HEALTHY: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    /// The wait before the next attempt: doubled each time, and shaken, so that the children of a
    /// restarted host are not all asked at once.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LAST);
        wait.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}
