//! A client on a two-way channel, as over standard input and output: one message a line.

use std::sync::Arc;

use gateway::Gateway;
use gateway::call::Principal;
use protocol::Grant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf};
use tokio::io::{WriteHalf, duplex, split};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ask::Ask;
use super::bridge;
use super::http::Http;
use super::session::initialize;
use super::shown::masked;
use crate::start::soon;

/// Bytes on their way in each direction.
const PIPE_BYTES: usize = 64 * 1024;

/// One channel and the gateway at its other end.
pub struct Stdio {
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    serving: JoinHandle<()>,
    stop: CancellationToken,
    /// What carries it.
    pub way: &'static str,
}

impl Stdio {
    /// A channel to `gateway`.
    pub fn new(gateway: &Gateway) -> Self {
        let (here, there) = duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let (from, to) = split(there);
        let serving = tokio::spawn(gateway.serve_stream(from, to, stop.clone()));
        Self::of("stdio", here, serving, stop)
    }

    /// A channel to `gateway` of a client that whoever embeds the gateway knows.
    pub fn known(gateway: &Gateway, principal: &str, grant: Grant) -> Self {
        let (here, there) = duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let (principal, grant) = (Principal(principal.into()), Arc::new(grant));
        let serving = gateway.serve_stream_of(principal, grant, split(there), stop.clone());
        Self::of("stdio", here, tokio::spawn(serving), stop)
    }

    /// A channel over WebSocket, at the merged endpoint.
    pub async fn web_socket(http: Http) -> Self {
        let (here, there) = duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let socket = bridge::web_socket(&http).await;
        let serving = tokio::spawn(bridge::frames(socket, there, stop.clone()));
        Self::of("WebSocket", here, serving, stop)
    }

    /// A channel over HTTP+SSE, to all mounts.
    pub async fn sse(http: Http) -> Self {
        let (here, there) = duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let mut stream = http.send(&Ask::bare("GET").at("/sse")).await;
        assert_eq!(stream.status, 200, "GET /sse");
        let place = bridge::place(&mut stream).await;
        let serving = tokio::spawn(bridge::posts(http, stream, place, there, stop.clone()));
        Self::of("HTTP+SSE", here, serving, stop)
    }

    fn of(
        way: &'static str,
        here: DuplexStream,
        serving: JoinHandle<()>,
        stop: CancellationToken,
    ) -> Self {
        let (output, input) = split(here);
        let output = BufReader::new(output).lines();
        Self { input: Some(input), output, serving, stop, way }
    }

    /// Writes exactly this and a line end.
    pub async fn line(&mut self, line: impl AsRef<[u8]>) {
        self.write(line).await;
        self.write("\n").await;
    }

    /// Writes exactly this.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("an input that is open");
        soon("room in the input", input.write_all(bytes.as_ref())).await.expect("a written line");
    }

    /// Writes the message of a request.
    pub async fn say(&mut self, ask: &Ask) {
        self.line(ask.bytes()).await;
    }

    /// The next line; `None` when the output has ended.
    pub async fn next(&mut self) -> Option<String> {
        let line = soon("a line", self.output.next_line()).await.expect("a readable line");
        line.map(|line| masked(&line))
    }

    /// Writes the message of a request and shows the next line.
    pub async fn shown(&mut self, ask: &Ask) -> String {
        self.say(ask).await;
        self.next().await.unwrap_or_else(|| "(the end)".to_owned())
    }

    /// The legacy handshake; what `initialize` answered.
    pub async fn handshake(&mut self, version: &str) -> String {
        self.handshake_as(version, "{}").await
    }

    /// The legacy handshake with these capabilities; what `initialize` answered.
    pub async fn handshake_as(&mut self, version: &str, capabilities: &str) -> String {
        let greeting = self.shown(&initialize(version, capabilities)).await;
        let initialized = super::ask::legacy("notifications/initialized", "{}").without_id();
        self.say(&initialized).await;
        greeting
    }

    /// Closes the input; all that still comes, until the gateway has ended.
    pub async fn end(mut self) -> Vec<String> {
        if let Some(mut input) = self.input.take() {
            input.shutdown().await.expect("an input that can be closed");
        }
        self.rest().await
    }

    /// Tells the gateway to stop; all that still comes, until it has ended.
    pub async fn stop(mut self) -> Vec<String> {
        self.stop.cancel();
        self.rest().await
    }

    async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(line) = self.next().await {
            rest.push(line);
        }
        soon("the end of the gateway's side", &mut self.serving).await.expect("no panic");
        rest
    }
}
