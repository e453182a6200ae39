//! A raw HTTP client: one connection a request, so that leaving it is leaving that request.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use expect_test::Expect;
use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::ask::Ask;
use super::session::Session;
use super::shown::masked;
use crate::start::soon;

/// A client of one address.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    address: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Tcp(SocketAddr),
    Unix(&'static Path),
}

/// An answer whose head is there. Dropping it closes the connection.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// What came of the body and was not taken yet.
    rest: Vec<u8>,
    /// The id of the last event that had one.
    pub last_event: Option<String>,
    _connection: AbortOnDropHandle<()>,
}

/// Sends `ask` and compares status, type and messages of the answer.
pub async fn check(http: &Http, ask: &Ask, expected: Expect) {
    expected.assert_eq(&http.shown(ask).await);
}

/// Sends each request in turn and compares the answers, a line each: what it was called, then what
/// came.
pub async fn check_rows<L: AsRef<str>>(http: &Http, rows: &[(L, Ask)], expected: Expect) {
    let mut shown = String::new();
    for (label, ask) in rows {
        let answer = http.shown(ask).await.replace('\n', " ");
        shown.push_str(&format!("{}: {answer}\n", label.as_ref()));
    }
    expected.assert_eq(&shown);
}

impl Http {
    /// A client of `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address: Place::Tcp(address) }
    }

    /// A client of a Unix socket.
    pub fn unix(path: &'static Path) -> Self {
        Self { address: Place::Unix(path) }
    }

    /// The address, as `Host` says it.
    pub fn host(&self) -> String {
        match self.address {
            Place::Tcp(address) => address.to_string(),
            Place::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Sends a request and comes back with the head of the answer.
    pub async fn send(&self, ask: &Ask) -> Answer {
        soon("the head of an answer", self.attempt(ask)).await.expect("an answer")
    }

    /// Sends a request to a gateway that may be killed, whenever that is: `None` when the
    /// connection ends before the head of an answer.
    pub async fn attempt(&self, ask: &Ask) -> Option<Answer> {
        match self.address {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address).await.expect("the gateway listens");
                self.send_on(stream, ask).await
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).await.expect("the gateway listens");
                self.send_on(stream, ask).await
            }
        }
    }

    async fn send_on(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        ask: &Ask,
    ) -> Option<Answer> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // How it ends shows in the answer.
            let _ended = connection.await;
        }));
        let mut request = hyper::Request::builder().method(ask.verb.as_str()).uri(&ask.path);
        if !ask.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", self.host());
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(Full::new(ask.bytes())).expect("a request");
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        Some(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            rest: Vec::new(),
            last_event: None,
            _connection: connection,
        })
    }

    /// Status, content type, and each message of the whole answer on a line of its own.
    pub async fn shown(&self, ask: &Ask) -> String {
        self.send(ask).await.shown(&[]).await
    }

    /// Sends each request in turn; a line each: what it was called, the status, and the code of
    /// the error, since what its text says is not promised.
    pub async fn codes<L: AsRef<str>>(&self, rows: &[(L, Ask)]) -> String {
        let mut out = String::new();
        for (label, ask) in rows {
            let shown = self.shown(ask).await;
            let status = shown.split(' ').next().unwrap_or_default();
            let code = shown.split_once(r#""code":"#).map_or("", |(_, rest)| rest);
            let code: String = code.chars().take_while(|c| matches!(c, '-' | '0'..='9')).collect();
            let came = format!("{}: {status} {code}", label.as_ref());
            out.push_str(came.trim_end());
            out.push('\n');
        }
        out
    }

    /// Sends exactly these bytes and shows all that comes until the gateway closes.
    pub async fn bytes(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.host()).await.expect("the gateway listens");
        // A gateway that refuses early may close before it has read all.
        let _refused = stream.write_all(request.as_ref()).await;
        let mut all = Vec::new();
        let _reset = soon("the end of an answer", stream.read_to_end(&mut all)).await;
        masked(&String::from_utf8_lossy(&all))
    }

    /// Agrees on `version` and has a session of it.
    pub async fn session(&self, version: &str) -> Session {
        Session::open(*self, version, "{}").await
    }
}

impl Answer {
    /// One header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether messages come as events.
    pub fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// The next part of the body as it arrives; `None` at its end.
    pub async fn part(&mut self) -> Option<Bytes> {
        soon("the next part of a body", self.next_part()).await
    }

    async fn next_part(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.body.frame().await?;
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(data),
                Ok(Err(_trailers)) => {}
                Err(_broken) => return None,
            }
        }
    }

    /// The next message: the data of an event, or the whole of a body that is no stream. `None`
    /// when nothing more comes.
    pub async fn message(&mut self) -> Option<String> {
        soon("the next message", self.whenever()).await
    }

    /// The same, whenever it comes.
    pub async fn whenever(&mut self) -> Option<String> {
        if !self.is_stream() {
            while let Some(part) = self.next_part().await {
                self.rest.extend_from_slice(&part);
            }
            let whole = std::mem::take(&mut self.rest);
            return (!whole.is_empty()).then(|| masked(&String::from_utf8_lossy(&whole)));
        }
        loop {
            if let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.rest.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event).into_owned();
                let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
                let data: Vec<_> = data.map(str::trim_start).collect();
                let id = event.lines().find_map(|line| line.strip_prefix("id: "));
                self.last_event = id.map(str::to_owned).or(self.last_event.take());
                // The first event of a stream that can be resumed has no message.
                if data.iter().all(|line| line.is_empty()) {
                    continue;
                }
                return Some(masked(&data.join("\n")));
            }
            if self.rest.starts_with(b":\r\n\r\n") {
                self.rest.drain(..5);
                continue;
            }
            match self.next_part().await {
                Some(part) => self.rest.extend_from_slice(&part),
                None if self.rest.is_empty() => return None,
                None => panic!("half an event: {:?}", String::from_utf8_lossy(&self.rest)),
            }
        }
    }

    /// All that is shown of an answer, with these headers too; waits for its end.
    pub async fn shown(mut self, headers: &[&str]) -> String {
        let mut out = format!("{} {}", self.status, self.header("content-type").unwrap_or("-"));
        for name in headers {
            let value = self.header(name).unwrap_or("-");
            out.push_str(&format!("\n{name}: {value}"));
        }
        while let Some(message) = self.message().await {
            out.push('\n');
            out.push_str(&message);
        }
        out
    }
}
