//! Bodies: reading one within its bound, writing whole ones and event streams.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming};

use crate::session::Event;

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why a body was not read.
pub(super) enum Unread {
    /// It is longer than allowed.
    TooLong,
    /// It did not come in time.
    TooLate,
    /// The client stopped sending.
    Broken,
}

/// Reads a whole body of at most `max` bytes; a longer one is not read to its end.
pub(super) async fn read(body: Incoming, max: usize) -> Result<Bytes, Unread> {
    let declared = hyper::body::Body::size_hint(&body).lower();
    if usize::try_from(declared).unwrap_or(usize::MAX) > max {
        return Err(Unread::TooLong);
    }
    match Limited::new(body, max).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(fault) if fault.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(_) => Err(Unread::Broken),
    }
}

/// An answer with this body.
pub fn full(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer without a body.
pub fn empty(status: u16) -> Response<Body> {
    let mut response = full(status, "application/json", Bytes::new());
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// A body of another kind with the same frames.
pub(super) fn boxed<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
{
    Tolerant(Box::pin(body)).boxed_unsync()
}

/// A body that ends where its source breaks: a broken body has no more to say.
struct Tolerant<B>(Pin<Box<B>>);

impl<B: hyper::body::Body<Data = Bytes>> hyper::body::Body for Tolerant<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.0.size_hint()
    }
}

/// An event stream whose events are `messages`.
pub(super) fn events(
    messages: impl futures_util::Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    use futures_util::StreamExt;
    let frames = messages.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let body = http_body_util::StreamBody::new(frames);
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // Proxies that buffer would hold notifications back (check 62).
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// One message as an event. A message is one JSON value; line ends inside it are only blanks
/// between tokens, so each line becomes a `data` line of the same event.
pub(super) fn event(message: &Bytes) -> Bytes {
    let mut out = BytesMut::with_capacity(message.len() + 24);
    write_message(&mut out, message);
    out.freeze()
}

/// When a client that was sent away comes back.
const RETRY_MS: u64 = 1000;

/// An event of a stream that can be taken up again. The first may have no message: then it says
/// where and when to come back.
pub(super) fn numbered(event: &Event) -> Bytes {
    let mut out = BytesMut::new();
    if let Some(id) = &event.id {
        out.put_slice(format!("id: {id}\n").as_bytes());
    }
    match &event.body {
        Some(message) => write_message(&mut out, message),
        None => out.put_slice(format!("retry: {RETRY_MS}\ndata: \n\n").as_bytes()),
    }
    out.freeze()
}

fn write_message(out: &mut BytesMut, message: &Bytes) {
    out.put_slice(b"event: message\n");
    for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_slice(b"\n");
    }
    out.put_slice(b"\n");
}

/// A comment, so that nothing in between takes the silence for the end.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b":\r\n\r\n");
