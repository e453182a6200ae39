//! One client on a two-way channel, whatever carries it: messages in, messages out, both bounded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{ErrorObject, envelope, error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::session::{Arrival, Duplex, Exchange, Front, Outcome, Step, Stream};

/// Messages that may wait for a client that does not read.
pub(super) const MESSAGES_QUEUED_MAX: usize = 1024;
/// Requests of one client that may be unanswered; its next message is read when one is answered.
const UNANSWERED_MAX: usize = 4096;
/// How long cancelled requests may take to be gone: a client that does not read must not keep the
/// gateway.
const CANCELLED_WAIT: Duration = Duration::from_secs(1);

/// One client's channel. Dropping it cancels what is under way.
pub(super) struct Channel {
    duplex: Duplex,
    out: mpsc::Sender<Bytes>,
    tasks: TaskTracker,
    unanswered: Arc<Semaphore>,
    _standing: AbortOnDropHandle<()>,
}

/// Room for one request that is unanswered.
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Channel {
    /// A channel on which nothing was said yet, and what is to be written on it.
    pub(super) fn open(front: Arc<Front>, arrival: Arrival) -> (Self, mpsc::Receiver<Bytes>) {
        let duplex = Duplex::new(front, arrival);
        let (out, queue) = mpsc::channel(MESSAGES_QUEUED_MAX);
        let standing = AbortOnDropHandle::new(tokio::spawn(stand(duplex.stream(), out.clone())));
        let unanswered = Arc::new(Semaphore::new(UNANSWERED_MAX));
        let tasks = TaskTracker::new();
        (Self { duplex, out, tasks, unanswered, _standing: standing }, queue)
    }

    /// Waits until one more request may be unanswered.
    pub(super) async fn place(&self) -> Place {
        Place { _permit: Arc::clone(&self.unanswered).acquire_owned().await.ok() }
    }

    /// Room for one more request, if there is any now.
    pub(super) fn try_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.unanswered).try_acquire_owned().ok()?;
        Some(Place { _permit: Some(permit) })
    }

    /// Takes one message.
    pub(super) fn take(&self, place: Place, message: Bytes) {
        if let Outcome::Answered { exchange, .. } = self.duplex.take(message) {
            let out = self.out.clone();
            self.tasks.spawn(async move {
                let _place = place;
                answer(exchange, out).await;
            });
        }
    }

    /// Answers what cannot be taken as a message.
    pub(super) fn refuse(&self, place: Place, text: String) {
        let out = self.out.clone();
        self.tasks.spawn(async move {
            let _place = place;
            let error = ErrorObject::new(error::INVALID_REQUEST, text);
            // A client that left needs no answer.
            let _left = out.send(envelope::error(None, &error)).await;
        });
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives what is under way so long to be answered, and cancels the rest.
    pub(super) async fn end(self, wait: Duration) {
        // Those that are later than this are cancelled.
        let _late = timeout(wait, self.idle()).await;
        self.duplex.end();
        let _stuck = timeout(CANCELLED_WAIT, self.idle()).await;
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.duplex.end();
    }
}

async fn answer(mut exchange: Exchange, out: mpsc::Sender<Bytes>) {
    while let Some(step) = exchange.next().await {
        let message = match step {
            Step::Notice(message) | Step::Last { body: message, .. } => message,
            // A channel is never taken up again.
            Step::Event(_) => continue,
        };
        if out.send(message).await.is_err() {
            return;
        }
    }
}

async fn stand(mut stream: Stream, out: mpsc::Sender<Bytes>) {
    while let Some(event) = stream.next().await {
        let Some(message) = event.body else { continue };
        if out.send(message).await.is_err() {
            return;
        }
    }
}
