//! The MCP endpoints over HTTP: `/mcp` and `/mcp/<prefix>`, POST, GET and DELETE.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use protocol::{ErrorObject, envelope, error, header};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::body::{self, Body, Unread};
use super::guard::Guard;
use super::http::Service;
use crate::call::{Endpoint, Future, Principal};
use crate::session::{Arrival, Exchange, Front, Head, Outcome, Step};

/// How often a silent event stream says that it is alive.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// The longest wait for a whole request body.
const BODY_WAIT: Duration = Duration::from_secs(60);
/// The longest path that is looked at, in bytes.
const PATH_BYTES_MAX: usize = 256;

/// Tells whether there is an endpoint, and if not, which there are.
pub type Known = Arc<dyn Fn(&Endpoint) -> Result<(), String> + Send + Sync>;

/// Serves the MCP endpoints.
pub struct Mcp {
    /// Who takes the messages.
    pub front: Arc<Front>,
    /// Who is let in.
    pub guard: Guard,
    /// The longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Whether there is such an endpoint now; the text says which there are.
    pub known: Known,
}

impl Service for Mcp {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Future<'static, Response<Body>> {
        Box::pin(async move { self.route(request).await })
    }
}

impl Mcp {
    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        if let Err(text) = self.guard.check(request.headers()) {
            return refuse(403, error::INVALID_REQUEST, &text);
        }
        let Some(endpoint) = endpoint(request.uri().path()) else {
            let text = "there is nothing here; the endpoints are /mcp and /mcp/<prefix>";
            return refuse(404, error::INVALID_REQUEST, text);
        };
        if let Err(text) = (self.known)(&endpoint) {
            return refuse(404, error::INVALID_REQUEST, &text);
        }
        let arrival = Arrival {
            endpoint,
            principal: Principal::anonymous(),
            grant: Arc::default(),
            head: Some(head(request.headers())),
        };
        match *request.method() {
            Method::POST => self.post(&arrival, request).await,
            Method::GET => self.get(&arrival, request.headers()),
            Method::DELETE => not_allowed_as_such(body::empty(self.front.end_session(&arrival))),
            _ => not_allowed_as_such(body::empty(405)),
        }
    }

    async fn post(&self, arrival: &Arrival, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            let text = "Content-Type: expected application/json";
            return refuse(415, error::INVALID_REQUEST, text);
        }
        let read = timeout(BODY_WAIT, body::read(body, self.body_bytes_max)).await;
        let bytes = match read.unwrap_or(Err(Unread::TooLate)) {
            Ok(bytes) => bytes,
            Err(Unread::TooLate) => {
                let text = format!("the body did not come within {} s", BODY_WAIT.as_secs());
                return refuse(408, error::INVALID_REQUEST, &text);
            }
            Err(Unread::TooLong) => {
                let max = self.body_bytes_max;
                let text = format!("the body is longer than {max} bytes, which is the limit here");
                return refuse(413, error::INVALID_REQUEST, &text);
            }
            Err(Unread::Broken) => {
                return refuse(400, error::PARSE_ERROR, "the body ended early");
            }
        };
        let accepts = Accepts::read(&parts.headers);
        match self.front.post(arrival, bytes) {
            Outcome::Accepted => body::empty(202),
            Outcome::Answered { session, exchange } => {
                let mut response = respond(exchange, accepts).await;
                let id = session.and_then(|id| HeaderValue::try_from(id).ok());
                if let Some(id) = id {
                    response.headers_mut().insert(header::SESSION, id);
                }
                response
            }
        }
    }

    fn get(&self, arrival: &Arrival, headers: &HeaderMap) -> Response<Body> {
        if !Accepts::read(headers).events {
            let text = "Accept: expected text/event-stream";
            return refuse(406, error::INVALID_REQUEST, text);
        }
        match self.front.open_stream(arrival) {
            Err((status, body)) => {
                not_allowed_as_such(body::full(status, "application/json", body))
            }
            Ok(stream) => {
                let first = Some(body::KEEP_ALIVE);
                let state = (stream, first, ticks());
                body::events(stream::unfold(state, |(mut stream, first, mut ticks)| async move {
                    if let Some(first) = first {
                        return Some((first, (stream, None, ticks)));
                    }
                    let next = tokio::select! {
                        message = stream.next() => body::event(&message?),
                        _ = ticks.tick() => body::KEEP_ALIVE,
                    };
                    Some((next, (stream, None, ticks)))
                }))
            }
        }
    }
}

/// One JSON body when the answer is all there is, else an event stream.
async fn respond(mut exchange: Exchange, accepts: Accepts) -> Response<Body> {
    if !accepts.events {
        return whole(exchange).await;
    }
    let first = match exchange.is_batch() {
        true => None,
        false => match exchange.next().await {
            Some(Step::Last { status, body }) if accepts.json || status != 200 => {
                return body::full(status, "application/json", body);
            }
            Some(step) => Some(step),
            // Cancelled: the stream ends without an answer.
            None => return body::events(stream::empty()),
        },
    };
    let state = (Some(exchange), first, ticks());
    body::events(stream::unfold(state, |(exchange, first, mut ticks)| async move {
        let mut exchange = exchange?;
        let step = match first {
            Some(step) => Some(step),
            None => tokio::select! {
                step = exchange.next() => step,
                _ = ticks.tick() => {
                    return Some((body::KEEP_ALIVE, (Some(exchange), None, ticks)));
                }
            },
        };
        match step? {
            Step::Notice(message) => Some((body::event(&message), (Some(exchange), None, ticks))),
            Step::Last { body, .. } => {
                let rest = exchange.is_batch().then_some(exchange);
                Some((body::event(&body), (rest, None, ticks)))
            }
        }
    }))
}

/// The answer without what comes before it; those of a batch in one array.
async fn whole(mut exchange: Exchange) -> Response<Body> {
    let mut answers = Vec::new();
    while let Some(step) = exchange.next().await {
        match step {
            Step::Notice(_) => {}
            Step::Last { body, .. } if exchange.is_batch() => answers.push(body),
            Step::Last { status, body } => return body::full(status, "application/json", body),
        }
    }
    match answers.is_empty() {
        true => body::empty(202),
        false => {
            let array = [&b"["[..], &answers.join(&b','), b"]"].concat();
            body::full(200, "application/json", array)
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(KEEP_ALIVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

/// What the client takes; everything when it does not say.
#[derive(Clone, Copy)]
struct Accepts {
    json: bool,
    events: bool,
}

impl Accepts {
    fn read(headers: &HeaderMap) -> Self {
        let mut accepts = Self { json: false, events: false };
        let mut said = false;
        for value in headers.get_all(ACCEPT) {
            for kind in value.to_str().unwrap_or_default().split(',') {
                let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                said |= !kind.is_empty();
                accepts.json |= matches!(kind.as_str(), "application/json" | "application/*");
                accepts.events |= matches!(kind.as_str(), "text/event-stream" | "text/*");
                if kind == "*/*" {
                    accepts = Self { json: true, events: true };
                }
            }
        }
        if said { accepts } else { Self { json: true, events: true } }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn endpoint(path: &str) -> Option<Endpoint> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let rest = path.strip_prefix("/mcp")?;
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        return Some(Endpoint::Merged);
    }
    let prefix = rest.strip_prefix('/')?;
    let prefix = percent_decode_str(prefix).decode_utf8().ok()?;
    (!prefix.contains('/')).then(|| Endpoint::Mount(prefix.as_ref().into()))
}

fn head(headers: &HeaderMap) -> Head {
    let text = |name: &str| {
        let value = headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let params = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(header::PARAM_PREFIX)?;
        Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    Head {
        version: text(header::VERSION),
        method: text(header::METHOD),
        name: text(header::NAME),
        session: text(header::SESSION),
        no_stream: !Accepts::read(headers).events,
        params: params.collect(),
    }
}

fn refuse(status: u16, code: i64, text: &str) -> Response<Body> {
    let body: Bytes = envelope::error(None, &ErrorObject::new(code, text));
    not_allowed_as_such(body::full(status, "application/json", body))
}

/// A 405 says what is allowed.
fn not_allowed_as_such(mut response: Response<Body>) -> Response<Body> {
    if response.status() == http::StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    }
    response
}
