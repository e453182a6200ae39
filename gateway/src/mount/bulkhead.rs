//! The walls around one mount: calls under way, calls that wait, and bytes of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::call::{Call, Fault, Kind};

/// Bytes are counted in pieces of this size.
const PIECE: usize = 1024;

/// What one mount may take of the gateway at once.
#[derive(Debug)]
pub(super) struct Bulkhead {
    name: Arc<str>,
    calls_max: usize,
    queued_max: usize,
    wait: Duration,
    calls: Semaphore,
    pieces_max: u32,
    pieces: Semaphore,
    queued: AtomicUsize,
}

/// A place for one call, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _call: SemaphorePermit<'a>,
    _bytes: SemaphorePermit<'a>,
}

/// A call that waits for a place.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bulkhead {
    /// So many calls under way, so many that wait for so long, and so many bytes of what they ask.
    pub(super) fn new(
        name: &Arc<str>,
        calls_max: usize,
        queued_max: usize,
        wait: Duration,
        bytes_max: usize,
    ) -> Self {
        let pieces_max = u32::try_from(bytes_max.div_ceil(PIECE).max(1)).unwrap_or(u32::MAX);
        Self {
            name: Arc::clone(name),
            calls_max,
            queued_max,
            wait,
            calls: Semaphore::new(calls_max),
            pieces_max,
            pieces: Semaphore::new(pieces_max as usize),
            queued: AtomicUsize::new(0),
        }
    }

    /// A place for this call; waits for one in turn, among so many and for so long.
    ///
    /// # Errors
    /// Says which bound is reached.
    pub(super) async fn enter(&self, call: &Call) -> Result<Place<'_>, Fault> {
        let pieces = call.params.len().div_ceil(PIECE).max(1);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX).min(self.pieces_max);
        let free = self.calls.try_acquire().and_then(|call| {
            let bytes = self.pieces.try_acquire_many(pieces)?;
            Ok(Place { _call: call, _bytes: bytes })
        });
        if let Ok(place) = free {
            return Ok(place);
        }
        let queued = self.queued.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.queued);
        let (name, max) = (&self.name, self.calls_max);
        if queued >= self.queued_max {
            let waiting = self.queued_max;
            return Err(self.full(&format!(
                "`{name}` has {max} calls under way or its bytes in use, and {waiting} calls wait, \
                 which is its limit; try again later"
            )));
        }
        let place = async {
            let call = self.calls.acquire().await;
            (call, self.pieces.acquire_many(pieces).await)
        };
        match timeout(self.wait, place).await {
            Ok((Ok(call), Ok(bytes))) => Ok(Place { _call: call, _bytes: bytes }),
            _ => Err(self.full(&format!(
                "`{name}` had no place for this call within {:?}: it has {max} calls under way or \
                 its bytes in use, which is its limit; try again later",
                self.wait
            ))),
        }
    }

    /// Calls that wait for a place.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    fn full(&self, text: &str) -> Fault {
        Fault::new(Kind::Limited { retry_after: Some(self.wait) }, text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::{Method, Raw};

    use super::Bulkhead;
    use crate::call::{Call, Caller, Fault, Kind};

    fn call(bytes: usize) -> Call {
        let params = format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes));
        Call::own(Method::ToolsCall, Raw::parse(params.into()).unwrap(), Caller::gateway())
    }

    fn bulkhead(calls: usize, queued: usize, bytes: usize) -> Bulkhead {
        Bulkhead::new(&"m".into(), calls, queued, Duration::from_secs(5), bytes)
    }

    fn is_limited(fault: &Fault) -> bool {
        matches!(fault.kind, Kind::Limited { retry_after: Some(_) }) && fault.text.contains("`m`")
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_a_place_in_turn_and_for_so_long() {
        let walls = bulkhead(1, 1, 1 << 20);
        let small = call(1);
        let first = walls.enter(&small).await.unwrap();
        let second = walls.enter(&small);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(walls.queued(), 1);
        let third = walls.enter(&call(1)).await.expect_err("the queue is full");
        assert!(is_limited(&third), "{third:?}");
        drop(first);
        let second = second.await.expect("a place came free");
        assert_eq!(walls.queued(), 0);
        let late = walls.enter(&call(1)).await.expect_err("no place within the wait");
        assert!(is_limited(&late), "{late:?}");
        drop(second);
        walls.enter(&call(1)).await.expect("there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_under_way_are_bounded_and_one_large_call_still_passes() {
        let walls = bulkhead(10, 0, 8 * 1024);
        let large = walls.enter(&call(100 * 1024)).await.expect("it takes all there is");
        assert!(walls.enter(&call(1)).await.is_err());
        drop(large);
        let _half = walls.enter(&call(4 * 1024)).await.unwrap();
        assert!(walls.enter(&call(4 * 1024)).await.is_err());
        walls.enter(&call(1024)).await.expect("a small one passes");
    }
}
