//! The two endpoints of 2024-11-05 (HTTP+SSE): a stream that names where to post, and that place.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use dashmap::DashMap;
use futures_util::stream;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use protocol::error;
use rand::RngCore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::body::{self, Body};
use super::channel::Channel;
use super::mcp::{Accepts, message, refuse, ticks};
use crate::call::Principal;
use crate::session::{Arrival, Front};

/// Bytes of an id of a stream: nobody guesses one.
const ID_BYTES: usize = 32;
/// Where the streams are: below it, one for each mount.
pub(super) const STREAM_PATH: &str = "/sse";
/// Where messages are posted.
pub(super) const POST_PATH: &str = "/messages";

/// The streams that are open, by their ids. Each holds a connection, which is what bounds them.
#[derive(Default)]
pub struct Sse {
    open: Arc<DashMap<String, Arc<Open>>>,
}

struct Open {
    channel: Channel,
    principal: Principal,
}

/// A stream's entry, which goes with it.
struct Entry {
    all: Arc<DashMap<String, Arc<Open>>>,
    id: String,
    open: Arc<Open>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The channel ends with its last holder: a post that is being read is the only other.
        self.all.remove(&self.id);
    }
}

impl Sse {
    /// Opens a stream for a client.
    pub(super) fn stream(
        &self,
        front: &Arc<Front>,
        arrival: Arrival,
        request: &Request<Incoming>,
        stop: CancellationToken,
    ) -> Response<Body> {
        if *request.method() != Method::GET {
            return refuse(405, error::INVALID_REQUEST, "GET opens the stream");
        }
        if !Accepts::read(request.headers()).events {
            return refuse(406, error::INVALID_REQUEST, "Accept: expected text/event-stream");
        }
        let mut id = [0; ID_BYTES];
        rand::rng().fill_bytes(&mut id);
        let id = URL_SAFE_NO_PAD.encode(id);
        let principal = arrival.principal.clone();
        let (channel, queue) = Channel::open(Arc::clone(front), arrival);
        let open = Arc::new(Open { channel, principal });
        self.open.insert(id.clone(), Arc::clone(&open));
        let first = Bytes::from(format!("event: endpoint\ndata: {POST_PATH}?session={id}\n\n"));
        let entry = Entry { all: Arc::clone(&self.open), id, open };
        events(first, entry, queue, stop)
    }

    /// Takes a message for the stream that the query names; its answer comes on that stream.
    pub(super) async fn post(
        &self,
        principal: &Principal,
        request: Request<Incoming>,
        bytes_max: usize,
    ) -> Response<Body> {
        if *request.method() != Method::POST {
            return refuse(405, error::INVALID_REQUEST, "POST takes messages");
        }
        let query = request.uri().query().unwrap_or_default();
        let id = query.split('&').find_map(|part| part.strip_prefix("session="));
        let known = || self.open.get(id?).map(|open| Arc::clone(&open));
        let Some(open) = known().filter(|open| open.principal == *principal) else {
            let text = "session: no such stream is open; open one with GET";
            return refuse(404, error::INVALID_REQUEST, text);
        };
        let Some(place) = open.channel.try_place() else {
            let text = "too many requests on this stream are unanswered";
            return refuse(429, error::INVALID_REQUEST, text);
        };
        match message(request, bytes_max).await {
            Ok((_, message)) => {
                open.channel.take(place, message);
                body::full(202, "text/plain", "Accepted")
            }
            Err(refusal) => *refusal,
        }
    }
}

/// The stream: where to post first, then messages until the client leaves or the gateway stops.
fn events(
    first: Bytes,
    entry: Entry,
    queue: mpsc::Receiver<Bytes>,
    stop: CancellationToken,
) -> Response<Body> {
    let state = (Some(first), entry, queue, stop, ticks());
    body::events(stream::unfold(state, |(first, entry, mut queue, stop, mut ticks)| async move {
        if first.is_some() {
            return Some((first?, (None, entry, queue, stop, ticks)));
        }
        let stopped = async {
            stop.cancelled().await;
            entry.open.channel.idle().await;
        };
        let next = tokio::select! {
            biased;
            message = queue.recv() => body::event(&message?),
            () = stopped => return None,
            _ = ticks.tick() => body::KEEP_ALIVE,
        };
        Some((next, (None, entry, queue, stop, ticks)))
    }))
}
