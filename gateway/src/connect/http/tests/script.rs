//! A server that answers byte for byte as a test says, and tells what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use protocol::json::Members;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) verb: String,
    pub(super) target: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
    /// Which connection it came on, from 0.
    pub(super) connection: usize,
}

impl Asked {
    /// A member of the body as JSON text.
    pub(super) fn member(&self, key: &str) -> Option<String> {
        Members::read(&self.body).ok()?.get(key).map(str::to_owned)
    }

    /// The JSON-RPC method; the verb where there is none.
    pub(super) fn method(&self) -> String {
        let method = self.member("method").map(|text| text.trim_matches('"').to_owned());
        method.unwrap_or_else(|| self.verb.clone())
    }

    pub(super) fn id(&self) -> String {
        self.member("id").unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn result(&self, result: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id())
    }

    pub(super) fn error(&self, error: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, self.id())
    }
}

/// What the server does with one request.
pub(super) enum Act {
    /// Writes and takes the next request.
    Write(Vec<u8>),
    /// Writes and closes.
    Close(Vec<u8>),
    /// Writes, then whatever comes out, until the sender is gone or the client closes.
    Follow(Vec<u8>, mpsc::Receiver<String>),
}

impl Act {
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::json_with(status, "", body)
    }

    pub(super) fn json_with(status: u16, headers: &str, body: &str) -> Self {
        Self::Write(plain(status, &format!("Content-Type: application/json\r\n{headers}"), body))
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Write(plain(status, "", ""))
    }

    /// A whole stream in one chunk.
    pub(super) fn events(events: &str) -> Self {
        Self::Write(format!("{STREAM}{}0\r\n\r\n", chunk(events)).into_bytes())
    }

    /// A stream whose connection is lost after these events.
    pub(super) fn torn(events: &str) -> Self {
        Self::Close(format!("{STREAM}{}", chunk(events)).into_bytes())
    }

    /// A stream that stays open, and the way to write on it.
    pub(super) fn open(events: &str) -> (Self, mpsc::Sender<String>) {
        let (sender, out) = mpsc::channel(16);
        let begin = if events.is_empty() { String::new() } else { chunk(events) };
        (Self::Follow(format!("{STREAM}{begin}").into_bytes(), out), sender)
    }

    /// No answer at all, for as long as the client waits.
    pub(super) fn silence() -> (Self, mpsc::Sender<String>) {
        let (sender, out) = mpsc::channel(16);
        (Self::Follow(Vec::new(), out), sender)
    }
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(super) fn plain(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Word\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// One message as an event.
pub(super) fn event(message: &str) -> String {
    format!("event: message\ndata: {message}\n\n")
}

pub(super) fn notice(method: &str, params: &str) -> String {
    event(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#))
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

type Script = Arc<dyn Fn(&Asked) -> Act + Send + Sync>;

/// A scripted server; it ends when dropped.
pub(super) struct Server {
    address: SocketAddr,
    asked: Mutex<mpsc::Receiver<Asked>>,
    closed: Mutex<mpsc::Receiver<usize>>,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Log {
    asked: mpsc::Sender<Asked>,
    closed: mpsc::Sender<usize>,
}

impl Server {
    pub(super) async fn start(script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Script = Arc::new(script);
        let (asked_in, asked) = mpsc::channel(1000);
        let (closed_in, closed) = mpsc::channel(1000);
        let log = Log { asked: asked_in, closed: closed_in };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, number, Arc::clone(&script), log.clone()));
                number += 1;
            }
        });
        Self { address, asked: Mutex::new(asked), closed: Mutex::new(closed), tasks }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp?key=secret", self.address)
    }

    /// Ends it, listener and all.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// The next request that came.
    pub(super) async fn asked(&self) -> Asked {
        self.asked.lock().await.recv().await.unwrap()
    }

    /// The next request with this method or verb; others before it are dropped.
    pub(super) async fn asked_for(&self, method: &str) -> Asked {
        loop {
            let asked = self.asked().await;
            if asked.method() == method {
                return asked;
            }
        }
    }

    /// All requests that came and were not yet taken.
    pub(super) async fn all_asked(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().await;
        std::iter::from_fn(|| asked.try_recv().ok()).collect()
    }

    /// Waits until the client has closed this connection.
    pub(super) async fn closed(&self, connection: usize) {
        let mut closed = self.closed.lock().await;
        while closed.recv().await.unwrap() != connection {}
    }
}

async fn serve(mut stream: TcpStream, connection: usize, script: Script, log: Log) {
    let mut buffer = Vec::new();
    while let Some(asked) = read(&mut stream, &mut buffer, connection).await {
        let act = script(&asked);
        log.asked.send(asked).await.unwrap();
        match act {
            Act::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Act::Close(bytes) => {
                let _written = stream.write_all(&bytes).await;
                let _shut = stream.shutdown().await;
                return;
            }
            Act::Follow(bytes, mut more) => {
                let _written = stream.write_all(&bytes).await;
                let mut byte = [0];
                loop {
                    tokio::select! {
                        text = more.recv() => match text {
                            Some(text) => {
                                let _written = stream.write_all(chunk(&text).as_bytes()).await;
                            }
                            None => return,
                        },
                        _ = stream.read(&mut byte) => break,
                    }
                }
                break;
            }
        }
    }
    let _kept = log.closed.send(connection).await;
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Asked> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (verb, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut headers = HashMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let twice = headers.insert(name.to_lowercase(), value.trim().to_owned());
        assert_eq!(twice, None, "{name} stands twice");
    }
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    while buffer.len() < end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).unwrap();
    buffer.drain(..end + 4 + length);
    Some(Asked { verb, target, headers, body, connection })
}
