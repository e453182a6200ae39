//! Children played by the tests: on a pipe within the process, or as small real programs.

mod legacy;
mod modern;
mod fan;
mod probe;
mod process;
mod in_process;
mod asking;

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Method, Raw};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};

use super::wire::{Cable, CableSettings, LastWords};
use crate::call::{Backchannel, Call, Caller, Kind, Notice};

/// The longest message that a wire of the tests reads.
pub(super) const MESSAGE_BYTES_MAX: usize = 4096;

/// The far end of a wire.
pub(super) struct Child {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

/// A wire, its child, and what was noted beside the protocol.
pub(super) fn wired(pipe_bytes: usize) -> (Cable, Child, Arc<LastWords>) {
    let (ours, theirs) = duplex(pipe_bytes);
    let (reader, writer) = split(ours);
    let words = Arc::new(LastWords::default());
    let settings = CableSettings {
        mount: "m".into(),
        message_bytes_max: MESSAGE_BYTES_MAX,
        words: words.clone(),
        obituary: None,
    };
    let lines = Cable::lines(reader, writer, settings);
    let (reader, writer) = split(theirs);
    (lines, Child { lines: BufReader::new(reader).lines(), writer }, words)
}

impl Child {
    /// The next message of the gateway.
    pub(super) async fn next(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap().expect("the gateway hung up");
        serde_json::from_str(&line).unwrap()
    }

    /// The next message, which is a request of `method`; its id.
    pub(super) async fn request(&mut self, method: &str) -> u64 {
        let message = self.next().await;
        assert_eq!(message["method"], method, "{message}");
        message["id"].as_u64().unwrap()
    }

    /// Writes a line.
    pub(super) async fn say(&mut self, line: impl AsRef<str>) {
        self.write(&format!("{}\n", line.as_ref())).await;
    }

    /// Writes bytes.
    pub(super) async fn write(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }

    /// Answers a request with a result.
    pub(super) async fn result(&mut self, id: u64, result: Value) {
        self.say(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()).await;
    }

    /// Answers a request with an error.
    pub(super) async fn error(&mut self, id: u64, code: i64, data: Value) {
        let error = json!({"code": code, "message": "no", "data": data});
        self.say(json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()).await;
    }

    /// Sends a notification.
    pub(super) async fn tell(&mut self, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.say(message.to_string()).await;
    }

    /// Answers the next message, which is `initialize`, and takes `notifications/initialized`.
    pub(super) async fn shake_hands(&mut self, capabilities: Value) {
        let id = self.request("initialize").await;
        self.welcome(id, capabilities).await;
        assert_eq!(self.next().await["method"], "notifications/initialized");
    }

    /// Answers `initialize`.
    pub(super) async fn welcome(&mut self, id: u64, capabilities: Value) {
        let result = json!({
            "protocolVersion": "2025-06-18", "capabilities": capabilities,
            "serverInfo": {"name": "s", "version": "1"}, "instructions": "i",
        });
        self.result(id, result).await;
    }
}

/// A call as the middle makes it.
pub(super) fn call(method: Method, params: Value) -> Call {
    Call::own(method, raw(&params), Caller::gateway())
}

/// A call with a backchannel, and where its notices come out.
pub(super) fn call_back(
    method: Method,
    params: Value,
) -> (Call, tokio::sync::mpsc::Receiver<Notice>) {
    let (back, notices) = Backchannel::open();
    (Call { back, wants_progress: true, ..call(method, params) }, notices)
}

/// JSON as the gateway keeps it.
pub(super) fn raw(value: &Value) -> Raw {
    Raw::parse(Bytes::from(value.to_string())).unwrap()
}

/// A kind of fault in one word.
pub(super) fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Child(_) => "child",
        Kind::Unreachable { .. } => "unreachable",
        Kind::OutcomeUnknown { .. } => "outcome unknown",
        Kind::BadAnswer { .. } => "bad answer",
        Kind::Invalid { .. } => "invalid",
        Kind::Unanswered => "unanswered",
        _ => "other",
    }
}
