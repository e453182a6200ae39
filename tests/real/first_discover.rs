//! How servers of each kind answer a `server/discover` before anything else, and that a mount of
//! each becomes usable whatever the answer was.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::client::{Client, Era};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};
use crate::plan;
use crate::programs::{Program, Venv, everything_http, memory, tiny};
use crate::rmcp_server::RmcpServer;
use crate::served::Served;

const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

fn discover() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "real", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }}})
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "clientInfo": {"name": "real", "version": "1.0.0"},
        "capabilities": {},
    }})
}

/// The answers to both, asked one after the other on one pipe; none where the program ended first.
///
/// The second is not held back until the first is answered: a program that died of the first may
/// keep its pipes open, and say nothing, until another line wakes it.
async fn on_stdio(program: &Program) -> [Option<Value>; 2] {
    let mut child = Command::new(&program.command)
        .args(&program.args)
        .envs(&program.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let questions = format!("{}\n{}\n", discover(), initialize());
    stdin.write_all(questions.as_bytes()).await.expect("the server reads");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let mut answers = [None, None];
    while answers.contains(&None) {
        let line = timeout(ANSWER_WAIT_MAX, lines.next_line()).await;
        let line = line.expect("an answer or an end").expect("a readable line");
        let Some(line) = line else { break };
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        match answer["id"].as_u64() {
            Some(1) => answers[0] = Some(answer),
            Some(2) => answers[1] = Some(answer),
            _ => panic!("an answer to nothing that was asked: {answer}"),
        }
    }
    answers
}

/// The HTTP status and the message in the body, which may be an event of a stream.
async fn over_http(url: &str) -> (u16, Value) {
    let question = hyper::Request::post(url)
        .header("Content-Type", "application/json")
        .header("Accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "server/discover")
        .body(Full::new(Bytes::from(discover().to_string())))
        .expect("a request");
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let answer = client.request(question).await.expect("an HTTP answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&body);
    let mut events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let message = events.find(|data| !data.trim().is_empty()).unwrap_or(&text);
    (status, serde_json::from_str(message).expect("JSON"))
}

/// Calls a tool of the mount `child` through a gateway, as a client of either era.
async fn usable(source: impl Fn(&Fixture) -> Source, tool: &str, arguments: Value) {
    let fixture = Fixture::new();
    let gateway = Gateway::start(&fixture, &[("child", source(&fixture))]).await;
    let name = format!("child_{tool}");
    let plan = plan::plan(vec![
        json!({"step": "tools", "do": "tools", "until": [name]}),
        json!({"step": "call", "do": "call", "name": name, "arguments": arguments}),
    ]);
    for (client, era) in [(Client::Ts1, Era::Legacy), (Client::Ts2, Era::Modern)] {
        let report = client.play(era, &gateway.merged(), &plan, &fixture).await;
        let outcome = report.step("call");
        let text = outcome["result"]["content"][0]["text"].as_str();
        assert!(text.is_some_and(|text| text.contains('5')), "{client:?}: {outcome}");
    }
    gateway.stop(&fixture).await;
}

fn sum() -> Value {
    json!({"a": 2, "b": 3})
}

#[tokio::test]
async fn typescript_1_on_stdio_knows_no_such_method_and_goes_on() {
    let fixture = Fixture::new();
    let [first, then] = on_stdio(&memory(&fixture.fresh_memory())).await;
    assert_eq!(first.expect("an answer")["error"]["code"], -32601);
    assert_eq!(then.expect("an answer")["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn typescript_1_on_stdio_becomes_usable() {
    let source = |_: &Fixture| Source::Command(crate::programs::everything());
    usable(source, "get-sum", sum()).await;
}

#[tokio::test]
async fn python_1_30_on_stdio_finds_the_parameters_invalid_and_goes_on() {
    let [first, then] = on_stdio(&tiny(Venv::Mcp1, "stdio")).await;
    assert_eq!(first.expect("an answer")["error"]["code"], -32602);
    assert_eq!(then.expect("an answer")["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn python_1_30_on_stdio_becomes_usable() {
    usable(|_: &Fixture| Source::Command(tiny(Venv::Mcp1, "stdio")), "add", sum()).await;
}

#[tokio::test]
async fn python_1_6_on_stdio_is_silent_and_dies_at_the_next_line() {
    let [first, then] = on_stdio(&tiny(Venv::Mcp16, "stdio")).await;
    assert_eq!((first, then), (None, None));
}

#[tokio::test]
async fn python_1_6_on_stdio_becomes_usable() {
    usable(|_: &Fixture| Source::Command(tiny(Venv::Mcp16, "stdio")), "add", sum()).await;
}

#[tokio::test]
async fn python_2_3_on_stdio_is_modern_from_then_on() {
    let [first, then] = on_stdio(&tiny(Venv::Mcp2, "stdio")).await;
    let first = first.expect("an answer");
    assert_eq!(first["result"]["supportedVersions"], json!(["2026-07-28"]));
    let then = then.expect("an answer");
    assert!(then["error"].is_object(), "a handshake is refused now: {then}");
}

#[tokio::test]
async fn python_2_3_on_stdio_becomes_usable() {
    usable(|_: &Fixture| Source::Command(tiny(Venv::Mcp2, "stdio")), "add", sum()).await;
}

/// Starts the server, shows its answer to `check`, then uses it through a gateway.
async fn http(program: &Program, tool: &str, check: impl Fn(u16, &Value)) {
    let fixture = Fixture::new();
    let server = Served::start(program, &fixture.path().join("http.txt")).await;
    let (status, answer) = over_http(&server.url).await;
    check(status, &answer);
    usable(|_: &Fixture| Source::Url(server.url.clone()), tool, sum()).await;
}

#[tokio::test]
async fn typescript_1_over_http_asks_for_a_session_and_becomes_usable() {
    http(&everything_http(), "get-sum", |status, answer| {
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32000)), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn python_1_30_over_http_asks_for_a_session_and_becomes_usable() {
    http(&tiny(Venv::Mcp1, "http"), "add", |status, answer| {
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32600)), "{answer}");
        assert_eq!(answer["id"], "server-error");
    })
    .await;
}

#[tokio::test]
async fn python_2_3_over_http_is_modern_and_becomes_usable() {
    http(&tiny(Venv::Mcp2, "http"), "add", |status, answer| {
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["result"]["supportedVersions"], json!(["2026-07-28"]));
    })
    .await;
}

#[tokio::test]
async fn rmcp_over_http_names_all_versions_and_becomes_usable() {
    let server = RmcpServer::start().await;
    let (status, answer) = over_http(&server.url).await;
    assert_eq!(status, 200, "{answer}");
    let versions = answer["result"]["supportedVersions"].as_array().map(Vec::len);
    assert_eq!(versions, Some(5), "{answer}");
    usable(|_: &Fixture| Source::Url(server.url.clone()), "add", sum()).await;
}
