//! A child compiled in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::{ChildRequest, ErrorObject, InProcess, Method, Raw, Sending};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::InProcessDial;
use super::{call, call_back, raw, word};
use crate::call::{Dial, Event, Fault, Kind, Link, List};

/// Answers tools named after what they do.
#[derive(Default)]
struct Compiled {
    versions: Option<Value>,
    dropped: Arc<AtomicUsize>,
}

struct CountsItsEnd(Arc<AtomicUsize>);

impl Drop for CountsItsEnd {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl InProcess for Compiled {
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>> {
        let params: Value = serde_json::from_str(&request.params).unwrap();
        let name = params["name"].as_str().unwrap_or(&request.method).to_owned();
        assert_ne!(name, "panic at once", "at once");
        let versions = self.versions.clone().unwrap_or(json!(["2026-07-28"]));
        let end = CountsItsEnd(self.dropped.clone());
        Box::pin(async move {
            let _end = end;
            match name.as_str() {
                "server/discover" => Ok(raw(&json!({
                    "resultType": "complete", "supportedVersions": versions,
                    "capabilities": {"tools": {"listChanged": true}}, "instructions": "i",
                }))),
                "subscriptions/listen" => {
                    let honoured = json!({ "notifications": params["notifications"] });
                    let acknowledged = "notifications/subscriptions/acknowledged";
                    request.back.notify(acknowledged, raw(&honoured)).await;
                    let changed = "notifications/tools/list_changed";
                    request.back.notify(changed, Raw::default()).await;
                    std::future::pending().await
                }
                "echo" => {
                    let token = &params["_meta"]["progressToken"];
                    let progress = json!({"progressToken": token, "progress": 1});
                    request.back.notify("notifications/progress", raw(&progress)).await;
                    Ok(raw(&json!({"resultType": "complete", "token": token})))
                }
                "panic" => panic!("on the way"),
                "hang" => std::future::pending().await,
                _ => Err(ErrorObject::new(-32602, "unknown tool")),
            }
        })
    }
}

async fn linked(child: Compiled) -> Result<(Arc<dyn Link>, mpsc::Receiver<Event>), Fault> {
    let (events, out) = mpsc::channel(8);
    let link = InProcessDial::new("m", Arc::new(child)).dial(events).await?;
    Ok((link, out))
}

fn tool(name: &str) -> crate::call::Call {
    call(Method::ToolsCall, json!({ "name": name }))
}

#[tokio::test]
async fn a_compiled_in_child_is_discovered_and_tells_of_changes() {
    let (link, mut events) = linked(Compiled::default()).await.unwrap();
    assert_eq!(link.about().speaks, "modern 2026-07-28");
    assert_eq!(link.about().instructions.as_deref(), Some("i"));
    assert!(link.tells_changes(List::Tools) && !link.tells_changes(List::Prompts));
    assert_eq!(events.recv().await, Some(Event::Changed(List::Tools)));
    link.probe().await.unwrap();
    assert!(futures_util::poll!(link.lost()).is_pending());
}

#[tokio::test]
async fn progress_tokens_are_never_used_twice() {
    let (link, _events) = linked(Compiled::default()).await.unwrap();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let (call, mut notices) = call_back(Method::ToolsCall, json!({"name": "echo"}));
        let reply = link.serve(call).await.unwrap();
        let result: Value = serde_json::from_str(&reply.result).unwrap();
        let notice: Value = serde_json::from_str(&notices.recv().await.unwrap().params).unwrap();
        assert_eq!(notice["progressToken"], result["token"]);
        tokens.push(result["token"].as_u64().unwrap());
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
}

#[tokio::test]
async fn a_panic_is_the_fault_of_its_call_alone() {
    let (link, _events) = linked(Compiled::default()).await.unwrap();
    for (name, text) in [("panic", "on the way"), ("panic at once", "at once")] {
        let fault = link.serve(tool(name)).await.unwrap_err();
        assert_eq!(word(&fault.kind), "bad answer");
        assert!(fault.log.unwrap().contains(text) && !fault.text.contains(text));
    }
    let error = link.serve(tool("nope")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Child(ErrorObject::new(-32602, "unknown tool")));
    assert!(link.serve(tool("echo")).await.is_ok());
}

#[tokio::test]
async fn a_dropped_call_is_dropped_in_the_child_and_close_ends_its_listen() {
    let child = Compiled::default();
    let dropped = child.dropped.clone();
    let (link, _events) = linked(child).await.unwrap();
    let before = dropped.load(Ordering::SeqCst);
    {
        let mut hanging = link.serve(tool("hang"));
        assert!(futures_util::poll!(&mut hanging).is_pending());
    }
    assert_eq!(dropped.load(Ordering::SeqCst), before + 1);
    link.close().await;
    while dropped.load(Ordering::SeqCst) < before + 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_child_of_another_version_is_refused() {
    let child = Compiled { versions: Some(json!(["2025-06-18"])), ..Compiled::default() };
    let fault = linked(child).await.err().unwrap();
    assert_eq!(word(&fault.kind), "unreachable");
    assert!(fault.text.contains("2026-07-28"), "{fault:?}");
}
