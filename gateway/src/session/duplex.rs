//! One client on one two-way channel (stdio): both eras, told apart message by message
//! (digest 1.12.2).

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::envelope::{Body, Malformed, Message};
use protocol::json::Members;
use protocol::{Method, Raw, Version, method::notice};

use super::exchange::Exchange;
use super::front::{Front, Held, Outcome, is_modern};
use super::head::Arrival;
use super::legacy::{plain_error, session_of};
use super::live::Live;
use super::replay::Replays;
use super::streams::Stream;

/// The state of one two-way channel.
pub struct Duplex {
    front: Arc<Front>,
    arrival: Arrival,
    live: Arc<Live>,
    /// Set by `initialize`, which selects the legacy era for messages without metadata.
    held: Mutex<Option<Held>>,
}

impl Duplex {
    /// A channel on which nothing was said yet. `arrival` has no headers.
    pub fn new(front: Arc<Front>, arrival: Arrival) -> Self {
        Self { front, arrival, live: Live::new(Replays::none()), held: Mutex::new(None) }
    }

    /// What the client is told outside its requests. Only one stream reads at a time.
    pub fn stream(&self) -> Stream {
        Stream::plain(&self.live)
    }

    /// Takes one message.
    pub fn take(&self, message: Bytes) -> Outcome {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match Body::read(message) {
            Ok(Body::One(Message::Request { id, method, params })) => {
                self.request(held, id, &method, params)
            }
            Ok(Body::One(message)) => {
                self.one_way(held, &message);
                Outcome::Accepted
            }
            Ok(Body::Batch(parts)) => match held {
                Some(held) if held.session.version == Version::V2025_03_26 => {
                    self.front.batch_of(&held, parts)
                }
                _ => refuse(None, "an array is a batch, which only sessions of 2025-03-26 send"),
            },
            Err(Malformed { id, error }) => Outcome::refuse(400, id.as_ref(), &error),
        }
    }

    fn request(&self, held: Option<Held>, id: Raw, method: &str, params: Raw) -> Outcome {
        let method = Method::read(method);
        if is_modern(&method, &params) {
            let live = Some(&self.live);
            let exchange = self.front.modern(&self.arrival, id, method, params, live);
            return Outcome::exchange(exchange);
        }
        match (held, method) {
            (None, Method::Initialize) => self.handshake(&id, &params),
            (None, Method::Ping) => {
                Outcome::exchange(Exchange::ready(200, super::modern::nothing(&id)))
            }
            (None, _) => refuse(
                Some(&id),
                "this request is neither of 2026-07-28 (no _meta with a protocol version) nor \
                 after a handshake: send `initialize` first",
            ),
            (Some(held), method) => Outcome::exchange(self.front.legacy(&held, id, method, params)),
        }
    }

    fn handshake(&self, id: &Raw, params: &Raw) -> Outcome {
        let session = match session_of(&self.arrival, params) {
            Ok(session) => session,
            Err(error) => return Outcome::refuse(200, Some(id), &error),
        };
        let exchange = self.front.initialized(&session, id.clone());
        let held = Held { session, live: Arc::clone(&self.live), streams: true, resumes: false };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Outcome::exchange(exchange)
    }

    fn one_way(&self, held: Option<Held>, message: &Message) {
        if let Message::Notification { method, params } = message {
            if method == notice::CANCELLED {
                let members = Members::read(params).ok();
                if let Some(id) = members.as_ref().and_then(|members| members.get("requestId")) {
                    self.live.cancel(id);
                }
                return;
            }
            if let (notice::INITIALIZED, Some(held)) = (method.as_str(), &held) {
                self.front.listen_to_lists(held, false);
            }
        }
        if let Some(held) = held {
            self.front.legacy_one_way(&held, message);
        }
    }

    /// The client is gone: all it had under way is cancelled.
    pub fn end(&self) {
        self.live.end();
    }
}

fn refuse(id: Option<&Raw>, text: &str) -> Outcome {
    Outcome::exchange(Exchange::ready(400, plain_error(id, text)))
}
