//! A wire and what moves its bytes, whatever carries it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{LastWords, Outgoing, Wire};
use crate::call;

/// A [`Wire`] with the tasks that move its bytes. Dropping it ends both.
pub(in crate::connect) struct Cable {
    /// The connection.
    pub(in crate::connect) wire: Arc<Wire>,
    /// Ends the writing, behind what is queued.
    stop: CancellationToken,
    /// What reads and what writes.
    tasks: JoinSet<()>,
}

/// What a cable is laid with.
pub(in crate::connect) struct CableSettings {
    /// Whose connection it is, for faults.
    pub(in crate::connect) mount: Arc<str>,
    /// The longest message that is read.
    pub(in crate::connect) message_bytes_max: usize,
    /// Where oddities are noted.
    pub(in crate::connect) words: Arc<LastWords>,
    /// Resolves with a reason when the peer is known to have ended, before or after the stream.
    pub(in crate::connect) obituary: Option<call::Future<'static, String>>,
}

impl Cable {
    /// A wire that nothing moves yet, and what is to be written on it.
    pub(in crate::connect) fn laid(
        mount: Arc<str>,
        words: Arc<LastWords>,
    ) -> (Self, mpsc::Receiver<Outgoing>) {
        let (wire, queue) = Wire::new(mount, words);
        (Self { wire, stop: CancellationToken::new(), tasks: JoinSet::new() }, queue)
    }

    /// Runs what moves its bytes for as long as the cable is there.
    pub(in crate::connect) fn carry(&mut self, moving: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(moving);
    }

    /// Cancelled when nothing more is to be queued.
    pub(in crate::connect) fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Closes the writing side behind what is queued; what the peer still says is read on.
    pub(in crate::connect) fn hang_up(&self) {
        self.stop.cancel();
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.wire.end("the gateway closed the connection");
    }
}
