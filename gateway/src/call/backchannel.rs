//! What flows against a call: progress, log messages, and the events of a listen.

use std::sync::Arc;

use protocol::{Notify, Raw, Sending};
use tokio::sync::{Notify as Pulse, mpsc};

/// Notices that may wait for one slow client, per call.
pub const NOTICES_QUEUED_MAX: usize = 256;

/// One notification that belongs to a call.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The notification's method.
    pub method: String,
    /// Its params, an object. A progress token in it is that of the hop it came from.
    pub params: Raw,
}

/// The way back to the one client whose call this is.
#[derive(Debug, Clone, Default)]
pub struct Backchannel {
    queue: Option<mpsc::Sender<Notice>>,
    pulse: Option<Arc<Pulse>>,
}

impl Backchannel {
    /// Nobody listens.
    pub fn none() -> Self {
        Self::default()
    }

    /// A backchannel and where its notices come out.
    pub fn open() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, out) = mpsc::channel(NOTICES_QUEUED_MAX);
        (Self { queue: Some(queue), pulse: None }, out)
    }

    /// The same way back, which also wakes `pulse` at each notice: a sign of life for time-outs.
    #[must_use]
    pub fn with_pulse(mut self, pulse: Arc<Pulse>) -> Self {
        self.pulse = Some(pulse);
        self
    }

    /// Hands over a notice without waiting; `false` when it is lost, because the client left or
    /// has not taken the [`NOTICES_QUEUED_MAX`] before it.
    pub fn tell(&self, method: &str, params: Raw) -> bool {
        self.touch();
        let Some(queue) = &self.queue else { return false };
        queue.try_send(Notice { method: method.to_owned(), params }).is_ok()
    }

    /// Hands over a notice, waiting while the queue is full.
    pub async fn tell_waiting(&self, method: &str, params: Raw) {
        self.touch();
        if let Some(queue) = &self.queue {
            // A client that left needs no notices.
            let _left = queue.send(Notice { method: method.to_owned(), params }).await;
        }
    }

    fn touch(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.notify_one();
        }
    }
}

impl Notify for Backchannel {
    fn notify<'a>(&'a self, method: &'a str, params: Raw) -> Sending<'a, ()> {
        Box::pin(self.tell_waiting(method, params))
    }
}
