//! How long to wait before a child is dialled again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
/// A process costs only this machine: it may be tried every minute.
const PROCESS_MAX: Duration = Duration::from_secs(60);
/// A dead vendor is asked a few times an hour.
const REMOTE_MAX: Duration = Duration::from_secs(15 * 60);
/// A missing credential does not appear by asking.
const UNAUTHORIZED: Duration = Duration::from_secs(15 * 60);
/// Up to this part of a pause is added by chance, so that many mounts do not dial at once.
const JITTER: f64 = 0.2;

/// Exponential pauses with jitter.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    max: Duration,
}

impl Pauses {
    pub(super) fn new(remote: bool) -> Self {
        Self { next: FIRST, max: if remote { REMOTE_MAX } else { PROCESS_MAX } }
    }

    /// The next pause, twice the one before.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        with_jitter(pause)
    }

    /// The pause after a refused credential.
    pub(super) fn unauthorized() -> Duration {
        with_jitter(UNAUTHORIZED)
    }

    /// The child answered: the next pause is the first again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() * JITTER)
}
