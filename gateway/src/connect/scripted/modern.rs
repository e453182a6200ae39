//! The modern era on a wire.

use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::{Method, Version};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::modern::Modern;
use super::super::wire::Cable;
use super::{Child, call_back, raw, wired, word};
use crate::call::{About, Call, Event, List};

const ROOM: usize = 64 << 10;
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

async fn started(
    capabilities: Value,
    child: impl AsyncFnOnce(&mut Child),
) -> (Modern, Cable, Child, mpsc::Receiver<Event>) {
    let (lines, mut peer, _) = wired(ROOM);
    let (events, out) = mpsc::channel(8);
    let capabilities = ServerCapabilities::read(&raw(&capabilities)).unwrap();
    let about = About { capabilities, ..About::default() };
    let starting = Modern::start(lines.wire.clone(), Version::NEWEST_MODERN, about, events);
    let (modern, ()) = tokio::join!(starting, child(&mut peer));
    (modern, lines, peer, out)
}

async fn plain() -> (Modern, Cable, Child) {
    let (modern, lines, child, _) = started(json!({"tools": {}}), async |_| {}).await;
    (modern, lines, child)
}

async fn event(child: &mut Child, id: u64, method: &str, params: Value) {
    let mut params = params;
    params["_meta"] = json!({SUBSCRIPTION: id});
    child.tell(&format!("notifications/{method}"), params).await;
}

#[tokio::test]
async fn c025_each_request_carries_its_own_metadata() {
    let (modern, _lines, mut child) = plain().await;
    let (mut tool, _notices) =
        call_back(Method::ToolsCall, json!({"name": "t", "_meta": {"a/b": 1}}));
    tool.log_level = Some(3);
    let playing = async {
        let message = child.next().await;
        let meta = &message["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        let declared = &meta["io.modelcontextprotocol/clientCapabilities"];
        let ui = json!({"mimeTypes": ["text/html;profile=mcp-app"]});
        assert_eq!(*declared, json!({"extensions": {"io.modelcontextprotocol/ui": ui}}));
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "gateway");
        assert_eq!(meta["io.modelcontextprotocol/logLevel"], "warning");
        assert_eq!(meta["progressToken"], message["id"]);
        assert_eq!(meta["a/b"], 1);
        child
            .result(message["id"].as_u64().unwrap(), json!({"resultType": "odd", "content": []}))
            .await;
    };
    let (reply, ()) = tokio::join!(modern.serve(tool), playing);
    assert_eq!(word(&reply.unwrap_err().kind), "bad answer");
}

#[tokio::test]
async fn a_log_message_goes_to_the_one_call_that_wants_any_and_else_to_nobody() {
    let (modern, _lines, mut child) = plain().await;
    let logged = |name: &str| {
        let (tool, notices) = call_back(Method::ToolsCall, json!({ "name": name }));
        (Call { log_level: Some(0), ..tool }, notices)
    };
    let ((a, mut notices_a), (b, mut notices_b)) = (logged("a"), logged("b"));
    let (c, mut notices_c) = call_back(Method::ToolsCall, json!({"name": "c"}));
    let playing = async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(child.request("tools/call").await);
        }
        child.tell("notifications/message", json!({"data": "whose?"})).await;
        child.result(ids[0], json!({"resultType": "complete"})).await;
        notices_a.recv().await
    };
    let serving = async {
        tokio::join!(modern.serve(a), async {
            let _both = tokio::join!(modern.serve(b), modern.serve(c));
        })
    };
    tokio::pin!(serving);
    tokio::select! {
        _ = &mut serving => panic!("two calls are open"),
        none = playing => assert!(none.is_none(), "{none:?}"),
    }
    let playing = async {
        child.tell("notifications/message", json!({"data": "b's"})).await;
        notices_b.recv().await.unwrap()
    };
    tokio::select! {
        _ = &mut serving => panic!("two calls are open"),
        notice = playing => assert_eq!(notice.params.as_str(), r#"{"data":"b's"}"#),
    }
    assert!(notices_c.try_recv().is_err());
}

#[tokio::test]
async fn a_request_of_a_modern_child_is_not_answered() {
    let (modern, _lines, mut child) = plain().await;
    child.say(r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#).await;
    let (answer, ()) = tokio::join!(modern.probe(), async {
        let id = child.request("server/discover").await;
        child.error(id, -32603, json!(null)).await;
    });
    answer.expect("any answer is a sign of life");
}

#[tokio::test]
async fn changes_are_told_as_far_as_they_are_acknowledged() {
    let lists = json!({
        "tools": {"listChanged": true}, "prompts": {"listChanged": true}, "resources": {},
    });
    let (modern, _lines, mut child, mut events) = started(lists, async |child| {
        let message = child.next().await;
        let asked = json!({"toolsListChanged": true, "promptsListChanged": true});
        assert_eq!(message["params"]["notifications"], asked);
        let id = message["id"].as_u64().unwrap();
        let honoured = json!({"notifications": {"toolsListChanged": true}});
        event(child, id, "subscriptions/acknowledged", honoured).await;
    })
    .await;
    assert!(modern.tells_changes(List::Tools));
    assert!(!modern.tells_changes(List::Prompts) && !modern.tells_changes(List::Resources));
    event(&mut child, 1, "tools/list_changed", json!({})).await;
    assert_eq!(events.recv().await, Some(Event::Changed(List::Tools)));
}

#[tokio::test(start_paused = true)]
async fn c132_a_listen_that_the_child_ends_is_opened_again_and_the_gap_counts_as_a_change() {
    let (modern, lines, mut child, mut events) =
        started(json!({"tools": {"listChanged": true}}), async |child| {
            let id = child.request("subscriptions/listen").await;
            let honoured = json!({"notifications": {"toolsListChanged": true}});
            event(child, id, "subscriptions/acknowledged", honoured).await;
        })
        .await;
    child.result(1, json!({"resultType": "complete"})).await;
    let id = child.request("subscriptions/listen").await;
    assert!(id > 1 && !modern.tells_changes(List::Tools));
    let honoured = json!({"notifications": {"toolsListChanged": true}});
    event(&mut child, id, "subscriptions/acknowledged", honoured).await;
    assert_eq!(events.recv().await, Some(Event::Changed(List::Tools)));
    assert!(modern.tells_changes(List::Tools));
    drop(child);
    lines.wire.lost().await;
    while modern.tells_changes(List::Tools) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_refuses_or_ignores_the_listen_is_looked_at_instead() {
    let lists = || json!({"tools": {"listChanged": true}});
    let (modern, ..) = started(lists(), async |child| {
        let id = child.request("subscriptions/listen").await;
        child.error(id, -32601, json!(null)).await;
    })
    .await;
    assert!(!modern.tells_changes(List::Tools));
    let (modern, ..) = started(lists(), async |_| {}).await;
    assert!(!modern.tells_changes(List::Tools));
}
