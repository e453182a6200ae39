//! Answers what a legacy child asks: none of it has a client that could be asked.

use std::sync::Arc;

use protocol::{ErrorObject, Raw, envelope, error};

use super::legacy::Legacy;
use super::session::Session;

/// Answers a request of the child, each with a POST of its own.
pub(super) fn answer(child: &Arc<Legacy>, session: &Session, id: Raw, method: &str) {
    let (code, text) = match method {
        "ping" => return send(child, session, envelope::result(&id, &Raw::default())),
        "roots/list" => (error::METHOD_NOT_FOUND, "roots were not declared"),
        "sampling/createMessage" | "elicitation/create" => {
            (error::INVALID_PARAMS, "that was not declared")
        }
        _ => (error::METHOD_NOT_FOUND, "unknown method"),
    };
    send(child, session, envelope::error(Some(&id), &ErrorObject::new(code, text)));
}

fn send(child: &Arc<Legacy>, session: &Session, body: bytes::Bytes) {
    let headers = session.headers(&child.client);
    let sender = Arc::clone(child);
    child.life.errand(async move {
        if let Err(broken) = sender.client.post(headers, body).await {
            tracing::debug!(?broken, "an answer did not reach the child that asked");
        }
    });
}
