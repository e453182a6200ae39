//! The one response that a request over HTTP waits for, among all that comes with it.

use std::ops::ControlFlow;

use bytes::Bytes;
use protocol::envelope::{Body, Message};
use protocol::{ErrorObject, Raw};

use super::answer::{Answer, Broken, Refusal};
use super::life::Life;

/// What a response carries.
pub(super) type Outcome = Result<Raw, ErrorObject>;

/// The one response that a request waits for.
#[derive(Debug)]
pub(super) struct Wanted {
    id: String,
    /// A response with another id. Some servers lose the id; the body still belongs to this
    /// request, so it counts when no better one comes.
    stray: Option<Outcome>,
}

impl Wanted {
    pub(super) fn new(id: u64) -> Self {
        Self { id: id.to_string(), stray: None }
    }

    /// The id on the wire.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Takes a response; the outcome when it is the one.
    pub(super) fn take(
        &mut self,
        id: Option<&Raw>,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, Broken> {
        match id {
            Some(id) if id.as_str() == self.id => Ok(Some(outcome)),
            None if outcome.is_err() => Ok(Some(outcome)),
            // A number that is not this request's is another's: it must not answer this one.
            Some(id) if id.as_str().parse::<u64>().is_ok() => Ok(None),
            _ if self.stray.is_none() => {
                self.stray = Some(outcome);
                Ok(None)
            }
            _ => {
                let text = "several responses, none with the id of the request";
                Err(Broken::NoAnswer(text.to_owned()))
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) -> Result<Outcome, Broken> {
        let log = "the answer ended without a response to the request".to_owned();
        self.stray.take().ok_or(Broken::Cut { log })
    }

    /// Whether a response came, though with another id.
    pub(super) fn has_stray(&self) -> bool {
        self.stray.is_some()
    }
}

/// How a request ended.
pub(super) enum Ended {
    /// With a response.
    Answered(Outcome),
    /// With a status that is no success.
    Refused(Refusal),
    /// Because who was told wanted no more.
    Left,
}

/// The messages of a body or an event; a batch is what only `2025-03-26` sends.
pub(super) fn messages(data: Bytes) -> Result<Vec<Message>, Broken> {
    let malformed = |text: String| Broken::NoAnswer(text);
    match Body::read(data).map_err(|fault| malformed(fault.error.message))? {
        Body::One(message) => Ok(vec![message]),
        Body::Batch(list) => list
            .into_iter()
            .map(|message| message.map_err(|fault| malformed(fault.error.message)))
            .collect(),
    }
}

/// Reads an answer to its response; what else comes with it is `told`.
pub(super) async fn ended(
    answer: Answer,
    mut wanted: Wanted,
    life: &Life,
    mut told: impl FnMut(Message) -> ControlFlow<()> + Send,
) -> Result<Ended, Broken> {
    let mut events = match answer {
        Answer::Json(bytes) => {
            for message in messages(bytes)? {
                if let Message::Response { id, outcome } = message
                    && let Some(outcome) = wanted.take(id.as_ref(), outcome)?
                {
                    return Ok(Ended::Answered(outcome));
                }
            }
            return match wanted.end() {
                Ok(outcome) => Ok(Ended::Answered(outcome)),
                Err(_) => Err(Broken::NoAnswer("the body has no response".to_owned())),
            };
        }
        Answer::Events(events) => events,
        Answer::Refused(refusal) => return Ok(Ended::Refused(refusal)),
        Answer::Empty => return Err(Broken::NoAnswer("an empty body".to_owned())),
    };
    loop {
        let event = match events.next().await {
            Ok(Some(event)) => event,
            Ok(None) => return wanted.end().map(Ended::Answered),
            Err(broken) if wanted.has_stray() => {
                return wanted.end().map(Ended::Answered).map_err(|_| broken);
            }
            Err(broken) => return Err(broken),
        };
        if event.data.is_empty() || event.name.is_some_and(|name| name != "message") {
            continue;
        }
        for message in messages(event.data)? {
            match message {
                Message::Response { id, outcome } => {
                    if let Some(outcome) = wanted.take(id.as_ref(), outcome)? {
                        life.linger(events.end());
                        return Ok(Ended::Answered(outcome));
                    }
                }
                other => {
                    if told(other).is_break() {
                        return Ok(Ended::Left);
                    }
                }
            }
        }
    }
}
