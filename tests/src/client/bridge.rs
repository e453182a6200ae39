//! Puts other two-way channels behind a pipe of lines, so that one client speaks on all of them.

use std::pin::pin;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, split};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use super::ask::posted;
use super::http::{Answer, Http};
use crate::start::soon;

/// A WebSocket to the merged endpoint.
pub async fn web_socket(http: &Http) -> WebSocketStream<TcpStream> {
    let host = http.host();
    let mut request = format!("ws://{host}/mcp").into_client_request().expect("a request");
    let subprotocol = "mcp".parse().expect("a value");
    request.headers_mut().insert("sec-websocket-protocol", subprotocol);
    let stream = TcpStream::connect(&host).await.expect("the gateway listens");
    let shaking = client_async(request, stream);
    soon("the WebSocket handshake", shaking).await.expect("a WebSocket").0
}

/// Moves lines and frames until either side ends, or `stop`.
pub async fn frames(
    socket: WebSocketStream<TcpStream>,
    pipe: DuplexStream,
    stop: CancellationToken,
) {
    let (read, mut write) = split(pipe);
    let (mut sink, mut stream) = socket.split();
    let up = async {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sink.send(Message::text(line)).await.is_err() {
                return;
            }
        }
        // The end of the input closes the connection in order.
        let _gone = sink.send(Message::Close(None)).await;
    };
    let down = async {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Text(text) = message else { continue };
            let line = text.as_str().replace('\n', " ") + "\n";
            if write.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    until_either(up, down, stop).await;
}

/// Where to post, as the stream says first.
pub(super) async fn place(stream: &mut Answer) -> String {
    stream.message().await.expect("the endpoint event")
}

/// Moves lines to posts and events to lines until either side ends, or `stop`.
pub(super) async fn posts(
    http: Http,
    mut stream: Answer,
    place: String,
    pipe: DuplexStream,
    stop: CancellationToken,
) {
    let (read, mut write) = split(pipe);
    let up = async {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let answer = http.send(&posted(line).at(&place)).await;
            assert_eq!(answer.status, 202, "a message is taken");
        }
    };
    let down = async {
        while let Some(message) = stream.whenever().await {
            let line = message.replace('\n', " ") + "\n";
            if write.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    let up_then_leave = async {
        up.await;
        // The end of the input is the end of the stream.
        stop.cancel();
    };
    until_either(up_then_leave, down, stop.clone()).await;
}

async fn until_either(
    up: impl Future<Output = ()>,
    down: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    let mut down = pin!(down);
    tokio::select! {
        () = &mut down => return,
        () = stop.cancelled() => return,
        () = up => {}
    }
    tokio::select! {
        () = &mut down => {}
        () = stop.cancelled() => {}
    }
}
