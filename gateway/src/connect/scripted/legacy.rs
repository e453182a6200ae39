//! The legacy era on a wire.

use protocol::{Method, Version};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::asking::Asking;
use super::super::legacy::Legacy;
use super::super::wire::Cable;
use super::{Child, call, call_back, wired, word};
use crate::call::{Call, Event, Fault, List, NOTICES_QUEUED_MAX};

const ROOM: usize = 64 << 10;

async fn greeted(capabilities: Value) -> (Legacy, Cable, Child, mpsc::Receiver<Event>) {
    let (lines, mut child, _) = wired(ROOM);
    let (events, out) = mpsc::channel(8);
    let greeting =
        Legacy::greet(lines.wire.clone(), Version::NEWEST_LEGACY, events, Asking::of(&"m".into()));
    let (legacy, ()) = tokio::join!(greeting, child.shake_hands(capabilities));
    (legacy.unwrap(), lines, child, out)
}

#[tokio::test]
async fn c099_a_handshake_offers_the_newest_legacy_version_and_takes_an_older_one() {
    let (lines, mut child, _) = wired(ROOM);
    let (events, _out) = mpsc::channel(8);
    let playing = async {
        let message = child.next().await;
        assert_eq!(message["method"], "initialize");
        assert_eq!(message["params"]["protocolVersion"], "2025-11-25");
        assert_eq!(message["params"]["capabilities"]["roots"], json!({}));
        assert_eq!(message["params"]["clientInfo"]["name"], "gateway");
        let capabilities = json!({"tools": {"listChanged": true}, "prompts": {}});
        child.welcome(message["id"].as_u64().unwrap(), capabilities).await;
        let done = child.next().await;
        assert_eq!(done, json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    };
    let greeting =
        Legacy::greet(lines.wire.clone(), Version::NEWEST_LEGACY, events, Asking::of(&"m".into()));
    let (legacy, ()) = tokio::join!(greeting, playing);
    let legacy = legacy.unwrap();
    assert_eq!(legacy.about().speaks, "legacy 2025-06-18");
    assert_eq!(legacy.about().instructions.as_deref(), Some("i"));
    assert!(legacy.tells_changes(List::Tools));
    assert!(!legacy.tells_changes(List::Prompts) && !legacy.tells_changes(List::Resources));
}

async fn refused(answer: Value) -> Fault {
    let (lines, mut child, _) = wired(ROOM);
    let (events, _out) = mpsc::channel(8);
    let playing = async {
        let id = child.request("initialize").await;
        let mut answer = answer;
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = json!(id);
        child.say(answer.to_string()).await;
    };
    let greeting =
        Legacy::greet(lines.wire.clone(), Version::NEWEST_LEGACY, events, Asking::of(&"m".into()));
    let (legacy, ()) = tokio::join!(greeting, playing);
    legacy.err().expect("no handshake")
}

#[tokio::test]
async fn c042_a_modern_or_unknown_version_in_a_handshake_is_a_clear_fault() {
    for version in ["2026-07-28", "1999-01-01"] {
        let fault =
            refused(json!({"result": {"protocolVersion": version, "capabilities": {}}})).await;
        assert_eq!(word(&fault.kind), "unreachable");
        assert!(fault.text.contains(version) && fault.text.contains("2025-11-25"), "{fault:?}");
    }
    let fault = refused(json!({"error": {"code": -32000, "message": "go away"}})).await;
    assert!(fault.text.contains("go away"), "{fault:?}");
}

#[tokio::test]
async fn a_version_that_a_refusal_names_is_offered_next() {
    let (lines, mut child, _) = wired(ROOM);
    let (events, _out) = mpsc::channel(8);
    let playing = async {
        let id = child.request("initialize").await;
        child.error(id, -32602, json!({"supported": ["2024-11-05"]})).await;
        let again = child.next().await;
        assert_eq!(again["params"]["protocolVersion"], "2024-11-05");
        child.welcome(again["id"].as_u64().unwrap(), json!({})).await;
    };
    let greeting =
        Legacy::greet(lines.wire.clone(), Version::NEWEST_LEGACY, events, Asking::of(&"m".into()));
    assert!(tokio::join!(greeting, playing).0.is_ok());
}

#[tokio::test]
async fn c105_c106_a_ping_is_answered_and_questions_outside_of_any_call_are_refused() {
    let (_legacy, _lines, mut child, _) = greeted(json!({})).await;
    for (method, expected) in [
        ("ping", json!(null)),
        ("roots/list", json!(-32602)),
        ("sampling/createMessage", json!(-32602)),
        ("elicitation/create", json!(-32602)),
        ("what/ever", json!(-32601)),
    ] {
        let id = format!("s-{method}");
        child.say(json!({"jsonrpc": "2.0", "id": id, "method": method}).to_string()).await;
        let answer = child.next().await;
        assert_eq!(answer["id"], id);
        assert_eq!(answer["error"]["code"], expected, "{answer}");
    }
}

#[tokio::test]
async fn changed_lists_become_events() {
    let (_legacy, _lines, mut child, mut events) = greeted(json!({})).await;
    for (list, name) in
        [(List::Prompts, "prompts"), (List::Tools, "tools"), (List::Resources, "resources")]
    {
        child.tell(&format!("notifications/{name}/list_changed"), json!({})).await;
        assert_eq!(events.recv().await, Some(Event::Changed(list)));
    }
}

#[tokio::test]
async fn a_call_is_in_legacy_words_and_its_error_in_modern_ones() {
    let (legacy, _lines, mut child, _) = greeted(json!({})).await;
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "a/b": 1});
    let (mut read, _notices) =
        call_back(Method::ResourcesRead, json!({"uri": "x:1", "_meta": meta}));
    read.wants_progress = false;
    let playing = async {
        let message = child.next().await;
        assert_eq!(message["params"], json!({"uri": "x:1", "_meta": {"a/b": 1}}));
        child.error(message["id"].as_u64().unwrap(), -32002, json!(null)).await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(read), playing);
    assert_eq!(word(&reply.unwrap_err().kind), "child");
}

#[tokio::test]
async fn progress_is_asked_for_under_the_id_of_the_request() {
    let (legacy, _lines, mut child, _) = greeted(json!({})).await;
    let (tool, mut notices) = call_back(Method::ToolsCall, json!({"name": "t"}));
    let playing = async {
        let message = child.next().await;
        let (id, token) = (&message["id"], &message["params"]["_meta"]["progressToken"]);
        assert_eq!(id, token);
        child.tell("notifications/progress", json!({"progressToken": id, "progress": 1})).await;
        child.result(id.as_u64().unwrap(), json!({"content": []})).await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool), playing);
    assert_eq!(reply.unwrap().result.as_str(), r#"{"content":[]}"#);
    assert_eq!(notices.recv().await.unwrap().method, "notifications/progress");
}

fn listen_to(uris: &[&str]) -> Value {
    json!({"notifications": {"resourceSubscriptions": uris}})
}

#[tokio::test]
async fn a_listen_is_acknowledged_first_and_hears_its_resources_and_their_parts() {
    let (legacy, _lines, mut child, _) = greeted(json!({"resources": {"subscribe": true}})).await;
    let (listen, mut notices) =
        call_back(Method::Listen, listen_to(&["f:///a", "f:///refused", "f:///a"]));
    let playing = async {
        let message = child.next().await;
        assert_eq!(message["params"], json!({"uri": "f:///a"}));
        child.result(message["id"].as_u64().unwrap(), json!({})).await;
        let id = child.request("resources/subscribe").await;
        child.error(id, -32602, json!(null)).await;
        let first = notices.recv().await.unwrap();
        assert_eq!(first.method, "notifications/subscriptions/acknowledged");
        let honoured = r#"{"notifications":{"resourceSubscriptions":["f:///a"]}}"#;
        assert_eq!(first.params.as_str(), honoured);
        // Of what is no part by its URI it is not said which part it is.
        for (uri, heard) in [
            ("f:///a/b", json!({"uri": "f:///a/b", "x": 1})),
            ("f:///refused", json!({"uri": "f:///a"})),
            ("f:///a", json!({"uri": "f:///a", "x": 1})),
        ] {
            child.tell("notifications/resources/updated", json!({"uri": uri, "x": 1})).await;
            let notice = notices.recv().await.unwrap();
            let params: Value = serde_json::from_str(&notice.params).unwrap();
            assert_eq!(params, heard);
        }
    };
    tokio::select! {
        reply = legacy.serve(listen) => panic!("a listen stays open: {reply:?}"),
        () = playing => {}
    }
    assert_eq!(child.next().await["params"], json!({"uri": "f:///a"}), "unsubscribed at the end");
}

#[tokio::test]
async fn an_update_right_behind_the_subscription_is_told_after_the_acknowledgement() {
    let (legacy, _lines, mut child, _) = greeted(json!({"resources": {"subscribe": true}})).await;
    let (listen, mut notices) = call_back(Method::Listen, listen_to(&["f:///a", "f:///b"]));
    let playing = async {
        let id = child.request("resources/subscribe").await;
        child.result(id, json!({})).await;
        for uri in ["f:///a", "f:///b", "f:///a"] {
            child.tell("notifications/resources/updated", json!({"uri": uri})).await;
        }
        let id = child.request("resources/subscribe").await;
        child.error(id, -32602, json!(null)).await;
        let first = notices.recv().await.unwrap();
        assert_eq!(first.method, "notifications/subscriptions/acknowledged");
        assert_eq!(notices.recv().await.unwrap().params.as_str(), r#"{"uri":"f:///a"}"#);
        assert!(notices.try_recv().is_err(), "once, and nothing that is not honoured");
    };
    tokio::select! {
        reply = legacy.serve(listen) => panic!("a listen stays open: {reply:?}"),
        () = playing => {}
    }
}

#[tokio::test]
async fn c135_listeners_to_the_same_resource_share_one_subscription() {
    let (legacy, _lines, mut child, _) = greeted(json!({"resources": {"subscribe": true}})).await;
    let (one, mut notices_one) = call_back(Method::Listen, listen_to(&["f:///a"]));
    let (two, mut notices_two) = call_back(Method::Listen, listen_to(&["f:///a"]));
    {
        let mut both = std::pin::pin!(async {
            tokio::join!(legacy.serve(one), async {
                tokio::select! {
                    reply = legacy.serve(two) => panic!("a listen stays open: {reply:?}"),
                    _ = async { notices_two.recv().await.unwrap() } => {}
                }
            })
        });
        let playing = async {
            let id = child.request("resources/subscribe").await;
            child.result(id, json!({})).await;
            assert!(notices_one.recv().await.is_some());
            child.tell("notifications/resources/updated", json!({"uri": "f:///a"})).await;
            // The other is gone by now or goes soon; this one is still served.
            assert_eq!(notices_one.recv().await.unwrap().method, "notifications/resources/updated");
        };
        tokio::select! {
            _ = &mut both => panic!("the first listen stays open"),
            () = playing => {}
        }
    }
    assert_eq!(child.next().await["method"], "resources/unsubscribe", "once, by the last");
    let ping = legacy.probe();
    let (ping, ()) = tokio::join!(ping, async {
        let id = child.request("ping").await;
        child.result(id, json!({})).await;
    });
    ping.unwrap();
}

#[tokio::test]
async fn c134_a_child_without_subscriptions_honours_none_and_the_listen_stays_open() {
    let (legacy, _lines, child, _) = greeted(json!({"resources": {}})).await;
    let (listen, mut notices) = call_back(Method::Listen, listen_to(&["f:///a"]));
    let mut listening = std::pin::pin!(legacy.serve(listen));
    assert!(futures_util::poll!(&mut listening).is_pending());
    let first = notices.recv().await.unwrap();
    assert_eq!(first.params.as_str(), r#"{"notifications":{"resourceSubscriptions":[]}}"#);
    drop(child);
    assert_eq!(word(&listening.await.unwrap_err().kind), "unreachable");
}

#[tokio::test]
async fn a_listener_that_takes_nothing_is_ended_and_holds_nobody_up() {
    let (legacy, _lines, mut child, _) = greeted(json!({"resources": {"subscribe": true}})).await;
    let (listen, _never_read) = call_back(Method::Listen, listen_to(&["f:///a"]));
    let playing = async {
        let id = child.request("resources/subscribe").await;
        child.result(id, json!({})).await;
        child.say(json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}).to_string()).await;
        // Answered after the subscription's answer was taken.
        child.next().await;
        tokio::task::yield_now().await;
        for _ in 0..=NOTICES_QUEUED_MAX {
            child.tell("notifications/resources/updated", json!({"uri": "f:///a"})).await;
        }
        child.request("resources/unsubscribe").await;
    };
    let (reply, _) = tokio::join!(legacy.serve(listen), playing);
    assert_eq!(reply.unwrap().result.as_str(), "{}");
}

#[tokio::test(start_paused = true)]
async fn c134_subscriptions_are_asked_for_at_once_and_what_is_late_is_not_acknowledged() {
    let (legacy, _lines, mut child, _) = greeted(json!({"resources": {"subscribe": true}})).await;
    let (listen, mut notices) =
        call_back(Method::Listen, listen_to(&["f:///silent", "f:///a", "f:///b"]));
    let playing = async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(child.request("resources/subscribe").await);
        }
        child.result(ids[2], json!({})).await;
        child.result(ids[1], json!({})).await;
        let first = notices.recv().await.unwrap();
        let honoured = r#"{"notifications":{"resourceSubscriptions":["f:///b","f:///a"]}}"#;
        assert_eq!(first.params.as_str(), honoured);
        let message = child.next().await;
        assert_eq!(message["method"], "notifications/cancelled", "nobody waits for it any more");
        assert_eq!(message["params"]["requestId"], ids[0]);
        let message = child.next().await;
        assert_eq!(message["method"], "resources/unsubscribe", "it may have been taken");
        assert_eq!(message["params"]["uri"], "f:///silent");
    };
    tokio::select! {
        reply = legacy.serve(listen) => panic!("a listen stays open: {reply:?}"),
        () = playing => {}
    }
}

#[tokio::test(start_paused = true)]
async fn c095_a_child_on_a_wire_is_told_the_most_verbose_level_that_any_caller_wants_once() {
    for (capabilities, expected) in [(json!({"logging": {}}), "warning info "), (json!({}), "")] {
        let (legacy, _lines, mut child, _) = greeted(capabilities).await;
        let mut told = String::new();
        for log_level in [None, Some(3), Some(4), Some(1), Some(1), Some(3)] {
            let call = Call { log_level, ..call(Method::ToolsCall, json!({"name": "a"})) };
            let playing = async {
                loop {
                    let message = child.next().await;
                    let id = message["id"].as_u64().unwrap();
                    child.result(id, json!({"content": []})).await;
                    if message["method"] == "tools/call" {
                        return;
                    }
                    assert_eq!(message["method"], "logging/setLevel");
                    told += &format!("{} ", message["params"]["level"].as_str().unwrap());
                }
            };
            let (reply, ()) = tokio::join!(legacy.serve(call), playing);
            reply.unwrap();
        }
        assert_eq!(told, expected);
    }
    let (legacy, _lines, mut child, _) = greeted(json!({"logging": {}})).await;
    let call = Call { log_level: Some(0), ..call(Method::ToolsCall, json!({"name": "a"})) };
    let playing = async {
        child.request("logging/setLevel").await;
        assert_eq!(child.next().await["method"], "notifications/cancelled");
        let id = child.request("tools/call").await;
        child.result(id, json!({"content": []})).await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(call), playing);
    reply.expect("a child that says nothing to it costs a wait, not the call");
}
