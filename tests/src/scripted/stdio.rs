//! A scripted child as a process: its pipes are the child's, a socket is the director's.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin, stdout};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::director::Order;
use super::seen::{Seen, What, Witness};
use super::stage::{Emit, Stage};
use super::talk::Talk;

/// Things seen that may wait for the director's socket.
const SEEN_QUEUED_MAX: usize = 65536;

/// Plays until the input ends: `director` is the address where the script is to be had.
///
/// # Errors
/// A text when there is no director there.
pub async fn run(director: &str) -> Result<(), String> {
    let socket = TcpStream::connect(director).await.map_err(|fault| format!("{fault}"))?;
    let (orders, mut reports) = socket.into_split();
    let mut orders = BufReader::new(orders).lines();
    let Some(Order::Script(script)) = next(&mut orders).await else {
        return Err("the first order is no script".to_owned());
    };
    let (forward, mut seen) = mpsc::channel::<Seen>(SEEN_QUEUED_MAX);
    let stage = Stage::new(*script, Witness::new(Some(forward)));
    let reporting = tokio::spawn(async move {
        while let Some(one) = seen.recv().await {
            let over = one.what == What::Ended;
            let line = serde_json::to_string(&one).unwrap_or_default() + "\n";
            if reports.write_all(line.as_bytes()).await.is_err() || over {
                break;
            }
        }
    });
    let (talk, told) = Talk::new(Arc::clone(&stage));
    let child = Arc::new(Process {
        stage: Arc::clone(&stage),
        output: AsyncMutex::new(stdout()),
        talk,
        reporting: AsyncMutex::new(Some(reporting)),
    });
    tokio::spawn(child.clone().write(told));
    tokio::spawn(child.clone().obey(orders));
    child.read().await;
    child.end(0).await;
    Ok(())
}

async fn next(orders: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Order> {
    let line = orders.next_line().await.ok().flatten()?;
    serde_json::from_str(&line).ok()
}

struct Process {
    stage: Arc<Stage>,
    output: AsyncMutex<tokio::io::Stdout>,
    talk: Arc<Talk>,
    reporting: AsyncMutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Process {
    async fn obey(self: Arc<Self>, mut orders: Lines<BufReader<OwnedReadHalf>>) {
        while let Some(order) = next(&mut orders).await {
            match order {
                Order::Exit(code) => self.end(code).await,
                order => self.stage.order(order),
            }
        }
    }

    async fn read(&self) {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.talk.take(&line);
        }
    }

    async fn write(self: Arc<Self>, mut emits: mpsc::Receiver<Emit>) {
        while let Some(emit) = emits.recv().await {
            let (mut bytes, piece) = match emit {
                Emit::Message(text) => (text + "\n", usize::MAX),
                Emit::Pieces(text, piece) => (text + "\n", piece),
                Emit::Half(text) => (text, usize::MAX),
                Emit::Refuse(status, body) => (format!("HTTP {status} {body}\n"), usize::MAX),
                Emit::Cut => return self.end(1).await,
                Emit::Exit(code) => return self.end(code).await,
            };
            if piece == usize::MAX && !bytes.ends_with('\n') {
                bytes.truncate(bytes.len() / 2);
            }
            // A whole message at a time: pieces of two must not mix.
            let mut output = self.output.lock().await;
            for piece in bytes.as_bytes().chunks(piece.clamp(1, bytes.len().max(1))) {
                let written = output.write_all(piece).await;
                if written.is_err() || output.flush().await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends the process, once the director knows all that it saw.
    async fn end(&self, code: i32) {
        self.stage.witness.saw(Seen::new(What::Ended, ""));
        if let Some(reporting) = self.reporting.lock().await.take() {
            let _told = reporting.await.is_ok();
        }
        std::process::exit(code);
    }
}
