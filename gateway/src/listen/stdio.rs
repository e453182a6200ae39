//! The gateway as a stdio server: one message a line, both eras on one channel.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, MESSAGES_QUEUED_MAX};
use crate::session::{Arrival, Front};

/// How long answers under way are waited for after the input has ended, so that a script which
/// pipes its requests in gets them.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(1);

/// What ends a channel before its input does.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Cancels what is under way, too.
    pub stop: CancellationToken,
    /// Nothing new is taken; what is under way is answered.
    pub drain: CancellationToken,
    /// How long that may take.
    pub drain_wait: Duration,
}

/// Serves the one client of this arrival on `input` and `output` until the input ends or as
/// `ending` says; then what is still under way after a moment is cancelled (check 78).
pub async fn serve_stdio(
    front: Arc<Front>,
    arrival: Arrival,
    (input, output): (
        impl tokio::io::AsyncRead + Send + Unpin,
        impl AsyncWrite + Send + Unpin + 'static,
    ),
    line_bytes_max: usize,
    ending: Ending,
) {
    let (channel, queue) = Channel::open(front, arrival);
    let mut writing = tokio::spawn(write(queue, output));
    let mut input = BufReader::new(input);
    loop {
        let line = async {
            let place = channel.place().await;
            (place, read_line(&mut input, line_bytes_max).await)
        };
        let (place, line) = tokio::select! {
            () = ending.stop.cancelled() => break,
            () = ending.drain.cancelled() => break,
            line = line => line,
        };
        match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => {}
            Line::Whole(line) => channel.take(place, line),
            Line::TooLong => {
                let max = line_bytes_max;
                let text = format!("the line is longer than {max} bytes, which is the limit here");
                channel.refuse(place, text);
            }
            Line::End => break,
        }
    }
    let wait = match (ending.stop.is_cancelled(), ending.drain.is_cancelled()) {
        (true, _) => Duration::ZERO,
        (false, true) => ending.drain_wait,
        (false, false) => LAST_ANSWERS_WAIT,
    };
    channel.end(wait).await;
    // The writer ends when the last line is out, or the client closed its side.
    if timeout(LAST_ANSWERS_WAIT, &mut writing).await.is_err() {
        writing.abort();
    }
}

/// What reading a line comes to.
enum Line {
    /// A line without its end.
    Whole(Bytes),
    /// A longer one than allowed, which was skipped.
    TooLong,
    /// The input has ended.
    End,
}

async fn read_line(input: &mut (impl AsyncBufRead + Unpin), max: usize) -> Line {
    let mut line = Vec::new();
    let mut skipped = false;
    loop {
        let part = match input.fill_buf().await {
            Ok(part) if !part.is_empty() => part,
            _ if skipped => return Line::TooLong,
            _ if line.is_empty() => return Line::End,
            _ => return Line::Whole(line.into()),
        };
        let end = memchr::memchr(b'\n', part);
        let taken = end.unwrap_or(part.len());
        if line.len() + taken > max {
            skipped = true;
            line = Vec::new();
        } else if !skipped {
            line.extend_from_slice(part.get(..taken).unwrap_or_default());
        }
        input.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return if skipped { Line::TooLong } else { Line::Whole(line.into()) };
        }
    }
}

async fn write(mut queue: mpsc::Receiver<Bytes>, mut output: impl AsyncWrite + Unpin) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, MESSAGES_QUEUED_MAX).await > 0 {
        let mut out = Vec::new();
        for message in batch.drain(..) {
            // A message may have line ends between its tokens; on this transport it must not.
            out.extend(message.iter().map(|byte| match byte {
                b'\n' | b'\r' => b' ',
                byte => *byte,
            }));
            out.push(b'\n');
        }
        if output.write_all(&out).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}
