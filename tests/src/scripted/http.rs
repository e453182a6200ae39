//! A scripted child over Streamable HTTP, in either era, on a free loopback port.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::envelope::{self, Message};
use protocol::{ErrorObject, error, header};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::answers::version;
use super::director::Director;
use super::plugged::{self, Place, Port};
use super::script::{Receipt, Script, Speaks};
use super::seen::{Seen, What, Witness};
use super::sessions::in_request;
use super::stage::{Asked, Emit, Stage};

type Body = BoxBody<Bytes, io::Error>;
type Headers = BTreeMap<String, String>;

/// What a standing stream may hold back.
const TOLD_MAX: usize = 1024;

/// A scripted child that listens. Dropping it ends its connections.
pub struct HttpChild {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

impl HttpChild {
    /// A child that plays this script, and who directs it.
    pub async fn new(script: Script) -> (Self, Director) {
        let port = Port::free();
        let (address, first) = (port.address, port.listen());
        let witness = Witness::new(None);
        let stage = Stage::new(script, witness.clone());
        let ordered = Arc::clone(&stage);
        let director = Director::new(witness, move |order| ordered.order(order));
        let answering = Arc::clone(&stage);
        let accepting = tokio::spawn(plugged::serve(port, first, stage, move |socket| {
            serve_connection(socket, Arc::clone(&answering))
        }));
        (Self { address, _accepting: AbortOnDropHandle::new(accepting) }, director)
    }

    /// The keys of its mount.
    pub fn mount(&self) -> String {
        format!("url = \"{}\"\n", self.url())
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

async fn serve_connection(socket: TcpStream, stage: Arc<Stage>) {
    let service = service_fn(move |request| answer(Arc::clone(&stage), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // A connection that breaks was told to, or the gateway left it.
    let _ended = serving.await.is_ok();
}

async fn answer(stage: Arc<Stage>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let headers: Headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match parts.method {
        Method::POST => post(&stage, &headers, bytes).await,
        method => Ok(bare(&stage, &method, headers)),
    }
}

/// GET and DELETE.
fn bare(stage: &Arc<Stage>, method: &Method, headers: Headers) -> Response<Body> {
    let script = stage.script();
    let session = headers.get(header::SESSION).cloned().unwrap_or_default();
    stage.witness.saw(Seen { headers, ..Seen::new(What::Request, method.as_str()) });
    if script.speaks == Speaks::Modern {
        return plain(405, "", String::new());
    }
    if script.http.session && !stage.sessions.has(&session) {
        return plain(404, "", String::new());
    }
    if *method == Method::DELETE {
        stage.sessions.end(&session);
        return plain(200, "", String::new());
    }
    if *method != Method::GET || !script.http.standing {
        return plain(405, "", String::new());
    }
    let (to, told) = mpsc::channel(TOLD_MAX);
    stage.listen_to_all(to);
    body_of(None, None, told, true)
}

/// One message.
async fn post(stage: &Arc<Stage>, headers: &Headers, bytes: Bytes) -> io::Result<Response<Body>> {
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let seen = |what: What, method: &str, id: &str, params: &str| {
        let (method, id, params) = (method.to_owned(), id.to_owned(), params.to_owned());
        stage.witness.saw(Seen { what, method, id, params, headers: headers.clone() });
    };
    let (id, method, params) = match envelope::Body::read(bytes) {
        Ok(envelope::Body::One(Message::Request { id, method, params })) => {
            seen(What::Request, &method, id.as_str(), params.as_str());
            (Some(id), method, params)
        }
        Ok(envelope::Body::One(Message::Notification { method, params })) => {
            seen(What::Notification, &method, "", params.as_str());
            (None, method, params)
        }
        Ok(envelope::Body::One(Message::Response { .. })) => {
            let session = headers.get(header::SESSION).map_or("", String::as_str);
            if stage.script().http.session && !stage.sessions.has(session) {
                return Ok(plain(404, "", String::new()));
            }
            let receipt = stage.receipt();
            if matches!(receipt, Receipt::Takes | Receipt::TakesAndCloses) {
                seen(What::Response, "", "", &text);
                stage.asks.answered(&text);
            }
            return match receipt {
                Receipt::Takes => Ok(plain(202, "", String::new())),
                Receipt::Refuses(status) => Ok(plain(status, "", String::new())),
                Receipt::Closes | Receipt::TakesAndCloses => Err(cut()),
            };
        }
        _ => {
            seen(What::Odd, "", "", &text);
            return Ok(plain(400, "", String::new()));
        }
    };
    let script = stage.script();
    let free = method == "initialize" || script.on.contains_key("server/discover");
    if script.http.session && !(free && matches!(&*method, "initialize" | "server/discover")) {
        match headers.get(header::SESSION) {
            None => return Ok(plain(400, "text/plain", "no session".to_owned())),
            Some(id) if !stage.sessions.has(id) => return Ok(plain(404, "", String::new())),
            Some(_) => {}
        }
    }
    let Some(id) = id else { return Ok(plain(202, "", String::new())) };
    let params = params.as_str().to_owned();
    let declared = match script.speaks {
        Speaks::Modern => in_request(&params),
        Speaks::Legacy => {
            stage.sessions.declared(headers.get(header::SESSION).map_or("", String::as_str))
        }
    };
    let asked = Asked { id: id.to_string(), method: method.clone(), params, declared };
    if script.http.strict
        && let Err(why) = agree(&script, headers, &asked)
    {
        let fault = ErrorObject::new(error::HEADER_MISMATCH, why);
        let body = envelope::error(Some(id.as_str()), &fault);
        return Ok(plain(400, "application/json", String::from_utf8_lossy(&body).into_owned()));
    }
    let session =
        (script.http.session && method == "initialize").then(|| stage.sessions.give(&asked.params));
    streamed(session, stage.play(asked), script.http.events).await
}

/// Whether the headers agree with the body, as the modern era asks.
fn agree(script: &Script, headers: &Headers, asked: &Asked) -> Result<(), String> {
    let must = |name: &str, value: &str| match headers.get(name).map(|came| header::decode(came)) {
        Some(Ok(came)) if came == value => Ok(()),
        came => Err(format!("{name}: expected {value}, found {came:?}")),
    };
    must(header::VERSION, version(script.speaks))?;
    must(header::METHOD, &asked.method)?;
    let member = protocol::Method::read(&asked.method).name_member();
    if let Some(member) = member {
        must(header::NAME, &super::answers::string_in(&asked.params, member).unwrap_or_default())?;
    }
    let name = super::answers::string_in(&asked.params, "name").unwrap_or_default();
    let Some(tool) = script.catalog.tool(&name).filter(|_| asked.method == "tools/call") else {
        return Ok(());
    };
    let members = protocol::json::Members::read(&tool).map_err(|fault| fault.0)?;
    for one in header::mirrored(members.get("inputSchema").unwrap_or("{}"))? {
        let key = format!("{}{}", header::PARAM_PREFIX, one.header.to_ascii_lowercase());
        one.check(headers.get(&key).map(String::as_str), &asked.params)?;
    }
    Ok(())
}

fn plain(status: u16, kind: &str, body: String) -> Response<Body> {
    let mut response = Response::builder().status(status);
    if !kind.is_empty() {
        response = response.header("content-type", kind);
    }
    let body = http_body_util::Full::new(Bytes::from(body)).map_err(|never| match never {});
    response.body(body.boxed()).expect("a response")
}

/// The response that what goes out makes: its kind is known from the first of it.
///
/// # Errors
/// When the connection is to break before there is any.
async fn streamed(
    session: Option<String>,
    mut emits: mpsc::Receiver<Emit>,
    events: bool,
) -> io::Result<Response<Body>> {
    let first = match emits.recv().await {
        None => return Ok(plain(500, "text/plain", "the script says nothing".to_owned())),
        Some(Emit::Cut | Emit::Exit(_)) => return Err(cut()),
        Some(Emit::Refuse(status, body)) => {
            let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
            return Ok(plain(status, kind, body));
        }
        Some(first) => first,
    };
    let told = matches!(&first, Emit::Message(text) if text.contains("\"method\":"));
    Ok(body_of(session, Some(first), emits, events || told))
}

fn body_of(
    session: Option<String>,
    first: Option<Emit>,
    emits: mpsc::Receiver<Emit>,
    events: bool,
) -> Response<Body> {
    let kind = if events { "text/event-stream" } else { "application/json" };
    let mut response = Response::builder().header("content-type", kind);
    if let Some(session) = session {
        response = response.header(header::SESSION, session);
    }
    let mut ready = VecDeque::new();
    if events {
        ready.push_back(Ok(Bytes::from_static(b": a comment\n\n")));
    }
    ready.extend(first.into_iter().flat_map(|first| chunks(first, events)));
    let body = stream::unfold((ready, emits), move |(mut ready, mut emits)| async move {
        while ready.is_empty() {
            ready.extend(chunks(emits.recv().await?, events));
        }
        let next = ready.pop_front()?;
        Some((next.map(Frame::data), (ready, emits)))
    });
    response.body(StreamBody::new(body).boxed()).expect("a response")
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the script says that it breaks here")
}

/// What goes out, as the parts of a body.
fn chunks(emit: Emit, events: bool) -> Vec<io::Result<Bytes>> {
    let framed = |text: String| match events {
        true => format!("event: message\ndata: {text}\n\n"),
        false => text,
    };
    match emit {
        Emit::Message(text) => vec![Ok(framed(text).into())],
        Emit::Half(text) => {
            let mut bytes = framed(text).into_bytes();
            bytes.truncate(bytes.len() / 2);
            vec![Ok(bytes.into())]
        }
        Emit::Pieces(text, piece) => {
            let bytes = framed(text).into_bytes();
            bytes.chunks(piece.max(1)).map(|part| Ok(Bytes::copy_from_slice(part))).collect()
        }
        Emit::Refuse(..) | Emit::Cut | Emit::Exit(_) => vec![Err(cut())],
    }
}
