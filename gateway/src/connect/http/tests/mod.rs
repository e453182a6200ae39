//! Remote children against scripted servers on the loopback.

mod script;
mod modern_calls;
mod modern_streams;
mod eras;
mod sessions;
mod session_streams;
mod resources;

use std::sync::Arc;
use std::time::Duration;

use protocol::{Method, Raw};
use tokio::sync::mpsc;

use super::{HttpDial, HttpSettings, Transport};
use crate::call::{Call, Caller, Dial, Event, Fault, Kind, Link};
use crate::connect::{Asking, EraPin};
use script::{Act, Asked, Server};

const BYTES_MAX: usize = 100_000;
const COLUMNS: usize = 75;

fn settings(server: &Server, era: EraPin) -> HttpSettings {
    HttpSettings {
        mount: "docs".into(),
        url: server.url().parse().unwrap(),
        shown: "http://docs.example/mcp".to_owned(),
        headers: Vec::new(),
        transport: Transport::Auto,
        era,
        message_bytes_max: BYTES_MAX,
        connect_timeout: Duration::from_secs(5),
        asking: Asking::of(&"m".into()),
    }
}

/// A link, and what it tells by itself.
async fn linked(server: &Server, era: EraPin) -> (Arc<dyn Link>, mpsc::Receiver<Event>) {
    let (events, told) = mpsc::channel(16);
    let dial = HttpDial::new(settings(server, era)).unwrap();
    (dial.dial(events).await.unwrap(), told)
}

async fn dialled(server: &Server, era: EraPin) -> Result<Arc<dyn Link>, Fault> {
    let (events, _told) = mpsc::channel(16);
    HttpDial::new(settings(server, era)).unwrap().dial(events).await
}

fn raw(text: &str) -> Raw {
    Raw::parse(text.to_owned().into()).unwrap()
}

fn call(method: &str, params: &str) -> Call {
    Call::own(Method::read(method), raw(params), Caller::gateway())
}

fn tool_call() -> Call {
    call("tools/call", r#"{"name":"add","arguments":{"a":1}}"#)
}

/// A result for the request that was asked.
fn result(asked: &Asked, result: &str) -> Act {
    Act::json(200, &asked.result(result))
}

/// Answers `server/discover` with these capabilities, everything else as `then` says.
fn modern_server(
    capabilities: &'static str,
    then: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    move |asked| match asked.method().as_str() {
        "server/discover" => result(
            asked,
            &format!(
                r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],
                    "capabilities":{capabilities},"instructions":"be kind",
                    "_meta":{{"io.modelcontextprotocol/serverInfo":
                        {{"name":"s","version":"1"}}}}}}"#
            ),
        ),
        _ => then(asked),
    }
}

/// Shakes hands in a session `s1`, `s2`, … and lets `then` answer everything else.
fn legacy_server(
    capabilities: &'static str,
    then: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    let sessions = std::sync::atomic::AtomicU32::new(0);
    move |asked| match asked.method().as_str() {
        "initialize" => {
            let session = 1 + sessions.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = asked.result(&format!(
                r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},
                    "serverInfo":{{"name":"s","version":"1"}},"instructions":"be kind"}}"#
            ));
            Act::json_with(200, &format!("Mcp-Session-Id: s{session}\r\n"), &body)
        }
        "notifications/initialized" => Act::status(202),
        // One that tells of nothing has no stream of its own.
        _ if asked.verb == "GET"
            && capabilities == "{}"
            && asked.header("last-event-id").is_none() =>
        {
            Act::status(405)
        }
        _ => then(asked),
    }
}

/// What a fault is, for comparison: kind, retry and, with its fixed phrases cut short, text; in
/// lines of some [`COLUMNS`].
fn shown(fault: &Fault) -> String {
    let kind = match &fault.kind {
        Kind::Unreachable { retry_after, unauthorized, state, mount, since } => {
            assert!(*state == "down" && &**mount == "docs" && *since > 1_700_000_000);
            let later = retry_after.map(|later| format!(" after {later:?}")).unwrap_or_default();
            let locked = if *unauthorized { " unauthorized" } else { "" };
            format!("Unreachable{later}{locked}")
        }
        Kind::Child(error) => format!("Child {}", error.code),
        Kind::OutcomeUnknown { .. } => "OutcomeUnknown".to_owned(),
        Kind::BadAnswer { .. } => "BadAnswer".to_owned(),
        other => format!("{other:?}"),
    };
    let text = fault.text.replace("the server behind `docs`", "docs");
    let text = text.replace("sent an answer that is none", "sent no answer");
    let advice = " The call was sent and may have been carried out: look before you repeat it";
    let mut lines = format!("{kind}:");
    let mut column = lines.len();
    for word in text.replace(advice, " Look first").split(' ') {
        column += word.len() + 1;
        lines.push(if column > COLUMNS { '\n' } else { ' ' });
        column = if column > COLUMNS { word.len() } else { column };
        lines.push_str(word);
    }
    lines
}

/// JSON without our version, a member a line.
fn unversioned(text: &str) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace(",\"", ",\n\"")
}

/// An error that answers no request.
fn error(code: i32, message: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"{message}"}}}}"#)
}
