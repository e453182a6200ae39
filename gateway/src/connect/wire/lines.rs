//! The framing of pipes and sockets: one message a line, in both directions bounded.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::overlong::{self, TAIL_BYTES};
use super::{Cable, CableSettings, Outgoing, Wire};
use crate::call::Future;
use crate::connect::pace::Pace;

/// Messages written with one system call when they wait.
const COALESCED_MAX: usize = 64;
/// A write buffer larger than this is not kept for the next write.
const WRITE_BUFFER_KEPT_BYTES: usize = 1 << 20;
/// What is asked of the kernel at once.
const READ_BYTES: usize = 64 << 10;
/// How long the end of a stream waits for a better reason, such as an exit status, and the other
/// way round, what a dead process wrote last is waited for.
const REASON_WAIT: Duration = Duration::from_millis(250);

impl Cable {
    /// A wire over a byte stream: starts the reading and the writing task.
    pub(in crate::connect) fn lines(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        settings: CableSettings,
    ) -> Self {
        let (max, obituary) = (settings.message_bytes_max, settings.obituary);
        let (mut cable, queue) = Self::laid(settings.mount, settings.words);
        let (reading, writing) = (cable.wire.clone(), cable.wire.clone());
        cable.carry(async move {
            let why = read_to_end(&reading, reader, max, obituary).await;
            reading.end(&why);
        });
        let stopped = cable.stopped();
        cable.carry(async move {
            let written = write_lines(&writing, queue, writer, &stopped).await;
            if let Err(fault) = written {
                tokio::time::sleep(REASON_WAIT).await;
                writing.end(&format!("it no longer takes messages ({fault})"));
            }
        });
        cable
    }
}

/// Reads until the stream or the peer ends, and says why it did.
async fn read_to_end(
    wire: &Wire,
    reader: impl AsyncRead + Unpin,
    max: usize,
    obituary: Option<Future<'static, String>>,
) -> String {
    let Some(mut obituary) = obituary else { return read_lines(wire, reader, max).await };
    let mut reading = std::pin::pin!(read_lines(wire, reader, max));
    tokio::select! {
        why = &mut reading => {
            tokio::time::timeout(REASON_WAIT, obituary).await.unwrap_or(why)
        }
        why = &mut obituary => {
            // Whether or not its last lines came in time, the process is gone.
            let _late = tokio::time::timeout(REASON_WAIT, reading).await;
            why
        }
    }
}

/// Hands every line to `wire`; an over-long one is skipped to its end. Returns why it ended.
async fn read_lines(wire: &Wire, mut reader: impl AsyncRead + Unpin, max: usize) -> String {
    let mut buffer = BytesMut::new();
    let (mut searched, mut pace) = (0, Pace::default());
    loop {
        while let Some(at) = buffer.get(searched..).and_then(|new| memchr::memchr(b'\n', new)) {
            let line = buffer.split_to(searched + at + 1).freeze();
            searched = 0;
            pace.whole();
            if !take_line(wire, &line, max) {
                pace.unasked();
                pace.wait().await;
            }
        }
        searched = buffer.len();
        if buffer.len() > max {
            match skip_line(wire, &mut reader, &mut pace, std::mem::take(&mut buffer)).await {
                Ok(rest) => buffer = rest,
                Err(why) => return why,
            }
            searched = 0;
            continue;
        }
        buffer.reserve(READ_BYTES);
        match reader.read_buf(&mut buffer).await {
            Ok(0) if buffer.is_empty() => return CLOSED.to_owned(),
            Ok(0) => {
                // A last line without its end may be cut off: it is read only if it is whole.
                take_line(wire, &buffer.freeze(), max);
                return CLOSED.to_owned();
            }
            Ok(read) if searched > 0 => {
                pace.long(read);
                pace.wait().await;
            }
            Ok(_) => {}
            Err(fault) => return format!("reading from it failed ({fault})"),
        }
    }
}

const CLOSED: &str = "it closed the connection";

/// Whether somebody waited for it.
fn take_line(wire: &Wire, line: &Bytes, max: usize) -> bool {
    let trimmed = line.trim_ascii();
    if trimmed.len() > max {
        let tail = trimmed.get(trimmed.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        wire.too_long(overlong::answered_id(trimmed, tail), trimmed.len());
        return false;
    }
    !trimmed.is_empty() && wire.receive(&line.slice_ref(trimmed))
}

/// Reads over the rest of a line whose start is `head`; returns what was read of the next. The call
/// that it answers ends as soon as it is known, which is now when its id stands at the start.
async fn skip_line(
    wire: &Wire,
    reader: &mut (impl AsyncRead + Unpin),
    pace: &mut Pace,
    mut head: BytesMut,
) -> Result<BytesMut, String> {
    const HEAD_BYTES: usize = 256;
    let mut length = head.len();
    let mut tail = head.split_off(head.len().saturating_sub(TAIL_BYTES));
    head.truncate(HEAD_BYTES);
    let told = overlong::answered_id(&head, &[]);
    if told.is_some() {
        wire.too_long(told, length);
    }
    let mut chunk = BytesMut::new();
    loop {
        chunk.clear();
        chunk.reserve(READ_BYTES);
        pace.wait().await;
        match reader.read_buf(&mut chunk).await {
            Ok(0) => return Err(CLOSED.to_owned()),
            Ok(read) => pace.skipped(read),
            Err(fault) => return Err(format!("reading from it failed ({fault})")),
        }
        let end = memchr::memchr(b'\n', &chunk);
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        length += part.len();
        tail.extend_from_slice(part);
        tail = tail.split_off(tail.len().saturating_sub(TAIL_BYTES));
        if let Some(end) = end {
            if told.is_none() {
                wire.too_long(overlong::answered_id(&head, &tail), length);
            }
            return Ok(chunk.split_off(end + 1));
        }
    }
}

/// Writes what is queued, as much at once as waits; when stopped, what is left, and no more.
async fn write_lines(
    wire: &Wire,
    mut queue: mpsc::Receiver<Outgoing>,
    mut writer: impl AsyncWrite + Unpin,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(COALESCED_MAX);
    let mut buffer: Vec<u8> = Vec::new();
    loop {
        let taken = tokio::select! {
            biased;
            taken = queue.recv_many(&mut batch, COALESCED_MAX) => taken,
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if taken == 0 {
            return Ok(());
        }
        for message in batch.drain(..) {
            if wire.takes_off(&message) {
                append_line(&mut buffer, &message.bytes);
            }
        }
        writer.write_all(&buffer).await?;
        writer.flush().await?;
        buffer.clear();
        buffer.shrink_to(WRITE_BUFFER_KEPT_BYTES);
    }
}

/// A line break inside a JSON text can only stand between its parts, where a blank does as well
/// (check 73).
fn append_line(buffer: &mut Vec<u8>, message: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(message);
    if memchr::memchr2(b'\n', b'\r', message).is_some() {
        for byte in buffer.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
    buffer.push(b'\n');
}
