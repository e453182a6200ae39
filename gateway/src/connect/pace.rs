//! How fast a child is read that says more than it was asked: what it floods, it waits for.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Messages that nobody asked for and that are read between two pauses.
const UNASKED_MAX: usize = 64;
/// Bytes of one long message that are read between two pauses.
const LONG_BYTES_MAX: usize = 1 << 20;
/// Bytes of a message too long to be kept that are read over between two pauses.
const SKIPPED_BYTES_MAX: usize = 64 << 10;
/// How long a pause is: the shortest that the timer knows. Meanwhile a pipe or a socket fills, and
/// who writes into it uses no processor either.
const PAUSE: Duration = Duration::from_millis(1);

/// Counts what came by one connection, and says when to read on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    unasked: usize,
    long_bytes: usize,
    skipped_bytes: usize,
    reads_on_at: Option<Instant>,
}

impl Pace {
    /// One message came that is not an answer which somebody waits for.
    pub(super) fn unasked(&mut self) {
        self.unasked += 1;
        if self.unasked >= UNASKED_MAX {
            self.pause();
        }
    }

    /// `bytes` came of a message that is not whole yet.
    pub(super) fn long(&mut self, bytes: usize) {
        self.long_bytes += bytes;
        if self.long_bytes >= LONG_BYTES_MAX {
            self.pause();
        }
    }

    /// The message is whole: what comes next is another.
    pub(super) fn whole(&mut self) {
        self.long_bytes = 0;
    }

    /// `bytes` came of a message that is not kept.
    pub(super) fn skipped(&mut self, bytes: usize) {
        self.skipped_bytes += bytes;
        if self.skipped_bytes >= SKIPPED_BYTES_MAX {
            self.pause();
        }
    }

    fn pause(&mut self) {
        *self = Self { reads_on_at: Some(Instant::now() + PAUSE), ..Self::default() };
    }

    /// Waits until it may be read on; at once where nothing was too much. Can be dropped and called
    /// again.
    pub(super) async fn wait(&mut self) {
        if let Some(at) = self.reads_on_at {
            sleep_until(at).await;
            self.reads_on_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it pauses in a thousand `steps`.
    async fn pauses(mut step: impl FnMut(&mut Pace)) -> u128 {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        for _ in 0..1000 {
            step(&mut pace);
            pace.wait().await;
        }
        begun.elapsed().as_millis() / PAUSE.as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_too_much_makes_it_pause() {
        assert_eq!(pauses(Pace::unasked).await, 15);
        assert_eq!(pauses(|pace| pace.long(100 << 10)).await, 90);
        assert_eq!(pauses(|pace| pace.skipped(64 << 10)).await, 1000);
        let whole = |pace: &mut Pace| {
            pace.long(1 << 19);
            pace.whole();
        };
        assert_eq!(pauses(whole).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_given_up_is_not_begun_anew() {
        let mut pace = Pace::default();
        pace.skipped(SKIPPED_BYTES_MAX);
        let begun = Instant::now();
        for _ in 0..100 {
            let half = tokio::time::timeout(PAUSE / 2, pace.wait()).await;
            if half.is_ok() {
                break;
            }
        }
        assert!(begun.elapsed() <= PAUSE * 2);
        assert_eq!(pace.reads_on_at, None);
    }
}
