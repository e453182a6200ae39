//! One listen at a modern child for any number of clients.

use std::sync::Arc;

use protocol::capabilities::ServerCapabilities;
use protocol::{Method, Version};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::super::modern::Modern;
use super::super::wire::Cable;
use super::{Child, call_back, raw, wired};
use crate::call::{About, Event, Notice};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// A modern child without lists that change.
async fn started() -> (Arc<Modern>, Cable, Child, mpsc::Receiver<Event>) {
    let (lines, child, _) = wired(64 << 10);
    let (events, told) = mpsc::channel(8);
    let capabilities = ServerCapabilities::read(&raw(&json!({"resources": {}}))).unwrap();
    let about = About { capabilities, ..About::default() };
    let modern = Modern::start(lines.wire.clone(), Version::NEWEST_MODERN, about, events).await;
    (Arc::new(modern), lines, child, told)
}

/// A client that listens in a task of its own until it is dropped.
struct Client {
    notices: mpsc::Receiver<Notice>,
    serving: AbortOnDropHandle<()>,
}

impl Client {
    fn listen(modern: &Arc<Modern>, uris: &[&str]) -> Self {
        let filter = json!({"notifications": {"resourceSubscriptions": uris}});
        let (call, notices) = call_back(Method::Listen, filter);
        let modern = Arc::clone(modern);
        let serving = tokio::spawn(async move {
            modern.serve(call).await.expect("a listen ends in order");
        });
        Self { notices, serving: AbortOnDropHandle::new(serving) }
    }

    /// The next thing it is told: a URI, or the URIs that are acknowledged.
    async fn told(&mut self) -> Value {
        let notice = self.notices.recv().await.expect("the listen goes on");
        let params: Value = serde_json::from_str(&notice.params).unwrap();
        match notice.method.as_str() {
            "notifications/resources/updated" => {
                assert_eq!(params.as_object().unwrap().len(), 1, "{params}");
                params["uri"].clone()
            }
            "notifications/subscriptions/acknowledged" => {
                params["notifications"]["resourceSubscriptions"].clone()
            }
            other => panic!("{other}"),
        }
    }
}

/// Takes the next message, a listen for these resources; its id.
async fn asked(child: &mut Child, uris: Value) -> u64 {
    let message = child.next().await;
    assert_eq!(message["method"], "subscriptions/listen", "{message}");
    assert_eq!(message["params"]["notifications"], json!({"resourceSubscriptions": uris}));
    message["id"].as_u64().unwrap()
}

async fn acknowledge(child: &mut Child, id: u64, uris: Value) {
    let params = json!({
        "notifications": {"resourceSubscriptions": uris}, "_meta": {SUBSCRIPTION: id},
    });
    child.tell("notifications/subscriptions/acknowledged", params).await;
}

async fn update(child: &mut Child, id: u64, uri: &str) {
    let params = json!({"uri": uri, "_meta": {SUBSCRIPTION: id}});
    child.tell("notifications/resources/updated", params).await;
}

/// The next message is the cancellation of `id`.
async fn cancelled(child: &mut Child, id: u64) {
    let message = child.next().await;
    assert_eq!(message["method"], "notifications/cancelled", "{message}");
    assert_eq!(message["params"]["requestId"], id);
}

#[tokio::test]
async fn c131_what_listens_tell_is_told_apart_and_nothing_precedes_the_acknowledgement() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1"]);
    let id = asked(&mut child, json!(["x:1"])).await;
    update(&mut child, id, "x:1").await;
    update(&mut child, 999, "x:1").await;
    child.tell("notifications/resources/updated", json!({"uri": "x:1"})).await;
    acknowledge(&mut child, id, json!(["x:1"])).await;
    assert_eq!(one.told().await, json!(["x:1"]));
    update(&mut child, 999, "x:1/foreign").await;
    update(&mut child, id, "x:1/own").await;
    assert_eq!(one.told().await, "x:1/own");
}

#[tokio::test]
async fn c135_clients_of_the_same_resources_share_one_listen_and_the_last_to_leave_ends_it() {
    let (modern, _lines, mut child, _) = started().await;
    let mut clients = Vec::new();
    let mut first = Client::listen(&modern, &["x:1", "x:2"]);
    let id = asked(&mut child, json!(["x:1", "x:2"])).await;
    acknowledge(&mut child, id, json!(["x:1", "x:2"])).await;
    assert_eq!(first.told().await, json!(["x:1", "x:2"]));
    clients.push(first);
    for uri in ["x:2", "x:1"].repeat(50) {
        let mut client = Client::listen(&modern, &[uri]);
        assert_eq!(client.told().await, json!([uri]), "without another word with the child");
        clients.push(client);
    }
    update(&mut child, id, "x:1").await;
    update(&mut child, id, "x:2").await;
    for (at, client) in clients.iter_mut().enumerate() {
        let expected = if at % 2 == 1 { "x:2" } else { "x:1" };
        assert_eq!(client.told().await, expected);
    }
    assert_eq!(clients[0].told().await, "x:2");
    clients.clear();
    // Whatever is asked for while they leave, in the end nothing is open.
    let mut open = vec![id];
    while !open.is_empty() {
        let message = child.next().await;
        match message["method"].as_str() {
            Some("notifications/cancelled") => {
                open.retain(|id| message["params"]["requestId"] != *id);
            }
            _ => open.push(message["id"].as_u64().unwrap()),
        }
    }
}

#[tokio::test]
async fn c135_another_filter_opens_a_new_listen_then_ends_the_old_and_doubles_nothing() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1"]);
    let old = asked(&mut child, json!(["x:1"])).await;
    acknowledge(&mut child, old, json!(["x:1"])).await;
    assert_eq!(one.told().await, json!(["x:1"]));
    let mut two = Client::listen(&modern, &["x:2"]);
    let new = asked(&mut child, json!(["x:1", "x:2"])).await;
    // A child tells both of its listens of one change, before and after it acknowledges.
    update(&mut child, old, "x:1").await;
    acknowledge(&mut child, new, json!(["x:1", "x:2"])).await;
    update(&mut child, old, "x:1").await;
    update(&mut child, new, "x:1").await;
    update(&mut child, new, "x:2").await;
    cancelled(&mut child, old).await;
    assert_eq!(two.told().await, json!(["x:2"]));
    update(&mut child, old, "x:1/late").await;
    update(&mut child, new, "x:1/last").await;
    assert_eq!(one.told().await, "x:1");
    assert_eq!(one.told().await, "x:1/last");
    // The second left: what it alone wanted is asked for no more.
    drop(two);
    let smaller = asked(&mut child, json!(["x:1"])).await;
    acknowledge(&mut child, smaller, json!(["x:1"])).await;
    cancelled(&mut child, new).await;
    update(&mut child, smaller, "x:1").await;
    assert_eq!(one.told().await, "x:1");
}

#[tokio::test]
async fn what_a_child_does_not_acknowledge_is_not_honoured_and_asked_for_once() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1", "x:no"]);
    let id = asked(&mut child, json!(["x:1", "x:no"])).await;
    acknowledge(&mut child, id, json!(["x:1"])).await;
    assert_eq!(one.told().await, json!(["x:1"]));
    update(&mut child, id, "x:1").await;
    assert_eq!(one.told().await, "x:1");
    drop(one);
    cancelled(&mut child, id).await;
}

#[tokio::test]
async fn a_resource_that_spoils_a_listen_costs_only_itself() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1"]);
    let old = asked(&mut child, json!(["x:1"])).await;
    acknowledge(&mut child, old, json!(["x:1"])).await;
    assert_eq!(one.told().await, json!(["x:1"]));
    let mut two = Client::listen(&modern, &["x:2", "x:bad"]);
    let refused = asked(&mut child, json!(["x:1", "x:2", "x:bad"])).await;
    update(&mut child, old, "x:1").await;
    child.error(refused, -32602, json!(null)).await;
    assert_eq!(one.told().await, "x:1");
    // One of the two is to blame, so they are asked for one by one.
    let next = asked(&mut child, json!(["x:1", "x:2"])).await;
    acknowledge(&mut child, next, json!(["x:1", "x:2"])).await;
    cancelled(&mut child, old).await;
    let refused = asked(&mut child, json!(["x:1", "x:2", "x:bad"])).await;
    child.error(refused, -32602, json!(null)).await;
    assert_eq!(two.told().await, json!(["x:2"]));
    update(&mut child, next, "x:2").await;
    assert_eq!(two.told().await, "x:2");
    update(&mut child, next, "x:1").await;
    assert_eq!(one.told().await, "x:1");
}

#[tokio::test(start_paused = true)]
async fn c132_a_listen_that_ends_is_opened_again_and_what_was_missed_counts_as_updated() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1"]);
    let mut two = Client::listen(&modern, &["x:1", "x:2"]);
    let mut id = asked(&mut child, json!(["x:1", "x:2"])).await;
    acknowledge(&mut child, id, json!(["x:1", "x:2"])).await;
    assert_eq!(one.told().await, json!(["x:1"]));
    assert_eq!(two.told().await, json!(["x:1", "x:2"]));
    // The three ways in which it ends: a result, a notification, an error.
    for end in ["result", "cancelled", "error"] {
        match end {
            "result" => child.result(id, json!({"resultType": "complete"})).await,
            "error" => child.error(id, -32603, json!(null)).await,
            _ => child.tell("notifications/cancelled", json!({"requestId": id})).await,
        }
        let mut message = child.next().await;
        if message["method"] == "notifications/cancelled" {
            message = child.next().await;
        }
        assert_eq!(message["method"], "subscriptions/listen", "{message}");
        id = message["id"].as_u64().unwrap();
        acknowledge(&mut child, id, json!(["x:1", "x:2"])).await;
        assert_eq!(one.told().await, "x:1");
        assert_eq!(two.told().await, "x:1");
        assert_eq!(two.told().await, "x:2");
    }
    // What it no longer tells of ends the listens that have it, and no other.
    child.result(id, json!({"resultType": "complete"})).await;
    let id = asked(&mut child, json!(["x:1", "x:2"])).await;
    acknowledge(&mut child, id, json!(["x:1"])).await;
    assert_eq!(one.told().await, "x:1");
    assert_eq!(two.told().await, "x:1");
    assert_eq!(two.notices.recv().await.map(|notice| notice.method), None);
    assert!(!one.serving.is_finished());
}

#[tokio::test]
async fn a_child_without_listen_honours_nothing_and_is_not_asked_again() {
    let (modern, _lines, mut child, _) = started().await;
    let mut one = Client::listen(&modern, &["x:1"]);
    let id = asked(&mut child, json!(["x:1"])).await;
    child.error(id, -32601, json!(null)).await;
    assert_eq!(one.told().await, json!([]));
    let mut two = Client::listen(&modern, &["x:1"]);
    assert_eq!(two.told().await, json!([]));
}
