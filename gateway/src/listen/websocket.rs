//! The endpoints over WebSocket: the subprotocol `mcp`, one message a text frame, both eras.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::body::{self, Body};
use super::channel::{Channel, MESSAGES_QUEUED_MAX};
use super::http::Ground;
use super::mcp::refuse;
use crate::session::{Arrival, Front};

/// The subprotocol by which both ends know that MCP is spoken.
const SUBPROTOCOL: &str = "mcp";
/// How often a client is asked for a sign of life; proxies cut what is silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long nothing at all may come, pongs included: two pings went unanswered.
const SILENCE_MAX: Duration = Duration::from_secs(65);
/// What is asked of the kernel at once.
const READ_BYTES: usize = 16 << 10;
/// How long what is under way is waited for after the client closed its side in order.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(1);
/// How long the farewell may take.
const FAREWELL_WAIT: Duration = Duration::from_secs(5);

/// Whether a request asks for a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE.as_str(), "websocket")
}

/// Whether a header that is a list has this element, in any case.
fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// Agrees to a WebSocket: what it becomes, and the answer that says so.
///
/// # Errors
/// The answer that says why not.
pub(super) fn agree(
    request: &mut Request<Incoming>,
) -> Result<(OnUpgrade, Response<Body>), Box<Response<Body>>> {
    let headers = request.headers();
    let bad = |text: &str| Box::new(refuse(400, error::INVALID_REQUEST, text));
    if *request.method() != Method::GET || !has_token(headers, CONNECTION.as_str(), "upgrade") {
        return Err(bad("a WebSocket begins with GET and `Connection: Upgrade`"));
    }
    if !has_token(headers, SEC_WEBSOCKET_VERSION.as_str(), "13") {
        let mut answer = refuse(426, error::INVALID_REQUEST, "Sec-WebSocket-Version: expected 13");
        answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(answer));
    }
    if !has_token(headers, SEC_WEBSOCKET_PROTOCOL.as_str(), SUBPROTOCOL) {
        return Err(bad("Sec-WebSocket-Protocol: expected mcp among the subprotocols"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| !key.is_empty());
    let accept = key.map(|key| derive_accept_key(key.as_bytes()));
    let accept = accept.and_then(|accept| HeaderValue::try_from(accept).ok());
    let accept = accept.ok_or_else(|| bad("Sec-WebSocket-Key: missing"))?;
    let mut answer = body::empty(101);
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok((hyper::upgrade::on(request), answer))
}

/// Serves one client until it leaves, falls silent, or the gateway stops.
pub(super) async fn serve(
    upgrade: OnUpgrade,
    front: Arc<Front>,
    arrival: Arrival,
    bytes_max: usize,
    ground: Ground,
) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(fault) => return tracing::debug!(%fault, "a WebSocket did not come about"),
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .max_message_size(Some(bytes_max))
        .max_frame_size(Some(bytes_max));
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    let (sink, stream) = socket.split();
    let (channel, queue) = Channel::open(front, arrival);
    let (bye, farewell) = oneshot::channel();
    let mut writing = tokio::spawn(write(queue, sink, farewell));
    let (close, wait) = tokio::select! {
        close = read(&channel, stream, bytes_max) => (close, LAST_ANSWERS_WAIT),
        () = ground.stop.cancelled() => {
            (farewell_of(CloseCode::Away, "the gateway stops"), ground.drain)
        }
        // What writes has ended first: the client takes nothing any more.
        _ended = &mut writing => (None, Duration::ZERO),
    };
    channel.end(wait).await;
    // Nobody takes it where the writing has ended.
    let _written = bye.send(close);
    if !writing.is_finished() && timeout(FAREWELL_WAIT, &mut writing).await.is_err() {
        writing.abort();
    }
}

fn farewell_of(code: CloseCode, reason: &'static str) -> Option<CloseFrame> {
    Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
}

/// Takes messages until there are no more; how to say goodbye.
async fn read(
    channel: &Channel,
    stream: impl futures_util::Stream<Item = Result<Message, Error>>,
    bytes_max: usize,
) -> Option<CloseFrame> {
    let mut stream = pin!(stream);
    loop {
        let place = channel.place().await;
        let Ok(next) = timeout(SILENCE_MAX, stream.next()).await else {
            return farewell_of(CloseCode::Policy, "no sign of life");
        };
        match next {
            Some(Ok(Message::Text(text))) => channel.take(place, Bytes::from(text)),
            Some(Ok(Message::Binary(_))) => {
                let text = "a message is a text frame; this one is binary";
                channel.refuse(place, text.to_owned());
            }
            // A ping is answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                // Its rest cannot be skipped: see decision 0008.
                let text = format!("the message is longer than {bytes_max} bytes");
                channel.refuse(place, text);
                return farewell_of(CloseCode::Size, "longer than body_bytes_max");
            }
            Some(Err(Error::Utf8(_))) => return farewell_of(CloseCode::Invalid, "no UTF-8"),
            Some(Err(fault)) => {
                tracing::debug!(%fault, "a WebSocket broke");
                return None;
            }
            Some(Ok(Message::Close(_))) | None => return None,
        }
    }
}

/// Writes what is queued, and pings; at the end of the queue the farewell.
async fn write(
    mut queue: mpsc::Receiver<Bytes>,
    sink: impl Sink<Message, Error = Error>,
    farewell: oneshot::Receiver<Option<CloseFrame>>,
) {
    let mut sink = pin!(sink);
    let mut batch = Vec::new();
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut batch, MESSAGES_QUEUED_MAX) => taken,
            _ = pings.tick() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        if taken == 0 {
            break;
        }
        for message in batch.drain(..) {
            let Ok(text) = Utf8Bytes::try_from(message) else { continue };
            if sink.feed(Message::Text(text)).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    // The connection may be gone already, and then needs no farewell.
    if let Ok(close @ Some(_)) = farewell.await {
        let _gone = sink.send(Message::Close(close)).await;
    }
    let _gone = sink.close().await;
}
