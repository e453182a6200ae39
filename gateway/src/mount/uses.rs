//! Who uses a child now, so that an idle one is stopped while nobody does, and never under a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Stands beside the number of users while nobody is let in.
const CLOSED: u64 = 1 << 63;

/// The users of one child.
#[derive(Debug)]
pub(super) struct Uses {
    /// How many there are, and [`CLOSED`].
    users: AtomicU64,
    /// When the last one left, in milliseconds since `began`.
    last: AtomicU64,
    began: Instant,
    /// How long nobody must use it before it is idle; `None` when that does not matter.
    idle: Option<Duration>,
}

/// A use of a child, until it is dropped.
#[derive(Debug)]
pub(super) struct Using<'a>(&'a Uses);

impl Drop for Using<'_> {
    fn drop(&mut self) {
        self.0.used();
        self.0.users.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Uses {
    pub(super) fn new(idle: Option<Duration>) -> Self {
        let (users, last) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { users, last, began: Instant::now(), idle }
    }

    /// A use begins, unless the child is about to be stopped.
    pub(super) fn begin(&self) -> Option<Using<'_>> {
        if self.users.fetch_add(1, Ordering::SeqCst) & CLOSED == 0 {
            return Some(Using(self));
        }
        self.users.fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// Notes that the child was of use just now.
    pub(super) fn used(&self) {
        if self.idle.is_some() {
            let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// When it is idle unless somebody uses it before; `None` when that does not matter.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        let last = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.idle.map(|idle| last + idle)
    }

    /// Lets nobody in any more, if nobody uses it now and nobody did for as long as it takes.
    pub(super) fn close(&self) -> bool {
        let idle = self.idle_at().is_some_and(|at| at <= Instant::now());
        idle && self.users.compare_exchange(0, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Lets users in again.
    pub(super) fn open(&self) {
        self.users.fetch_and(!CLOSED, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Uses;

    const IDLE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn it_closes_only_when_nobody_used_it_for_so_long() {
        let uses = Uses::new(Some(IDLE));
        assert!(!uses.close(), "it began just now");
        advance(IDLE / 2).await;
        let using = uses.begin().expect("it is open");
        advance(IDLE * 2).await;
        assert!(!uses.close(), "it is in use");
        drop(using);
        assert_eq!(uses.idle_at(), Some(Instant::now() + IDLE));
        assert!(!uses.close(), "it was used just now");
        advance(IDLE).await;
        assert!(uses.close());
        assert!(uses.begin().is_none(), "nobody comes in");
        uses.open();
        assert!(uses.begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_never_closes() {
        let uses = Uses::new(None);
        advance(IDLE * 1000).await;
        assert!(!uses.close());
        assert_eq!(uses.idle_at(), None);
    }
}
