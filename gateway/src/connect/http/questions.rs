//! Takes what a legacy child asks, and answers each with a POST of its own.

use std::sync::Arc;

use protocol::question::Question;
use protocol::{ErrorObject, Raw, envelope, error};

use super::legacy::Legacy;
use super::session::Session;
use crate::connect::asking::{Asked, Voice};

/// Takes a request of the child: in the call that `voice` leads to, or wherever it belongs.
pub(super) fn take(
    child: &Arc<Legacy>,
    session: &Arc<Session>,
    voice: Option<&Voice>,
    (id, method, params): (Raw, &str, &Raw),
) {
    let Some(question) = Question::read(method) else {
        let answer = match method {
            "ping" => Ok(Raw::default()),
            _ => Err(ErrorObject::new(error::METHOD_NOT_FOUND, "unknown method")),
        };
        return answer_with(child, session, &id, &answer);
    };
    let (asker, within, asked_as) = (Arc::downgrade(child), Arc::clone(session), id.clone());
    let asked = Asked::new(id, question, params, move |answer| {
        if let Some(child) = asker.upgrade() {
            answer_with(&child, &within, &asked_as, &answer);
        }
    });
    match voice {
        Some(voice) => voice.ask(asked),
        None => child.calls.ask(asked),
    }
}

fn answer_with(
    child: &Arc<Legacy>,
    session: &Session,
    id: &Raw,
    answer: &Result<Raw, ErrorObject>,
) {
    let body = match answer {
        Ok(result) => envelope::result(id, result),
        Err(error) => envelope::error(Some(id), error),
    };
    let headers = session.headers(&child.client);
    let sender = Arc::clone(child);
    child.life.errand(async move {
        if let Err(broken) = sender.client.post(headers, body).await {
            tracing::debug!(?broken, "an answer did not reach the child that asked");
        }
    });
}
