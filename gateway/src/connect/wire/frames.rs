//! The framing of WebSocket: one message a text frame, and pings in between.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::{Cable, CableSettings, Outgoing, Wire};
use crate::connect::pace::Pace;

/// Messages written before the connection is flushed, when they wait.
const COALESCED_MAX: usize = 64;
/// How often the peer is asked for a sign of life; proxies cut what is silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long nothing at all may come, pongs included: two pings went unanswered.
const SILENCE_MAX: Duration = Duration::from_secs(65);
/// How long the peer may take no bytes while something is to be written.
const WRITE_WAIT: Duration = Duration::from_secs(30);

impl Cable {
    /// A wire over a WebSocket: starts the reading and the writing task.
    pub(in crate::connect) fn frames<S>(socket: WebSocketStream<S>, settings: CableSettings) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let max = settings.message_bytes_max;
        let (mut cable, queue) = Self::laid(settings.mount, settings.words);
        let (sink, stream) = socket.split();
        let (reading, writing) = (cable.wire.clone(), cable.wire.clone());
        cable.carry(async move {
            let why = read_frames(&reading, stream, max).await;
            reading.end(&why);
        });
        let stopped = cable.stopped();
        cable.carry(async move {
            if let Err(why) = write_frames(&writing, queue, sink, &stopped).await {
                writing.end(&format!("it no longer takes messages ({why})"));
            }
        });
        cable
    }
}

/// Hands every text frame to `wire`. Returns why the connection ended.
async fn read_frames(
    wire: &Wire,
    stream: impl Stream<Item = Result<Message, Error>>,
    max: usize,
) -> String {
    let (mut stream, mut pace) = (pin!(stream), Pace::default());
    loop {
        pace.wait().await;
        let Ok(next) = timeout(SILENCE_MAX, stream.next()).await else {
            return format!("nothing came for {} s, not even a pong", SILENCE_MAX.as_secs());
        };
        match next {
            None => return CLOSED.to_owned(),
            Some(Ok(Message::Text(text))) => {
                let bytes = Bytes::from(text);
                let trimmed = bytes.trim_ascii();
                if trimmed.is_empty() || !wire.receive(&bytes.slice_ref(trimmed)) {
                    pace.unasked();
                }
            }
            Some(Ok(Message::Binary(bytes))) => {
                wire.odd(&format!("a binary frame of {} bytes: messages are text", bytes.len()));
                pace.unasked();
            }
            Some(Ok(Message::Close(Some(close)))) => {
                return format!(
                    "{CLOSED} ({} {:.80})",
                    u16::from(close.code),
                    close.reason.as_str()
                );
            }
            Some(Ok(Message::Close(None))) => return CLOSED.to_owned(),
            // A ping is answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => pace.unasked(),
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { size, .. }))) => {
                // Its rest cannot be skipped: see decision 0008.
                wire.too_long(None, size);
                return format!("it sent {size} bytes at once, and result_bytes_max is {max}");
            }
            Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return CLOSED.to_owned(),
            Some(Err(fault)) => return format!("reading from it failed ({fault})"),
        }
    }
}

const CLOSED: &str = "it closed the connection";

/// Writes what is queued, and pings; when stopped, what is left and a farewell.
async fn write_frames(
    wire: &Wire,
    mut queue: mpsc::Receiver<Outgoing>,
    sink: impl Sink<Message, Error = Error>,
    stop: &CancellationToken,
) -> Result<(), String> {
    let mut sink = pin!(sink);
    let mut batch = Vec::with_capacity(COALESCED_MAX);
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let taken = tokio::select! {
            biased;
            taken = queue.recv_many(&mut batch, COALESCED_MAX) => taken,
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            _ = pings.tick() => {
                within(sink.send(Message::Ping(Bytes::new()))).await?;
                continue;
            }
        };
        if taken == 0 {
            return within(sink.close()).await;
        }
        for message in batch.drain(..) {
            if wire.takes_off(&message) {
                let text = Utf8Bytes::try_from(message.bytes).map_err(|_| "no UTF-8".to_owned())?;
                within(sink.feed(Message::Text(text))).await?;
            }
        }
        within(sink.flush()).await?;
    }
}

async fn within(writing: impl Future<Output = Result<(), Error>>) -> Result<(), String> {
    match timeout(WRITE_WAIT, writing).await {
        Ok(written) => written.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("it takes no bytes for {} s", WRITE_WAIT.as_secs())),
    }
}
