//! The MCP endpoints over HTTP: `/mcp` and `/mcp/<prefix>`, POST, GET and DELETE.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use protocol::{ErrorObject, envelope, error, header};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tower_http::cors::CorsLayer;

use super::body::{self, Body, Unread};
use super::cors;
use super::guard::Guard;
use super::http::{Ground, Service};
use super::sse::{self, Sse};
use super::websocket;
use crate::call::{Endpoint, Future, Principal};
use crate::session::{Arrival, Exchange, Front, Head, Opened, Outcome, Step};

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
    /// The two endpoints of 2024-11-05, where they are switched on.
    pub sse: Option<Sse>,
}

impl Service for Mcp {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Future<'static, Response<Body>> {
        Box::pin(async move { self.route(request).await })
    }

    fn cors(&self) -> CorsLayer {
        cors::for_pages(&self.guard)
    }
}

impl Mcp {
    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        if let Err(text) = self.guard.check(request.headers()) {
            return refuse(403, error::INVALID_REQUEST, &text);
        }
        let principal = Principal::anonymous();
        let path = request.uri().path();
        if let Some(sse) = self.sse.as_ref().filter(|_| path == sse::POST_PATH) {
            return sse.post(&principal, request, self.body_bytes_max).await;
        }
        let paired = endpoint_below(sse::STREAM_PATH, path).zip(self.sse.as_ref());
        let at_mcp = endpoint_below("/mcp", path);
        let found = paired.as_ref().map(|(endpoint, _)| endpoint).or(at_mcp.as_ref());
        let Some(endpoint) = found.cloned() else {
            let text = "there is nothing here; the endpoints are /mcp and /mcp/<prefix>";
            return refuse(404, error::INVALID_REQUEST, text);
        };
        if let Err(text) = (self.known)(&endpoint) {
            return refuse(404, error::INVALID_REQUEST, &text);
        }
        let grant = Arc::default();
        if let Some((_, sse)) = paired {
            let arrival = Arrival { endpoint, principal, grant, head: None };
            let stop = ground(&request).map(|ground| ground.stop).unwrap_or_default();
            return sse.stream(&self.front, arrival, &request, stop);
        }
        if websocket::is_wanted(request.headers()) {
            return self.upgrade(Arrival { endpoint, principal, grant, head: None }, request);
        }
        let head = Some(head(request.headers()));
        let arrival = Arrival { endpoint, principal, grant, head };
        match *request.method() {
            Method::POST => self.post(&arrival, request).await,
            Method::GET => self.get(&arrival, request.headers()),
            Method::DELETE => {
                not_allowed_as_such(body::empty(self.front.end_session(&arrival).await))
            }
            _ => not_allowed_as_such(body::empty(405)),
        }
    }

    /// Makes a WebSocket of the connection.
    fn upgrade(&self, arrival: Arrival, mut request: Request<Incoming>) -> Response<Body> {
        let Some(ground) = ground(&request) else {
            let text = "this connection cannot become a WebSocket";
            return refuse(426, error::INVALID_REQUEST, text);
        };
        match websocket::agree(&mut request) {
            Ok((upgrade, answer)) => {
                let (front, max) = (Arc::clone(&self.front), self.body_bytes_max);
                let tasks = ground.tasks.clone();
                // The tracker of the listener owns it, and its stop ends it.
                drop(tasks.spawn(websocket::serve(upgrade, front, arrival, max, ground)));
                answer
            }
            Err(refusal) => *refusal,
        }
    }

    async fn post(&self, arrival: &Arrival, request: Request<Incoming>) -> Response<Body> {
        let (parts, bytes) = match message(request, self.body_bytes_max).await {
            Ok(message) => message,
            Err(refusal) => return *refusal,
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
            Ok(Opened::Answer(exchange)) => body::events(steps(exchange, None)),
            Ok(Opened::Standing(stream)) => {
                let first = Some(body::KEEP_ALIVE);
                let state = (stream, first, ticks());
                body::events(stream::unfold(state, |(mut stream, first, mut ticks)| async move {
                    if let Some(first) = first {
                        return Some((first, (stream, None, ticks)));
                    }
                    let next = tokio::select! {
                        event = stream.next() => body::numbered(&event?),
                        _ = ticks.tick() => body::KEEP_ALIVE,
                    };
                    Some((next, (stream, None, ticks)))
                }))
            }
        }
    }
}

/// What the connection of a request stands on.
fn ground(request: &Request<Incoming>) -> Option<Ground> {
    request.extensions().get::<Ground>().cloned()
}

/// Reads the message that a request brings.
///
/// # Errors
/// The answer that says why there is none.
pub(super) async fn message(
    request: Request<Incoming>,
    bytes_max: usize,
) -> Result<(Parts, Bytes), Box<Response<Body>>> {
    let (parts, body) = request.into_parts();
    let refuse = |status, text: &str| {
        let code = if status == 400 { error::PARSE_ERROR } else { error::INVALID_REQUEST };
        Err(Box::new(refuse(status, code, text)))
    };
    if !is_json(&parts.headers) {
        return refuse(415, "Content-Type: expected application/json");
    }
    let read = timeout(BODY_WAIT, body::read(body, bytes_max)).await;
    match read.unwrap_or(Err(Unread::TooLate)) {
        Ok(bytes) => Ok((parts, bytes)),
        Err(Unread::TooLate) => {
            refuse(408, &format!("the body did not come within {} s", BODY_WAIT.as_secs()))
        }
        Err(Unread::TooLong) => {
            let text =
                format!("the body is longer than {bytes_max} bytes, which is the limit here");
            refuse(413, &text)
        }
        Err(Unread::Broken) => refuse(400, "the body ended early"),
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
    body::events(steps(exchange, first))
}

/// What comes of a request as events, `first` before the rest.
fn steps(
    exchange: Exchange,
    first: Option<Step>,
) -> impl futures_util::Stream<Item = Bytes> + Send + 'static {
    let state = (Some(exchange), first, ticks());
    stream::unfold(state, |(exchange, first, mut ticks)| async move {
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
            Step::Event(event) => Some((body::numbered(&event), (Some(exchange), None, ticks))),
            Step::Last { body, .. } => {
                let rest = exchange.is_batch().then_some(exchange);
                Some((body::event(&body), (rest, None, ticks)))
            }
        }
    })
}

/// The answer without what comes before it; those of a batch in one array.
async fn whole(mut exchange: Exchange) -> Response<Body> {
    let mut answers = Vec::new();
    while let Some(step) = exchange.next().await {
        match step {
            Step::Notice(_) | Step::Event(_) => {}
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

pub(super) fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(KEEP_ALIVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

/// What the client takes; everything when it does not say.
#[derive(Clone, Copy)]
pub(super) struct Accepts {
    json: bool,
    pub(super) events: bool,
}

impl Accepts {
    pub(super) fn read(headers: &HeaderMap) -> Self {
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

/// The endpoint of a path at or below `root`.
fn endpoint_below(root: &str, path: &str) -> Option<Endpoint> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let rest = path.strip_prefix(root)?;
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
        last_event: text("last-event-id"),
        no_stream: !Accepts::read(headers).events,
        params: params.collect(),
    }
}

pub(super) fn refuse(status: u16, code: i64, text: &str) -> Response<Body> {
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
