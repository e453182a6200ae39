//! The gateway as a stdio server: one message a line, both eras on one channel.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{ErrorObject, envelope, error};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Endpoint, Principal};
use crate::session::{Arrival, Duplex, Exchange, Front, Outcome, Step};

/// Messages that may wait for a client that does not read.
const LINES_QUEUED_MAX: usize = 1024;
/// Requests of one client that may be unanswered; its next line is read when one is answered.
const UNANSWERED_MAX: usize = 4096;
/// How long answers under way are waited for after the input has ended, so that a script which
/// pipes its requests in gets them.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(1);

/// Serves one client on `input` and `output` until the input ends or `stop`; then what is still
/// under way after a moment is cancelled (check 78).
pub async fn serve_stdio(
    front: Arc<Front>,
    input: impl tokio::io::AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
    line_bytes_max: usize,
    stop: CancellationToken,
) {
    let arrival = Arrival {
        endpoint: Endpoint::Merged,
        principal: Principal::anonymous(),
        grant: Arc::default(),
        head: None,
    };
    let duplex = Duplex::new(front, arrival);
    let (lines, queue) = mpsc::channel(LINES_QUEUED_MAX);
    let mut writing = tokio::spawn(write(queue, output));
    let standing = tokio::spawn(stand(duplex.stream(), lines.clone()));
    let tasks = TaskTracker::new();
    let unanswered = Arc::new(Semaphore::new(UNANSWERED_MAX));
    let mut input = BufReader::new(input);
    loop {
        let line = async {
            let place = Arc::clone(&unanswered).acquire_owned().await;
            (place, read_line(&mut input, line_bytes_max).await)
        };
        let (place, line) = tokio::select! {
            () = stop.cancelled() => break,
            line = line => line,
        };
        let answers = lines.clone();
        match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => {}
            Line::Whole(line) => {
                if let Outcome::Answered { exchange, .. } = duplex.take(line) {
                    tasks.spawn(async move {
                        let _place = place;
                        answer(exchange, answers).await;
                    });
                }
            }
            Line::TooLong => {
                tasks.spawn(async move {
                    let _place = place;
                    refuse_long(line_bytes_max, answers).await;
                });
            }
            Line::End => break,
        }
    }
    tasks.close();
    if !stop.is_cancelled() {
        // Those that are later than this are cancelled.
        let _late = timeout(LAST_ANSWERS_WAIT, tasks.wait()).await;
    }
    duplex.end();
    // A client that does not read must not keep the gateway.
    let _stuck = timeout(LAST_ANSWERS_WAIT, tasks.wait()).await;
    standing.abort();
    drop(lines);
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

async fn refuse_long(max: usize, lines: mpsc::Sender<Bytes>) {
    let text = format!("the line is longer than {max} bytes, which is the limit here");
    let error = ErrorObject::new(error::INVALID_REQUEST, text);
    // A client that left needs no answer.
    let _left = lines.send(envelope::error(None, &error)).await;
}

async fn answer(mut exchange: Exchange, lines: mpsc::Sender<Bytes>) {
    while let Some(step) = exchange.next().await {
        let (Step::Notice(message) | Step::Last { body: message, .. }) = step;
        if lines.send(message).await.is_err() {
            return;
        }
    }
}

async fn stand(mut stream: crate::session::Stream, lines: mpsc::Sender<Bytes>) {
    while let Some(message) = stream.next().await {
        if lines.send(message).await.is_err() {
            return;
        }
    }
}

async fn write(mut queue: mpsc::Receiver<Bytes>, mut output: impl AsyncWrite + Unpin) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, LINES_QUEUED_MAX).await > 0 {
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
