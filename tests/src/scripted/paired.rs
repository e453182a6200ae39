//! A scripted child of 2024-11-05 over HTTP+SSE: a stream that names where to post, and that place.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::envelope::{self, Message};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::director::{Director, Order};
use super::plugged::{self, Place, Port};
use super::script::{Receipt, Script};
use super::seen::{Seen, What, Witness};
use super::stage::{Emit, Stage};
use super::talk::{Left, Talk};

type Body = BoxBody<Bytes, io::Error>;

/// A scripted child that listens. Dropping it ends its connections.
pub struct PairedChild {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

/// The streams that are open.
struct Streams {
    stage: Arc<Stage>,
    open: Mutex<HashMap<usize, Arc<Talk>>>,
    /// Counts how often the child was told to end.
    ends: watch::Sender<u64>,
}

impl Streams {
    fn talk(&self, number: usize) -> Option<Arc<Talk>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }
}

impl PairedChild {
    /// A child that plays this script, and who directs it.
    pub async fn new(script: Script) -> (Self, Director) {
        let port = Port::free();
        let (address, first) = (port.address, port.listen());
        let witness = Witness::new(None);
        let stage = Stage::new(script, witness.clone());
        let ends = watch::Sender::new(0);
        let streams = Streams { stage: Arc::clone(&stage), open: Mutex::default(), ends };
        let streams = Arc::new(streams);
        let told = Arc::clone(&streams);
        let ordered = Arc::clone(&stage);
        let director = Director::new(witness, move |order| match order {
            Order::Exit(_) => told.ends.send_modify(|count| *count += 1),
            order => ordered.order(order),
        });
        let accepting = tokio::spawn(plugged::serve(port, first, stage, move |socket| {
            serve_connection(socket, Arc::clone(&streams))
        }));
        (Self { address, _accepting: AbortOnDropHandle::new(accepting) }, director)
    }

    /// The keys of its mount.
    pub fn mount(&self) -> String {
        format!("url = \"http://{}/sse\"\n", self.address)
    }
}

async fn serve_connection(socket: TcpStream, streams: Arc<Streams>) {
    let service = service_fn(move |request| answer(Arc::clone(&streams), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // A connection that breaks was told to, or the gateway left it.
    let _ended = serving.await.is_ok();
}

async fn answer(streams: Arc<Streams>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    match (parts.method, parts.uri.path()) {
        (Method::GET, "/sse") => Ok(open(&streams)),
        (Method::POST, "/messages") => {
            let number = parts.uri.query().and_then(|query| query.strip_prefix("s="));
            let number: Option<usize> = number.and_then(|text| text.parse().ok());
            let Some(talk) = number.and_then(|number| streams.talk(number)) else {
                return Ok(plain(404));
            };
            let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
            let bytes = bytes.unwrap_or_default();
            let is_answer = matches!(
                envelope::Body::read(bytes.clone()),
                Ok(envelope::Body::One(Message::Response { .. }))
            );
            let receipt = if is_answer { streams.stage.receipt() } else { Receipt::Takes };
            if matches!(receipt, Receipt::Takes | Receipt::TakesAndCloses) {
                talk.take(&String::from_utf8_lossy(&bytes));
            }
            match receipt {
                Receipt::Takes => Ok(plain(202)),
                Receipt::Refuses(status) => Ok(plain(status)),
                Receipt::Closes | Receipt::TakesAndCloses => {
                    Err(io::Error::other("the script says that it breaks here"))
                }
            }
        }
        _ => Ok(plain(405)),
    }
}

fn plain(status: u16) -> Response<Body> {
    let body = Full::new(Bytes::new()).map_err(|never| match never {});
    Response::builder().status(status).body(body.boxed()).expect("a response")
}

fn open(streams: &Arc<Streams>) -> Response<Body> {
    let (talk, emits) = Talk::new(Arc::clone(&streams.stage));
    let mut open = streams.open.lock().unwrap_or_else(PoisonError::into_inner);
    let number = open.len();
    open.insert(number, Arc::clone(&talk));
    drop(open);
    let first = format!("event: endpoint\ndata: /messages?s={number}\n\n");
    let witness = streams.stage.witness.clone();
    let state = (Some(first), emits, streams.ends.subscribe(), Left(talk), Vec::new());
    let body = stream::unfold(state, move |(first, mut emits, mut ends, left, mut ready)| {
        let witness = witness.clone();
        async move {
            if let Some(first) = first {
                return Some((Ok(first.into()), (None, emits, ends, left, ready)));
            }
            if ready.is_empty() {
                let emit = tokio::select! {
                    emit = emits.recv() => emit?,
                    _told = ends.changed() => Emit::Cut,
                };
                ready = parts(emit);
                ready.reverse();
            }
            match ready.pop()? {
                Some(part) => Some((Ok(part), (None, emits, ends, left, ready))),
                None => {
                    witness.saw(Seen::new(What::Ended, ""));
                    let cut = io::Error::other("the script says that it breaks here");
                    Some((Err(cut), (None, emits, ends, left, ready)))
                }
            }
        }
    });
    let body = StreamBody::new(body.map(|part: io::Result<Bytes>| part.map(Frame::data)));
    let body = BodyExt::boxed(body);
    Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
}

/// What goes out, as parts of the stream; `None` for its end.
fn parts(emit: Emit) -> Vec<Option<Bytes>> {
    let framed = |text: String| format!("event: message\r\ndata: {text}\r\n\r\n").into_bytes();
    match emit {
        Emit::Message(text) => vec![Some(framed(text).into())],
        Emit::Pieces(text, piece) => {
            let bytes = framed(text);
            let pieces = bytes.chunks(piece.max(1));
            pieces.map(|piece| Some(Bytes::copy_from_slice(piece))).collect()
        }
        Emit::Half(text) => {
            let mut bytes = framed(text);
            bytes.truncate(bytes.len() / 2);
            vec![Some(bytes.into())]
        }
        Emit::Refuse(status, body) => vec![Some(framed(format!("HTTP {status} {body}")).into())],
        Emit::Cut | Emit::Exit(_) => vec![None],
    }
}
