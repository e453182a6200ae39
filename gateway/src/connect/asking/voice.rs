//! The way from a child to one of its open calls: its questions, and answers that are lost to it.

use protocol::question::Question;
use protocol::{Raw, error};
use tokio::sync::mpsc;

use super::asked::Asked;
use super::talk::QUESTIONS_MAX;
use crate::call::{Fault, Kind};

/// Questions of one call, and what was taken back of them, that wait to be looked at: all that a
/// call may ask, and the one that is too much.
const EVENTS_QUEUED_MAX: usize = 2 * (QUESTIONS_MAX + 1);
/// Of the answers that did not reach the child the first ends the call.
const UNDELIVERED_QUEUED_MAX: usize = 1;

/// What a child does about a call beside answering it.
pub(super) enum Event {
    Asked(Asked),
    /// The child took back the question that it called so.
    Withdrawn(Raw),
}

/// The way from a child to one of its open calls.
#[derive(Clone)]
pub(in crate::connect) struct Voice {
    events: mpsc::Sender<Event>,
    undelivered: mpsc::Sender<Fault>,
}

/// The end of it at the call.
pub(super) struct Heard {
    pub(super) events: mpsc::Receiver<Event>,
    /// Why the child waits for an answer that it does not get.
    pub(super) undelivered: mpsc::Receiver<Fault>,
}

impl Voice {
    /// The way to a new call.
    pub(super) fn open() -> (Self, Heard) {
        let (to_events, events) = mpsc::channel(EVENTS_QUEUED_MAX);
        let (to_undelivered, undelivered) = mpsc::channel(UNDELIVERED_QUEUED_MAX);
        (Self { events: to_events, undelivered: to_undelivered }, Heard { events, undelivered })
    }

    /// The child asks in this call.
    pub(in crate::connect) fn ask(&self, mut asked: Asked) {
        asked.within(Delivery::of(asked.question(), self));
        if let Err(full) = self.events.try_send(Event::Asked(asked))
            && let Event::Asked(asked) = full.into_inner()
        {
            let method = asked.question().as_str();
            tracing::warn!(target: "child", method, "a question found no room and is refused");
            asked.refuse(error::INVALID_PARAMS, "this call has asked too much at once");
        }
    }

    /// The child takes back the question that it called `id`.
    pub(in crate::connect) fn withdraw(&self, id: &Raw) {
        if self.events.try_send(Event::Withdrawn(id.clone())).is_err() {
            tracing::debug!(target: "child", "what is taken back found no room");
        }
    }
}

/// An answer on its way to the child, and who hears that it did not get there: a child that waits
/// for it may wait for ever, and with it the call.
#[derive(Clone)]
pub(in crate::connect) struct Delivery {
    question: Question,
    /// The call that it was asked in, if it was asked in one.
    call: Option<mpsc::Sender<Fault>>,
}

impl Delivery {
    /// Of the answer to a question in no call.
    pub(super) fn aside(question: Question) -> Self {
        Self { question, call: None }
    }

    /// Of the answer to a question in the call that this leads to.
    fn of(question: Question, voice: &Voice) -> Self {
        Self { question, call: Some(voice.undelivered.clone()) }
    }

    /// The child certainly does not get it.
    pub(in crate::connect) fn failed(&self, why: &str) {
        let method = self.question.as_str();
        tracing::warn!(target: "child", method, why, "an answer did not reach who asked");
        let Some(call) = &self.call else { return };
        let text = format!(
            "the server asks {method} in this call, and the answer did not reach it: {why}. The \
             call was cancelled and may have had effects: look before you call again"
        );
        // The call may be over, or has heard of another answer.
        let _heard = call.try_send(Fault::new(Kind::Unanswered, text));
    }
}

#[cfg(test)]
impl Delivery {
    /// One, and what its call hears.
    pub(in crate::connect) fn heard() -> (Self, mpsc::Receiver<Fault>) {
        let (voice, heard) = Voice::open();
        (Self::of(Question::Elicitation, &voice), heard.undelivered)
    }
}
