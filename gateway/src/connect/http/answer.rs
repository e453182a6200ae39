//! What comes back over HTTP: an answer, a stream, a refusal, or nothing at all.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use protocol::ErrorObject;
use protocol::envelope::{Body, Message};

use super::sse::{Splitter, SseEvent};
use crate::connect::pace::Pace;

/// Bytes read of the body of a refusal: enough for any error object of sense.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// Bytes of it that are looked at when it is no JSON-RPC error.
const REFUSAL_SHOWN_MAX: usize = 300;
/// The longest wait for the body of a refusal.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);
/// When a child says "later" as a date, which a gateway with another clock cannot trust.
const RETRY_LATER: Duration = Duration::from_secs(60);
/// The longest that a child may put us off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// An answer and the headers it came with.
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    pub(super) answer: Answer,
}

/// What came back.
pub(super) enum Answer {
    /// One JSON body.
    Json(Bytes),
    /// A stream of events.
    Events(Events),
    /// Success without a body.
    Empty,
    /// No success.
    Refused(Refusal),
}

/// An answer whose status is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// When the child wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// The JSON-RPC error in the body.
    pub(super) error: Option<ErrorObject>,
    /// How the body begins, to see what a child means that has its own way of saying it.
    pub(super) text: String,
    /// The host that a redirect points to.
    pub(super) host: Option<String>,
}

/// Why nothing of use came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// No byte of the request was written.
    Unsent { why: &'static str, log: String },
    /// The connection was lost after the request was written.
    Cut { log: String },
    /// What came is no answer.
    NoAnswer(String),
}

/// Reads the head of a response, and the body where it is not a stream.
pub(super) async fn receive(
    response: Response<Incoming>,
    bytes_max: usize,
) -> Result<Answered, Broken> {
    let (head, body) = response.into_parts();
    let (status, headers) = (head.status, head.headers);
    let answer = if !status.is_success() {
        Answer::Refused(refusal(status, &headers, body).await)
    } else if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT)
        || body.is_end_stream()
    {
        Answer::Empty
    } else {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or("none").split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            let bytes = read(body, bytes_max).await?;
            if bytes.is_empty() { Answer::Empty } else { Answer::Json(bytes) }
        } else if kind.eq_ignore_ascii_case("text/event-stream") {
            Answer::Events(Events::new(body, bytes_max))
        } else {
            return Err(Broken::NoAnswer(format!(
                "expected the content type application/json or text/event-stream, found {kind:.80}"
            )));
        }
    };
    Ok(Answered { headers, answer })
}

async fn refusal(status: StatusCode, headers: &HeaderMap, body: Incoming) -> Refusal {
    let retry_after = headers.get(RETRY_AFTER).map(|value| {
        let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        seconds.map_or(RETRY_LATER, Duration::from_secs).min(RETRY_AFTER_MAX)
    });
    let host = headers.get(LOCATION).filter(|_| status.is_redirection()).map(|value| {
        let uri = value.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
        uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_else(|| "its own".to_owned())
    });
    // Of these three nothing but the status counts.
    let mute = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || host.is_some();
    let reading = async { if mute { None } else { read(body, REFUSAL_BYTES_MAX).await.ok() } };
    let body = tokio::time::timeout(REFUSAL_WAIT, reading).await.ok().flatten().unwrap_or_default();
    let shown = body.get(..body.len().min(REFUSAL_SHOWN_MAX)).unwrap_or_default();
    let text = String::from_utf8_lossy(shown).into_owned();
    let error = match Body::read(body) {
        Ok(Body::One(Message::Response { outcome: Err(error), .. })) => Some(error),
        _ => None,
    };
    Refusal { status, retry_after, error, text, host }
}

async fn read(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Broken> {
    let too_long = || Broken::NoAnswer(format!("more than {bytes_max} bytes"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long());
    }
    let mut first = Bytes::new();
    let (mut rest, mut pace) = (BytesMut::new(), Pace::default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|fault| Broken::Cut { log: fault.to_string() })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        pace.long(data.len());
        pace.wait().await;
        if rest.is_empty() {
            let expected = usize::try_from(body.size_hint().lower()).unwrap_or_default();
            rest.reserve(data.len() + expected.min(bytes_max));
        }
        rest.extend_from_slice(&data);
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// The events of one response. Dropping it before the end closes the connection.
pub(super) struct Events {
    body: Incoming,
    splitter: Splitter,
    ready: VecDeque<SseEvent>,
    bytes_max: usize,
    pace: Pace,
}

impl Events {
    fn new(body: Incoming, bytes_max: usize) -> Self {
        let (splitter, ready) = (Splitter::new(bytes_max), VecDeque::new());
        Self { body, splitter, ready, bytes_max, pace: Pace::default() }
    }

    /// The next event; `None` at the orderly end. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Option<SseEvent>, Broken> {
        loop {
            self.pace.wait().await;
            if let Some(event) = self.ready.pop_front() {
                // One of them is what was asked for; at most the last.
                self.pace.unasked();
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|fault| Broken::Cut { log: fault.to_string() })?;
            let Ok(data) = frame.into_data() else { continue };
            self.pace.long(data.len());
            let before = self.ready.len();
            self.splitter.push(data, &mut self.ready).map_err(|_| {
                Broken::NoAnswer(format!("an event of more than {} bytes", self.bytes_max))
            })?;
            if self.ready.len() > before {
                self.pace.whole();
            }
        }
    }

    /// Reads on for a moment after the final response, so that the connection can be used again;
    /// a child that does not end its stream loses the connection instead.
    pub(super) async fn end(mut self) {
        const LINGER: Duration = Duration::from_secs(1);
        const FRAMES_MAX: usize = 8;
        let rest = async {
            for _ in 0..FRAMES_MAX {
                if self.body.frame().await.is_none() {
                    break;
                }
            }
        };
        // Either way the stream is dropped after this.
        let _in_time = tokio::time::timeout(LINGER, rest).await;
    }
}
