//! Hears of a modern child's list changes: one listen of our own, opened anew when it drops.

use std::ops::ControlFlow::Continue;
use std::sync::Arc;

use protocol::envelope::Message;
use protocol::method::notice;
use protocol::{Method, error, json};
use tokio::time::{Instant, sleep};

use super::changes::Changes;
use super::life::Backoff;
use super::modern::{Modern, heard};
use super::wanted::Ended;
use crate::call::{Call, Caller};

/// Listens until the child says that it has no listen.
pub(super) async fn hear(child: Arc<Modern>) {
    let mut backoff = Backoff::new();
    let mut again = false;
    while listen(&child, &mut again, &mut backoff).await {
        child.changes.closed();
        sleep(backoff.wait()).await;
    }
    child.changes.closed();
}

/// One listen to its end; whether another makes sense.
async fn listen(child: &Modern, again: &mut bool, backoff: &mut Backoff) -> bool {
    let Modern { requests, changes, life } = child;
    let params = json::ObjectWriter::new().raw("notifications", &changes.filter()).finish();
    let call = Call::own(Method::Listen, params, Caller::gateway());
    let mut since = None;
    let told = |message: Message| {
        let Some((method, params)) = heard(message) else { return Continue(()) };
        if method == notice::ACKNOWLEDGED {
            changes.opened(Changes::honoured(&params), *again);
            *again = true;
            since = Some(Instant::now());
        } else {
            changes.notice(&method);
        }
        Continue(())
    };
    let ended = requests.ask(&call, life, told).await;
    if since.is_some_and(|since| since.elapsed() >= Backoff::HEALTHY) {
        backoff.reset();
    }
    let error = match &ended {
        Ok(Ok(Ended::Answered(Err(error)))) => Some(error),
        Ok(Ok(Ended::Refused(refusal))) => refusal.error.as_ref(),
        _ => None,
    };
    error.is_none_or(|error| error.code != error::METHOD_NOT_FOUND)
}
