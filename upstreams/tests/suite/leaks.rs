//! What is left when requests are dropped: nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::InProcess;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::caller::Caller;
use crate::probe::{Probe, Shared};

/// Lines that finished requests with log messages leave open, by contract.
const LINES_KEPT_MAX: usize = 32;

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until no more than `tasks` are alive; hangs, and so fails, if that never happens.
async fn until_alive(tasks: usize) {
    while alive() > tasks {
        tokio::task::yield_now().await;
    }
}

async fn drop_a_thousand(caller: &Caller, shared: &Shared, params: Value) {
    for _ in 0..1_000 {
        let running = caller.start("tools/call", params.clone());
        shared.begun.notified().await;
        running.drop_it().await;
    }
}

#[tokio::test]
async fn a_thousand_dropped_calls_leave_no_task_and_no_handler() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    caller.tool("echo", json!({})).await;
    let (tasks, owners) = (alive(), Arc::strong_count(&shared));
    for meta in [json!({}), json!({ "progressToken": "t" })] {
        drop_a_thousand(&caller, &shared, json!({ "name": "hang", "_meta": meta })).await;
    }
    until_alive(tasks).await;
    assert_eq!(Arc::strong_count(&shared), owners);
    assert_eq!(shared.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_thousand_dropped_calls_with_log_messages_leave_the_lines_that_are_kept() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    caller.tool("echo", json!({})).await;
    let tasks = alive();
    let level = json!({ "io.modelcontextprotocol/logLevel": "info", "progressToken": 1 });
    drop_a_thousand(&caller, &shared, json!({ "name": "hang", "_meta": level })).await;
    until_alive(tasks + LINES_KEPT_MAX).await;
    assert_eq!(shared.running.load(Ordering::SeqCst), 0);
    drop(caller);
    until_alive(tasks - 1).await;
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[tokio::test]
async fn a_thousand_dropped_listens_leave_nothing() {
    let shared = Shared::new();
    let probe = Caller(upstreams::mount(Probe(shared.clone())));
    let notes = Caller::builtin("notes");
    let params = json!({ "notifications":
        { "toolsListChanged": true, "resourcesListChanged": true } });
    for caller in [&probe, &notes] {
        caller.ask("server/discover", json!({})).await.unwrap();
    }
    shared.subscribed.notified().await;
    shared.peers.lock().unwrap().clear();
    let (tasks, owners) = (alive(), Arc::strong_count(&shared));
    for _ in 0..1_000 {
        for caller in [&probe, &notes] {
            let mut running = caller.start("subscriptions/listen", params.clone());
            running.next().await;
            running.drop_it().await;
        }
    }
    until_alive(tasks).await;
    assert_eq!(Arc::strong_count(&shared), owners);
}

#[tokio::test]
async fn dropping_a_call_cancels_what_its_handler_started() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let running = caller.start("tools/call", json!({ "name": "hang_in_task" }));
    shared.begun.notified().await;
    running.drop_it().await;
    shared.cancelled.notified().await;
}

#[tokio::test]
async fn sends_that_wait_are_let_go_when_their_call_is_dropped() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let (ear, heard) = crate::caller::Ear::open(1);
    let params = crate::caller::with_meta(json!({ "name": "log_in_tasks",
        "_meta": { "io.modelcontextprotocol/logLevel": "debug" } }));
    let request = caller.0.request(protocol::ChildRequest::new("tools/call", params, ear));
    let call = tokio::spawn(request);
    // One send is done, the others wait: for the ear, or behind the one that does.
    while heard.is_empty() || shared.running.load(Ordering::SeqCst) != 8 {
        tokio::task::yield_now().await;
    }
    call.abort();
    while shared.running.load(Ordering::SeqCst) != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_future_that_is_never_polled_does_nothing() {
    let shared = Shared::new();
    let child: Arc<dyn InProcess> = upstreams::mount(Probe(shared.clone()));
    let (ear, _heard) = crate::caller::Ear::open(1);
    let params = crate::caller::with_meta(json!({ "name": "hang" }));
    drop(child.request(protocol::ChildRequest::new("tools/call", params, ear)));
    assert_eq!((alive(), shared.running.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn listens_beyond_the_bound_are_refused_and_the_bound_is_free_again() {
    let caller = Caller::builtin("notes");
    let params = json!({ "notifications": {} });
    let mut open = Vec::new();
    for _ in 0..1_024 {
        let mut running = caller.start("subscriptions/listen", params.clone());
        running.next().await;
        open.push(running);
    }
    let error = caller.ask("subscriptions/listen", params.clone()).await.unwrap_err();
    assert_eq!(error.message, "1024 listens are open: end one before the next");
    open.pop().unwrap().drop_it().await;
    let mut running = caller.start("subscriptions/listen", params);
    assert_eq!(running.next().await.0, "notifications/subscriptions/acknowledged");
    for running in open {
        running.drop_it().await;
    }
    running.drop_it().await;
}
