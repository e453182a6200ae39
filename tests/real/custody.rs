//! No process outlives the gateway that started it, however the gateway ends.

use rustix::process::Signal;
use serde_json::json;

use crate::client::{Client, Era};
use crate::fixture::Fixture;
use crate::gateway::Gateway;
use crate::naming;
use crate::plan::{self, Mount};
use crate::programs::everything_http;
use crate::served::Served;
use crate::through::mounts;
use harness::stray::Stray;

/// What the five children that are processes have in their command lines.
const CHILDREN: [&str; 5] = [
    "server-everything",
    "server-filesystem",
    "server-memory",
    "mcp-server-time",
    "mcp-server-git",
];

/// Starts a gateway with all its children at work, ends it and waits for the end of all of them.
async fn ends_with(signal: Signal) {
    let fixture = Fixture::new();
    let http = Served::start(&everything_http(), &fixture.path().join("http.txt")).await;
    let gateway = Gateway::start(&fixture, &mounts(&fixture, &http)).await;
    let all = Mount::ALL.map(|mount| naming::name(mount.prefix(), ""));
    let steps = vec![json!({"step": "tools", "do": "tools", "until": all})];
    let plan = plan::plan(steps);
    Client::Rmcp.play(Era::Legacy, &gateway.merged(), &plan, &fixture).await;

    let children = Stray::below(gateway.id());
    for name in CHILDREN {
        let found = children.iter().any(|child| child.command().contains(name));
        assert!(found, "{name} runs below the gateway, among {children:#?}");
    }
    gateway.end(signal).await;
    for child in children {
        child.ended().await;
    }
    fixture.assert_quiet().await;
}

#[tokio::test]
async fn sigterm_leaves_no_process() {
    ends_with(Signal::TERM).await;
}

#[tokio::test]
async fn sigkill_leaves_no_process() {
    ends_with(Signal::KILL).await;
}
