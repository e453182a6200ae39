//! Calls that wait at their child while their clients are asked, each under a name used once.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use protocol::Raw;
use protocol::question::Question;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::talk::Talk;
use crate::call::{Fault, Kind, Principal};

/// The calls of one mount that wait.
pub(super) struct Parks {
    max: usize,
    wait: Duration,
    permits: Arc<Semaphore>,
    places: DashMap<String, Place>,
    tasks: TaskTracker,
    ended: CancellationToken,
}

/// One parked call.
pub(super) struct Place {
    /// Who may come back for it.
    principal: Principal,
    /// What was asked, by key.
    pub(super) questions: Vec<(String, Question)>,
    /// Has the call handed over.
    back: oneshot::Sender<oneshot::Sender<Talk>>,
}

impl std::fmt::Debug for Parks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parks").field("parked", &self.places.len()).finish_non_exhaustive()
    }
}

impl Parks {
    pub(super) fn new(max: usize, wait: Duration) -> Arc<Self> {
        Arc::new(Self {
            max,
            wait,
            permits: Arc::new(Semaphore::new(max)),
            places: DashMap::new(),
            tasks: TaskTracker::new(),
            ended: CancellationToken::new(),
        })
    }

    /// Parks a call under `key`.
    ///
    /// # Errors
    /// [`Kind::Limited`] when there are too many; the call is cancelled at its child.
    pub(super) fn hold(self: &Arc<Self>, key: &str, talk: Talk) -> Result<(), Fault> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let max = self.max;
            return Err(Fault::new(
                Kind::Limited { retry_after: None },
                format!(
                    "{max} calls of this mount wait for answers of their clients, which is its \
                     limit (parked_max): the call was cancelled"
                ),
            ));
        };
        let (back, taken) = oneshot::channel();
        let place =
            Place { principal: talk.principal().clone(), questions: talk.questions(), back };
        self.places.insert(key.to_owned(), place);
        let (parks, key) = (Arc::clone(self), key.to_owned());
        self.tasks.spawn(async move { parks.wait(&key, talk, taken, permit).await });
        Ok(())
    }

    /// Keeps a call going until its client comes back for it, leaves, or lets the time pass.
    async fn wait(
        &self,
        key: &str,
        mut talk: Talk,
        mut taken: oneshot::Receiver<oneshot::Sender<Talk>>,
        _permit: OwnedSemaphorePermit,
    ) {
        let until = Instant::now() + self.wait;
        loop {
            tokio::select! {
                biased;
                to = &mut taken => {
                    if let Ok(to) = to {
                        // Who took it may have been cancelled; the call then is too.
                        let _gone = to.send(talk);
                    }
                    return;
                }
                () = self.ended.cancelled() => break,
                () = sleep_until(until) => {
                    tracing::info!(wait = ?self.wait, "a parked call's client never came back");
                    break;
                }
                stays = talk.wait() => if !stays { break },
            }
        }
        self.places.remove(key);
    }

    /// Looks at the place of this name, for this principal.
    pub(super) fn look<T>(
        &self,
        key: &str,
        principal: &Principal,
        look: impl FnOnce(&Place) -> T,
    ) -> Option<T> {
        let place = self.places.get(key)?;
        (place.principal == *principal).then(|| look(&place))
    }

    /// Takes the call of this name, which nobody can do a second time.
    pub(super) async fn take(&self, key: &str) -> Option<Talk> {
        let (_, place) = self.places.remove(key)?;
        let (to, talk) = oneshot::channel();
        place.back.send(to).ok()?;
        talk.await.ok()
    }

    pub(super) fn end(&self) {
        self.ended.cancel();
        self.tasks.close();
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
