//! The stream of a legacy child's own messages: list changes, updates of resources, pings.

use std::sync::Arc;

use http::StatusCode;
use protocol::envelope::Message;
use tokio::time::{Instant, sleep};

use super::answer::{Answer, Broken, Events};
use super::legacy::Legacy;
use super::questions::{self, On};
use super::resume::Resume;
use super::session::Session;
use super::wanted::messages;
use crate::connect::backoff::Backoff;

/// How it stands with the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Not yet known.
    Opening,
    /// Open now.
    Open,
    /// Was open, and is opened again.
    Broken,
    /// The child has none.
    Absent,
}

/// What came of one stream.
enum Came {
    /// It ended, or was not reached.
    End,
    /// The child forgot the session.
    Gone,
    /// The child has no stream.
    Nothing,
}

/// Keeps the stream open for as long as the child has one.
pub(super) async fn follow(child: Arc<Legacy>) {
    let mut sessions = child.session.subscribe();
    let mut backoff = Backoff::new();
    let mut resume = Resume::default();
    let mut again = false;
    let mut renewed = false;
    loop {
        let session = Arc::clone(&sessions.borrow_and_update());
        let came = tokio::select! {
            came = open(&child, &session, &mut resume, &mut again, &mut backoff) => Some(came),
            _ = sessions.changed() => None,
        };
        child.changes.closed();
        // A child that does not know the session it has just given out has no such stream at all.
        let absent =
            matches!(came, Some(Came::Nothing)) || renewed && matches!(came, Some(Came::Gone));
        if absent {
            child.stream.send_replace(Stream::Absent);
            return;
        }
        renewed = false;
        match came {
            Some(Came::Gone) => match child.renew(&session).await {
                Ok(_) => renewed = true,
                Err(fault) => tracing::debug!(fault.text, "a lost session is not renewed"),
            },
            Some(Came::End | Came::Nothing) => {}
            None => {
                resume.forget();
                continue;
            }
        }
        child.stream.send_if_modified(|stream| {
            let was_open = *stream == Stream::Open;
            if was_open {
                *stream = Stream::Broken;
            }
            was_open
        });
        let wait = backoff.wait().max(resume.asked_wait().unwrap_or_default());
        tokio::select! {
            () = sleep(wait) => {}
            _ = sessions.changed() => resume.forget(),
        }
    }
}

async fn open(
    child: &Arc<Legacy>,
    session: &Arc<Session>,
    resume: &mut Resume,
    again: &mut bool,
    backoff: &mut Backoff,
) -> Came {
    let mut headers = session.headers(&child.client);
    let place = resume.header();
    let resumed = place.is_some();
    headers.extend(place);
    let events = match child.client.get(headers).await.map(|answered| answered.answer) {
        Ok(Answer::Events(events)) => events,
        Ok(Answer::Refused(refusal)) if session.is_gone(&refusal) => return Came::Gone,
        Ok(Answer::Refused(refusal)) if !*again && is_absent(refusal.status) => {
            return Came::Nothing;
        }
        Err(Broken::NoAnswer(_)) | Ok(Answer::Json(_) | Answer::Empty) if !*again => {
            return Came::Nothing;
        }
        Err(Broken::NoAnswer(_)) | Ok(_) => {
            // There was a stream: what broke may be the place that we asked for.
            resume.forget();
            return Came::End;
        }
        Err(_) => return Came::End,
    };
    child.changes.opened(child.changes.advertised(), *again && !resumed);
    child.stream.send_replace(Stream::Open);
    if *again && !resumed {
        child.subscriptions.all_updated();
    }
    *again = true;
    let since = Instant::now();
    read(child, session, resume, events).await;
    if since.elapsed() >= Backoff::HEALTHY {
        backoff.reset();
    }
    Came::End
}

fn is_absent(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::NOT_FOUND
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_ACCEPTABLE
    )
}

async fn read(
    child: &Arc<Legacy>,
    session: &Arc<Session>,
    resume: &mut Resume,
    mut events: Events,
) {
    loop {
        let event = match events.next().await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(broken) => {
                tracing::debug!(?broken, "the stream of a remote child broke");
                return;
            }
        };
        resume.note(&event);
        if event.data.is_empty() || event.name.is_some_and(|name| name != "message") {
            continue;
        }
        // One bad message does not cost those that follow.
        for message in messages(event.data).unwrap_or_default() {
            match message {
                Message::Notification { method, params } => child.notice(&method, params),
                Message::Request { id, method, params } => {
                    questions::take(child, session, On::Standing, (id, &method, &params));
                }
                Message::Response { .. } => {}
            }
        }
    }
}
