//! Takes what a legacy child asks, and answers each with a POST of its own.

use std::sync::Arc;

use protocol::question::Question;
use protocol::{ErrorObject, Raw, envelope, error};

use super::deliver::deliver;
use super::legacy::Legacy;
use super::session::Session;
use crate::connect::asking::{Asked, Channel, Delivery, Voice};

/// Where a question of the child came.
#[derive(Clone, Copy)]
pub(super) enum On<'a> {
    /// On the stream of the call that this leads to.
    Call(&'a Voice),
    /// On the stream of a request of the gateway's own.
    Own,
    /// On the standing stream.
    Standing,
}

/// Takes a request of the child: in the call on whose stream it came, or wherever it belongs.
pub(super) fn take(
    child: &Arc<Legacy>,
    session: &Arc<Session>,
    on: On<'_>,
    (id, method, params): (Raw, &str, &Raw),
) {
    let Some(question) = Question::read(method) else {
        let answer = match method {
            "ping" => Ok(Raw::default()),
            _ => Err(ErrorObject::new(error::METHOD_NOT_FOUND, "unknown method")),
        };
        return answer_with(child, session, (&id, &answer), None);
    };
    let (asker, within, asked_as) = (Arc::downgrade(child), Arc::clone(session), id.clone());
    let asked = Asked::new(id, question, params, move |answer, delivery| {
        if let Some(child) = asker.upgrade() {
            answer_with(&child, &within, (&asked_as, &answer), Some(delivery));
        }
    });
    match on {
        On::Call(voice) => voice.ask(asked),
        On::Own => child.calls.ask_in_own(asked),
        On::Standing => child.calls.ask(asked, Channel::Aside),
    }
}

fn answer_with(
    child: &Arc<Legacy>,
    session: &Session,
    (id, answer): (&Raw, &Result<Raw, ErrorObject>),
    delivery: Option<Delivery>,
) {
    let body = match answer {
        Ok(result) => envelope::result(id, result),
        Err(error) => envelope::error(Some(id), error),
    };
    let headers = session.headers(&child.client);
    let (sender, concerns) = (Arc::clone(child), delivery.clone());
    let is_sent = child.life.errand(async move {
        let post = || sender.client.post(headers.clone(), body.clone());
        deliver(post, concerns.as_ref()).await;
    });
    if let Some(delivery) = delivery.filter(|_| !is_sent) {
        delivery.failed("too much else is on its way to it");
    }
}
