//! What flows against a call: progress, log messages, and the events of a listen.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Notify, Raw, Sending};
use tokio::sync::{Notify as Pulse, mpsc};

/// Notices that may wait for one slow client, per call.
pub const NOTICES_QUEUED_MAX: usize = 256;

/// The method of what [`Backchannel::let_poll`] tells; no client ever sees it.
pub const POLL: &str = "gateway/poll";

/// The method of what [`Backchannel::tell_more`] tells; no client ever sees it.
pub const MORE: &str = "gateway/more";

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
    way: Way,
    pulse: Option<Arc<Pulse>>,
    held: bool,
}

/// Where notices go.
#[derive(Debug, Clone, Default)]
enum Way {
    /// Nobody listens.
    #[default]
    Nowhere,
    Queue(mpsc::Sender<Notice>),
    /// Wherever the switch points at that moment.
    Switched(Arc<Mutex<Backchannel>>),
}

/// Points a backchannel that is in use to another client's: the call is the same, the request that
/// waits for it another.
#[derive(Debug, Clone)]
pub struct Switch(Arc<Mutex<Backchannel>>);

impl Switch {
    /// What is told from now on goes to `back`.
    pub fn point(&self, back: Backchannel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = back;
    }

    /// Where it points now.
    pub fn now(&self) -> Backchannel {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Backchannel {
    /// Nobody listens.
    pub fn none() -> Self {
        Self::default()
    }

    /// A backchannel and where its notices come out.
    pub fn open() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, out) = mpsc::channel(NOTICES_QUEUED_MAX);
        (Self { way: Way::Queue(queue), ..Self::default() }, out)
    }

    /// A backchannel that leads where `first` does until it is pointed elsewhere.
    pub fn switched(first: Self) -> (Self, Switch) {
        let now = Arc::new(Mutex::new(first));
        (Self { way: Way::Switched(Arc::clone(&now)), ..Self::default() }, Switch(now))
    }

    /// The same way back, of a client that stays on it from the first question of a call to the
    /// call's end: when it leaves, nobody comes back with an answer.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.held = true;
        self
    }

    /// Whether the client stays over all questions of a call.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Waits until a client that stays has left; for ever for one that does not stay.
    pub async fn left(&self) {
        match &self.way {
            Way::Queue(queue) if self.held => queue.closed().await,
            _ => std::future::pending().await,
        }
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
        match &self.way {
            Way::Nowhere => false,
            Way::Queue(queue) => {
                queue.try_send(Notice { method: method.to_owned(), params }).is_ok()
            }
            Way::Switched(now) => Switch(Arc::clone(now)).now().tell(method, params),
        }
    }

    /// The child hung up and has its client come back for the answer later: ours may, too.
    pub fn let_poll(&self) {
        // Who cannot come back stays.
        let _told = self.tell(POLL, Raw::default());
    }

    /// The child asked more while its call waits for answers: who waits comes back for that.
    pub fn tell_more(&self) {
        // One who left needs not be asked.
        let _left = self.tell(MORE, Raw::default());
    }

    /// Hands over a notice, waiting while the queue is full.
    pub async fn tell_waiting(&self, method: &str, params: Raw) {
        self.touch();
        let now = match &self.way {
            Way::Nowhere => return,
            Way::Queue(_) => self.clone(),
            // A switch never points to another.
            Way::Switched(now) => Switch(Arc::clone(now)).now(),
        };
        now.touch();
        if let Way::Queue(queue) = &now.way {
            // A client that left needs no notices.
            let _left = queue.send(Notice { method: method.to_owned(), params }).await;
        }
    }

    /// A sign of life of the child, for time-outs, of which its client is told nothing.
    pub fn touch(&self) {
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
