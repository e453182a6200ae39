//! What one request's server sends back while it runs: an ordered, bounded queue without a task.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use protocol::Raw;
use tokio::sync::oneshot;

/// Notifications of one call that may wait for a slow receiver; the server's own send waits too,
/// so only a server that does not await its sends can have more than one here.
pub(super) const NOTIFICATIONS_WAITING_MAX: usize = 64;

/// Updates of sub-resources that may wait for a slow subscriber; beyond, the subscribed resource
/// itself is reported, so that nothing is missed and no server can fill the memory.
pub(super) const SUB_RESOURCES_WAITING_MAX: usize = 256;

/// A change that a subscriber needs to hear of once, however often it happened meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// One of the lists, by the method that tells of it.
    List(&'static str),
    /// A resource, by its URI.
    Resource(String),
}

/// A notification on its way to the caller.
pub(super) struct Outgoing {
    pub(super) method: String,
    pub(super) params: Raw,
    change: Option<Change>,
    delivered: Option<oneshot::Sender<()>>,
}

impl Outgoing {
    /// Lets the server's send go on.
    pub(super) fn delivered(self) {
        if let Some(sender) = self.delivered {
            // A sender that no longer waits is a handler that was dropped.
            sender.send(()).ok();
        }
    }
}

/// Why a notification was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The request is answered or dropped.
    Over,
    /// [`NOTIFICATIONS_WAITING_MAX`] are waiting already.
    Full,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Outgoing>,
    changes: HashSet<Change>,
    held: bool,
    closed: bool,
    waker: Option<Waker>,
}

/// The queue of one request, filled by the server's peer and emptied by the request's own future.
#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<State>,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a notification of a call; the receiver resolves when it was delivered.
    pub(super) fn post(
        &self,
        method: String,
        params: Raw,
    ) -> Result<oneshot::Receiver<()>, NotTaken> {
        let mut state = self.state();
        if state.closed {
            return Err(NotTaken::Over);
        }
        if state.queue.len() >= NOTIFICATIONS_WAITING_MAX {
            return Err(NotTaken::Full);
        }
        let (sender, receiver) = oneshot::channel();
        state.queue.push_back(Outgoing { method, params, change: None, delivered: Some(sender) });
        wake(state);
        Ok(receiver)
    }

    /// Queues the acknowledgement of a listen, without waking the future that delivers it.
    ///
    /// A server's listen begins only when its send of the acknowledgement returned, and that
    /// return wakes the future anyway. So the client hears of the subscription when the server
    /// already watches, and a change it makes right then is not missed.
    pub(super) fn acknowledge(&self, method: String, params: Raw) {
        let mut state = self.state();
        if !state.closed {
            state.queue.push_front(Outgoing { method, params, change: None, delivered: None });
            state.held = true;
        }
    }

    /// Queues a change for a subscriber unless the same one is waiting.
    pub(super) fn report(&self, change: Change, method: String, params: Raw) {
        let mut state = self.state();
        if state.closed || !state.changes.insert(change.clone()) {
            return;
        }
        state.queue.push_back(Outgoing { method, params, change: Some(change), delivered: None });
        if !state.held {
            wake(state);
        }
    }

    /// How many changes are waiting.
    pub(super) fn waiting(&self) -> usize {
        self.state().changes.len()
    }

    /// Takes no more; what is queued is still delivered.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        wake(state);
    }

    /// Takes no more and forgets what is queued.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let forgotten = std::mem::take(&mut state.queue);
        state.changes.clear();
        drop(state);
        drop(forgotten);
    }

    /// The next notification, in order; `None` once the lane is closed and empty.
    pub(super) async fn next(&self) -> Option<Outgoing> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut state = self.state();
        if let Some(outgoing) = state.queue.pop_front() {
            state.held = false;
            if let Some(change) = &outgoing.change {
                state.changes.remove(change);
            }
            return Poll::Ready(Some(outgoing));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Wakes outside the lock: the woken future takes it.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
