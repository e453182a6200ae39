//! Calls that wait at their child while their clients are asked, each under a name used once.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use protocol::Raw;
use protocol::question::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::talk::Talk;
use crate::call::{Fault, Kind, Principal};

/// Where the parked calls of all mounts wait. It outlives each mount, so that a client finds its
/// call at a mount that was made anew meanwhile. Clones are the same place.
#[derive(Clone, Default)]
pub struct Parking(Arc<Spaces>);

#[derive(Default)]
struct Spaces {
    places: DashMap<String, Place>,
    tasks: TaskTracker,
    ended: CancellationToken,
}

impl Parking {
    /// Ends every call that waits, and the tasks that keep them.
    pub async fn end(&self) {
        self.0.ended.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parking").field("parked", &self.0.places.len()).finish_non_exhaustive()
    }
}

/// The calls of one mount that wait.
#[derive(Debug)]
pub(super) struct Parks {
    mount: Arc<str>,
    max: usize,
    wait: Duration,
    permits: Arc<Semaphore>,
    parking: Parking,
}

/// One parked call.
struct Place {
    mount: Arc<str>,
    /// Who may come back for it.
    principal: Principal,
    /// What the client was told of.
    put: Vec<Request>,
    /// Has the call handed over.
    back: oneshot::Sender<oneshot::Sender<Talk>>,
}

impl Parks {
    pub(super) fn new(mount: Arc<str>, max: usize, wait: Duration, parking: Parking) -> Arc<Self> {
        Arc::new(Self { mount, max, wait, permits: Arc::new(Semaphore::new(max)), parking })
    }

    /// The same bounds with another place to wait at.
    pub(super) fn at(&self, parking: Parking) -> Arc<Self> {
        Self::new(Arc::clone(&self.mount), self.max, self.wait, parking)
    }

    /// Parks a call under `key`.
    ///
    /// # Errors
    /// [`Kind::Unanswered`] when there are too many, or the connection is closed: the call is
    /// cancelled at its child, where it may have had effects.
    pub(super) fn hold(self: &Arc<Self>, key: &str, talk: Talk) -> Result<(), Fault> {
        let closing = talk.calls().ended.is_cancelled() || self.parking.0.ended.is_cancelled();
        if closing {
            let text = "the server asks something in this call, and the connection to it is being \
                        closed: the call was cancelled and may have had effects";
            return Err(Fault::new(Kind::Unanswered, text));
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let max = self.max;
            return Err(Fault::new(
                Kind::Unanswered,
                format!(
                    "{max} calls of this mount wait for answers of their clients, which is its \
                     limit (parked_max): the call was cancelled and may have had effects"
                ),
            ));
        };
        let (back, taken) = oneshot::channel();
        let (mount, principal) = (Arc::clone(&self.mount), talk.principal().clone());
        let place = Place { mount, principal, put: talk.put(), back };
        self.parking.0.places.insert(key.to_owned(), place);
        let (parks, key) = (Arc::clone(self), key.to_owned());
        // The end of the connection waits for this one, as long as the child is at it.
        let open = talk.calls().parked.token();
        let waiting = async move { parks.wait(&key, talk, taken, (permit, open)).await };
        self.parking.0.tasks.spawn(waiting);
        Ok(())
    }

    /// Keeps a call going until its client comes back for it, leaves, or lets the time pass.
    async fn wait(
        &self,
        key: &str,
        mut talk: Talk,
        mut taken: oneshot::Receiver<oneshot::Sender<Talk>>,
        (_permit, open): (OwnedSemaphorePermit, TaskTrackerToken),
    ) {
        let until = Instant::now() + self.wait;
        let calls = Arc::clone(talk.calls());
        let mut open = Some(open);
        loop {
            if talk.is_over() {
                // What came of it is kept for the client, whatever becomes of the connection.
                open = None;
            }
            tokio::select! {
                biased;
                to = &mut taken => {
                    if let Ok(to) = to {
                        // Who took it may have been cancelled; the call then is too.
                        let _gone = to.send(talk);
                    }
                    return;
                }
                () = self.parking.0.ended.cancelled() => break,
                () = calls.ended.cancelled(), if open.is_some() => break,
                () = sleep_until(until) => {
                    tracing::info!(wait = ?self.wait, "a parked call's client never came back");
                    break;
                }
                stays = talk.wait() => if !stays { break },
            }
        }
        self.parking.0.places.remove(key);
        talk.end();
    }

    /// Looks at the questions of the call of this name, for this principal.
    pub(super) fn look<T>(
        &self,
        key: &str,
        principal: &Principal,
        look: impl FnOnce(&[Request]) -> T,
    ) -> Option<T> {
        let place = self.parking.0.places.get(key)?;
        let own = place.principal == *principal && place.mount == self.mount;
        own.then(|| look(&place.put))
    }

    /// Takes the call of this name, which nobody can do a second time.
    pub(super) async fn take(&self, key: &str) -> Option<Talk> {
        let (_, place) = self.parking.0.places.remove(key)?;
        let (to, talk) = oneshot::channel();
        place.back.send(to).ok()?;
        talk.await.ok()
    }
}

/// A state that names no call which waits.
pub(super) fn gone() -> Fault {
    Fault::invalid(
        "params.requestState: no call waits for this any more: it was answered already, its time \
         (question_wait) is over, or the gateway or the server behind it was started anew; the \
         call was cancelled and may have had effects: look before you call again",
    )
}

/// A name that nobody guesses.
pub(super) fn fresh_key() -> Raw {
    Raw::of(&format!("{:032x}", rand::random::<u128>()))
}
