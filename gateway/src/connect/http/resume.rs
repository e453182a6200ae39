//! Takes up a broken stream where it ended (digest 1.10, check 103).

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::time::sleep;

use super::answer::{Answer, Answered, Broken, Events};
use super::client::HttpClient;
use super::session::Session;
use super::sse::SseEvent;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Attempts at one place of a stream; each new event begins anew.
const ATTEMPTS_MAX: u32 = 5;
/// The wait when the child names none.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a child may ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Where a stream broke, and when to take it up.
#[derive(Debug, Default)]
pub(super) struct Resume {
    after: Option<HeaderValue>,
    wait: Option<Duration>,
    attempts: u32,
}

impl Resume {
    /// An event came.
    pub(super) fn note(&mut self, event: &SseEvent) {
        if let Some(id) = &event.id {
            self.after = HeaderValue::from_str(id).ok().filter(|id| !id.is_empty());
            self.attempts = 0;
        }
        if let Some(retry) = event.retry {
            self.wait = Some(Duration::from_millis(retry).min(WAIT_MAX));
        }
    }

    /// The wait that the child asked for.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        self.wait
    }

    /// The header that asks for what follows the last event.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        Some((LAST_EVENT_ID, self.after.clone()?))
    }

    /// Forgets the place: the stream began anew.
    pub(super) fn forget(&mut self) {
        self.after = None;
        self.attempts = 0;
    }

    /// The rest of the stream, after the wait that the child asked for; `None` when it cannot be
    /// taken up: it had no ids, or the child refuses.
    pub(super) async fn open(&mut self, client: &HttpClient, session: &Session) -> Option<Events> {
        while self.attempts < ATTEMPTS_MAX {
            let (name, after) = self.header()?;
            self.attempts += 1;
            sleep(self.wait.unwrap_or(WAIT)).await;
            let mut headers = session.headers(client);
            headers.insert(name, after);
            match client.get(headers).await {
                Ok(Answered { answer: Answer::Events(events), .. }) => return Some(events),
                Err(Broken::Unsent { .. } | Broken::Cut { .. }) => {}
                Ok(_) | Err(Broken::NoAnswer(_)) => return None,
            }
        }
        None
    }
}
