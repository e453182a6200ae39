//! A scripted child behind a socket: lines on a Unix socket, or frames of a WebSocket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use tokio_util::task::AbortOnDropHandle;

use super::director::{Director, Order};
use super::plugged::{self, Place, Port};
use super::script::Script;
use super::seen::{Seen, What, Witness};
use super::stage::{Emit, Stage};
use super::talk::{Left, Talk};

/// A scripted child that listens on a socket. Dropping it ends its connections.
pub struct SocketChild {
    url: String,
    _accepting: AbortOnDropHandle<()>,
    _folder: Option<TempDir>,
}

impl SocketChild {
    /// A child on a free port of loopback that speaks WebSocket, and who directs it.
    pub async fn web(script: Script) -> (Self, Director) {
        let port = Port::free();
        let (url, first) = (format!("ws://{}/mcp", port.address), port.listen());
        let (stage, director, ends) = staged(script);
        let serving = Arc::clone(&stage);
        let accepting = tokio::spawn(plugged::serve(port, first, stage, move |socket| {
            serve_frames(socket, Arc::clone(&serving), ends.subscribe())
        }));
        (Self { url, _accepting: AbortOnDropHandle::new(accepting), _folder: None }, director)
    }

    /// A child behind a Unix socket, and who directs it.
    pub async fn unix(script: Script) -> (Self, Director) {
        let folder = tempfile::tempdir().expect("a folder");
        let path: PathBuf = Path::join(folder.path(), "child.sock");
        let (url, first) = (format!("unix:{}", path.display()), path.listen());
        let (stage, director, ends) = staged(script);
        let serving = Arc::clone(&stage);
        let accepting = tokio::spawn(plugged::serve(path, first, stage, move |socket| {
            serve_lines(socket, Arc::clone(&serving), ends.subscribe())
        }));
        let accepting = AbortOnDropHandle::new(accepting);
        (Self { url, _accepting: accepting, _folder: Some(folder) }, director)
    }

    /// The keys of its mount.
    pub fn mount(&self) -> String {
        format!("url = \"{}\"\n", self.url)
    }
}

/// Counts how often the child was told to end.
type Ends = tokio::sync::watch::Receiver<u64>;

fn staged(script: Script) -> (Arc<Stage>, Director, tokio::sync::watch::Sender<u64>) {
    let witness = Witness::new(None);
    let stage = Stage::new(script, witness.clone());
    let ordered = Arc::clone(&stage);
    let ends = tokio::sync::watch::Sender::new(0);
    let told = ends.clone();
    let director = Director::new(witness, move |order| match order {
        Order::Exit(_) => told.send_modify(|count| *count += 1),
        order => ordered.order(order),
    });
    (stage, director, ends)
}

async fn serve_lines(socket: UnixStream, stage: Arc<Stage>, mut ends: Ends) {
    let (read, mut write) = socket.into_split();
    let (talk, mut emits) = Talk::new(Arc::clone(&stage));
    let left = Left(Arc::clone(&talk));
    let reading = async {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            talk.take(&line);
        }
    };
    let writing = async {
        while let Some(emit) = emits.recv().await {
            let Some((text, piece)) = text_of(emit) else { return };
            let (bytes, whole) = (text.into_bytes(), piece != 0);
            for part in bytes.chunks(if whole { piece } else { bytes.len().max(1) }) {
                if write.write_all(part).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            if whole && write.write_all(b"\n").await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
        _told = ends.changed() => {}
    }
    drop(left);
    stage.witness.saw(Seen::new(What::Ended, ""));
}

/// What is written, and in pieces of how many bytes; 0 for a message without its end, `None` for
/// the end of the connection.
fn text_of(emit: Emit) -> Option<(String, usize)> {
    match emit {
        Emit::Message(text) => Some((text, usize::MAX)),
        Emit::Pieces(text, piece) => Some((text, piece.max(1))),
        Emit::Half(mut text) => {
            text.truncate(text.len() / 2);
            Some((text, 0))
        }
        Emit::Refuse(status, body) => Some((format!("HTTP {status} {body}"), usize::MAX)),
        Emit::Cut | Emit::Exit(_) => None,
    }
}

#[allow(clippy::result_large_err, reason = "the library's own type")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if let Some(asked) = request.headers().get("sec-websocket-protocol") {
        response.headers_mut().insert("sec-websocket-protocol", asked.clone());
    }
    Ok(response)
}

async fn serve_frames(socket: TcpStream, stage: Arc<Stage>, mut ends: Ends) {
    let Ok(socket) = accept_hdr_async(socket, agree).await else { return };
    let (talk, emits) = Talk::new(Arc::clone(&stage));
    let left = Left(Arc::clone(&talk));
    tokio::select! {
        () = talk_frames(socket, &talk, emits) => {}
        _told = ends.changed() => {}
    }
    drop(left);
    stage.witness.saw(Seen::new(What::Ended, ""));
}

async fn talk_frames(
    socket: WebSocketStream<TcpStream>,
    talk: &Talk,
    mut emits: mpsc::Receiver<Emit>,
) {
    let (mut sink, mut stream) = socket.split();
    let reading = async {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message {
                talk.take(text.as_str());
            }
        }
    };
    let writing = async {
        while let Some(emit) = emits.recv().await {
            let Some((text, piece)) = text_of(emit) else { return };
            if piece == usize::MAX {
                if sink.send(Message::text(text)).await.is_err() {
                    return;
                }
                continue;
            }
            // A message in fragments; half a message is one without its last.
            let bytes = text.into_bytes();
            let parts: Vec<&[u8]> = bytes.chunks(piece.max(1)).collect();
            for (at, part) in parts.iter().enumerate() {
                let code = if at == 0 { Data::Text } else { Data::Continue };
                let last = at + 1 == parts.len() && piece != 0;
                let part = Bytes::copy_from_slice(part);
                let frame = Frame::message(part, OpCode::Data(code), last);
                if sink.send(Message::Frame(frame)).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}
