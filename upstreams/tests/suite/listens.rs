//! Subscriptions: acknowledged first, then what was asked for, whoever sends it.

use expect_test::expect;
use rmcp::model::{
    CancelledNotificationParam, Implementation, ResourceUpdatedNotificationParam,
    ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::SubscriptionContext;
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};

use crate::caller::{Caller, Running, error, lines, wrapped};
use crate::probe::{Probe, Shared};

fn listen(caller: &Caller, notifications: Value) -> Running {
    caller.start("subscriptions/listen", json!({ "notifications": notifications }))
}

fn updated(uri: &str) -> ResourceUpdatedNotificationParam {
    ResourceUpdatedNotificationParam::new(uri)
}

#[tokio::test]
async fn c126_the_acknowledgement_says_what_is_honoured_and_comes_first() {
    let caller = Caller::builtin("notes");
    caller.works("add", json!({ "title": "a", "text": "" })).await;
    let mut listening = listen(
        &caller,
        json!({
            "toolsListChanged": true, "resourcesListChanged": true,
            "resourceSubscriptions": ["note://notes/1", "note://notes/2", "file:///etc"],
        }),
    );
    let first = listening.next().await;
    expect![[r#"
        notifications/subscriptions/acknowledged {"notifications":{"resourceSubscription\
        s":["note://notes/1"],"resourcesListChanged":true}}
    "#]]
    .assert_eq(&wrapped(&lines(&[first])));
    caller.works("edit", json!({ "id": 1, "text": "b" })).await;
    caller.works("remove", json!({ "id": 1 })).await;
    let heard = [listening.next().await, listening.next().await, listening.next().await];
    expect![[r#"
        notifications/resources/updated {"uri":"note://notes/1"}
        notifications/resources/list_changed {}
        notifications/resources/updated {"uri":"note://notes/1"}
    "#]]
    .assert_eq(&wrapped(&lines(&heard)));
    listening.drop_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_right_after_the_acknowledgement_is_heard() {
    for _ in 0..200 {
        let caller = Caller::builtin("notes");
        let mut listening = listen(&caller, json!({ "resourcesListChanged": true }));
        listening.next().await;
        caller.works("add", json!({ "title": "a", "text": "" })).await;
        assert_eq!(listening.next().await.0, "notifications/resources/list_changed");
        listening.drop_it().await;
    }
}

/// All that two listens hear when a peer kept from a call with this metadata tells of changes.
async fn told_through_a_kept_peer(meta: Value) -> String {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    caller.ask("tools/call", json!({ "name": "keep_peer", "_meta": meta })).await.unwrap();
    let kept = shared.last_peer();
    let filter = json!({ "toolsListChanged": true, "resourceSubscriptions": ["x:a", "x:b"] });
    let mut one = listen(&caller, filter);
    let mut two = listen(&caller, json!({ "resourceSubscriptions": ["x:b"] }));
    let mut heard = vec![one.next().await, two.next().await];
    kept.notify_tool_list_changed().await.unwrap();
    kept.notify_prompt_list_changed().await.unwrap();
    kept.notify_resource_updated(updated("x:a")).await.unwrap();
    kept.notify_resource_updated(updated("x:c")).await.unwrap();
    kept.notify_resource_updated(updated("x:b/part")).await.unwrap();
    heard.extend([one.next().await, one.next().await, one.next().await, two.next().await]);
    one.drop_it().await;
    two.drop_it().await;
    lines(&heard)
}

#[tokio::test]
async fn a_peer_kept_from_any_request_reaches_every_open_listen_that_asked() {
    let told = told_through_a_kept_peer(json!({})).await;
    expect![[r#"
        notifications/subscriptions/acknowledged {"notifications":{"resourceSubscription\
        s":["x:a","x:b"],"toolsListChanged":true}}
        notifications/subscriptions/acknowledged {"notifications":{"resourceSubscription\
        s":["x:b"]}}
        notifications/tools/list_changed {}
        notifications/resources/updated {"uri":"x:a"}
        notifications/resources/updated {"uri":"x:b/part"}
        notifications/resources/updated {"uri":"x:b/part"}
    "#]]
    .assert_eq(&wrapped(&told));
    let level = json!({ "io.modelcontextprotocol/logLevel": "info" });
    assert_eq!(told_through_a_kept_peer(level).await, told);
}

#[tokio::test]
async fn a_server_that_keeps_the_peer_of_its_handshake_reaches_listens() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let mut listening = listen(&caller, json!({ "toolsListChanged": true }));
    listening.next().await;
    shared.subscribed.notified().await;
    shared.last_peer().notify_tool_list_changed().await.unwrap();
    assert_eq!(listening.next().await.0, "notifications/tools/list_changed");
    listening.drop_it().await;
}

#[tokio::test]
async fn a_server_without_listen_is_subscribed_as_in_the_handshake_eras() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let filter = json!({ "resourceSubscriptions": ["x:a", "none:b"] });
    let mut one = listen(&caller, filter.clone());
    let acknowledged = one.next().await.1;
    assert_eq!(acknowledged, json!({ "notifications": { "resourceSubscriptions": ["x:a"] } }));
    let mut two = listen(&caller, filter);
    two.next().await;
    one.drop_it().await;
    two.drop_it().await;
    while !shared.subscriptions.lock().unwrap().contains(&"-x:a".to_owned()) {
        shared.subscribed.notified().await;
    }
    assert_eq!(*shared.subscriptions.lock().unwrap(), ["+x:a", "+x:a", "-x:a"]);
}

#[tokio::test]
async fn changes_that_wait_for_a_slow_listener_are_told_once() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    caller.tool("keep_peer", json!({})).await;
    let kept = shared.last_peer();
    let (ear, mut heard) = crate::caller::Ear::open(1);
    let filter = json!({ "notifications":
        { "toolsListChanged": true, "resourceSubscriptions": ["x:whole"] } });
    let params = crate::caller::with_meta(filter);
    let request = protocol::ChildRequest::new("subscriptions/listen", params, ear);
    let task = tokio::spawn(caller.0.request(request));
    assert_eq!(heard.recv().await.unwrap().0, "notifications/subscriptions/acknowledged");
    for part in 0..1_000 {
        kept.notify_tool_list_changed().await.unwrap();
        kept.notify_resource_updated(updated(&format!("x:whole/{part}"))).await.unwrap();
    }
    kept.notify_resource_updated(updated("x:whole/last")).await.unwrap();
    let mut told = 0;
    let whole = loop {
        let (_, params) = heard.recv().await.unwrap();
        told += 1;
        if params["uri"] == "x:whole" {
            break params;
        }
    };
    // Parts beyond the bound are told as the whole that was subscribed to.
    assert_eq!(whole, json!({ "uri": "x:whole" }));
    assert!(told < 300, "{told}");
    task.abort();
}

/// Serves one event and ends, or cancels its own listen.
struct Brief {
    cancels: bool,
}

impl ServerHandler for Brief {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("brief", "1"))
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        context.sink().notify_tool_list_changed().await.unwrap();
        if self.cancels {
            let id = context.sink().id().clone();
            let cancelled = CancelledNotificationParam::new(Some(id), None);
            context.request_context().peer.notify_cancelled(cancelled).await.unwrap();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn c130_a_listen_that_the_server_ends_ends_with_a_result() {
    let mut ends = Vec::new();
    for cancels in [false, true] {
        let caller = Caller(upstreams::mount(Brief { cancels }));
        let params = json!({ "notifications": { "toolsListChanged": true } });
        let (answer, heard) = caller.hear("subscriptions/listen", params).await;
        ends.push(format!("{}{}", lines(&heard), answer.unwrap()));
    }
    expect![[r#"
        notifications/subscriptions/acknowledged {"notifications":{"toolsListChanged":tr\
        ue}}
        notifications/tools/list_changed {}
        {"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"brief","version":"1"}},"\
        resultType":"complete"}
    "#]]
    .assert_eq(&wrapped(&ends[0]));
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test]
async fn a_listen_at_a_server_that_never_changes_is_not_found() {
    let caller = Caller::builtin("toolbox");
    let params = json!({ "notifications": { "toolsListChanged": true } });
    expect![[r#"
        -32601 subscriptions/listen
    "#]]
    .assert_eq(&error(caller.ask("subscriptions/listen", params).await));
}
