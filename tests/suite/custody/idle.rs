//! Child processes that run only while they are needed: started by a call, stopped after a while.

use std::path::Path;

use gateway::Children;
use harness::client::{Http, modern};
use harness::start::{Running, start, until};
use harness::stray::Stray;
use serde_json::Value;

use super::moody::{Moody, tools};

/// A gateway whose one mount, `a`, has `keys` beside what every moody child has.
async fn gateway_with(moody: &Moody, keys: &str) -> Running {
    let mark = moody.path().display();
    let text = moody.mount("a", &format!("env = {{ MARK = \"{mark}\" }}\n{keys}"));
    let state = moody.path().join("state").display().to_string();
    start(text.leak(), &[("gateway.state", &state)], &Children::new()).await
}

/// How the mount is.
fn state(gateway: &Running) -> &'static str {
    gateway.gateway().mounts()[0].state
}

async fn until_state(gateway: &Running, wanted: &str) {
    until(&format!("the mount to be {wanted}"), async || state(gateway) == wanted).await;
}

/// Waits until no process of this folder is left.
async fn until_none(path: &Path) {
    until("the end of the child", async || Stray::all(path).is_empty()).await;
}

/// Calls the child and gives its process id.
async fn process_id(http: &Http) -> String {
    let call = modern("tools/call", r#"{"name":"a_one","arguments":{}}"#);
    let answer = http.send(&call).await.message().await.expect("an answer");
    let answer: Value = serde_json::from_str(&answer.replace("{gateway}", "{}")).expect("JSON");
    let id = answer["result"]["content"][0]["text"].as_str();
    id.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn a_lazy_child_is_started_once_to_learn_its_catalog_and_then_by_the_first_call() {
    let moody = Moody::new();
    moody.set("a", "one two");
    let gateway = gateway_with(&moody, "start = \"lazy\"").await;
    let (learnt, before) = tools(&gateway.http()).await;
    assert_eq!((learnt, state(&gateway)), (vec!["a_one".to_owned(), "a_two".to_owned()], "ready"));
    until("the catalog on disk", async || moody.kept("a").is_some()).await;
    gateway.stop().await;

    let gateway = gateway_with(&moody, "start = \"lazy\"").await;
    assert_eq!(tools(&gateway.http()).await.1, before, "byte for byte");
    let none = Stray::all(moody.path());
    assert_eq!((none.len(), state(&gateway)), (0, "idle"), "{none:?}");
    let report = gateway.gateway().mounts().remove(0);
    assert_eq!((report.gate, report.tools), ("open", 2), "{report:?}");
    assert!(report.reason.contains("the first call starts it"), "{report:?}");
    let id = process_id(&gateway.http()).await;
    assert!(Stray::all(moody.path()).iter().any(|one| one.id().to_string() == id));
    assert_eq!(state(&gateway), "ready");
    gateway.stop().await;
    until_none(moody.path()).await;
}

#[tokio::test]
async fn an_idle_child_is_stopped_keeps_its_catalog_and_is_started_by_the_next_call() {
    let moody = Moody::new();
    moody.set("a", "one");
    let gateway = gateway_with(&moody, "stop_idle = \"1s\"").await;
    let http = gateway.http();
    let before = tools(&http).await.1;
    let first = process_id(&http).await;
    until_state(&gateway, "idle").await;
    until_none(moody.path()).await;
    assert_eq!(tools(&http).await.1, before, "lists do not start it");
    assert_eq!((Stray::all(moody.path()).len(), state(&gateway)), (0, "idle"));
    let calls = (0..8).map(|_| process_id(&http));
    let ids = futures_util::future::join_all(calls).await;
    assert!(ids.iter().all(|id| *id == ids[0] && *id != first), "{first} {ids:?}");
    until_state(&gateway, "idle").await;
    until_none(moody.path()).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_child_is_not_stopped_under_a_call_nor_while_others_still_come() {
    let moody = Moody::new();
    moody.set("a", "one");
    let gateway = gateway_with(&moody, "stop_idle = \"1s\"").await;
    let http = gateway.http();
    let (arrived, gate) = (moody.path().join("arrived"), moody.path().join("gate"));
    let arguments =
        format!(r#"{{"arrived":"{}","until":"{}"}}"#, arrived.display(), gate.display());
    let call = modern("tools/call", &format!(r#"{{"name":"a_one","arguments":{arguments}}}"#));
    let other = gateway.http();
    let answer = tokio::spawn(async move { other.send(&call).await.message().await });
    until("the call's arrival", async || arrived.exists()).await;
    let children = Stray::all(moody.path());
    assert!(!children.is_empty());
    // Twice as long as it takes: what the gateway itself waited for is over by then.
    let mut looks = tokio::time::interval(std::time::Duration::from_secs(1));
    for _ in 0..3 {
        looks.tick().await;
        assert_eq!(state(&gateway), "ready");
    }
    std::fs::write(&gate, "").expect("a file");
    let answer = answer.await.expect("a task").expect("an answer");
    let id = process_id(&http).await;
    assert!(answer.contains(&id), "{id} {answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_child_that_does_not_start_fails_the_call_and_is_no_longer_idle() {
    let moody = Moody::new();
    moody.set("a", "one");
    let gateway = gateway_with(&moody, "stop_idle = \"1s\"").await;
    until_state(&gateway, "idle").await;
    moody.set("a", "dead");
    let call = modern("tools/call", r#"{"name":"a_one","arguments":{}}"#);
    let answer = gateway.http().send(&call).await.message().await.expect("an answer");
    assert!(
        answer.contains("CONNECTION_ERROR") && answer.contains("its process ended"),
        "{answer}"
    );
    assert_eq!(state(&gateway), "down");
    moody.set("a", "one");
    until_state(&gateway, "ready").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_stop_of_the_gateway_ends_one_that_is_just_starting_for_a_call() {
    let moody = Moody::new();
    moody.set("a", "one");
    let gateway = gateway_with(&moody, "stop_idle = \"1s\"").await;
    until_state(&gateway, "idle").await;
    moody.set("a", "hangs");
    let http = gateway.http();
    let calling = tokio::spawn(async move {
        let call = modern("tools/call", r#"{"name":"a_one","arguments":{}}"#);
        http.send(&call).await.message().await
    });
    until("its start", async || !Stray::all(moody.path()).is_empty()).await;
    calling.abort();
    gateway.stop().await;
    until_none(moody.path()).await;
}
