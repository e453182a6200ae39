//! Listens of clients to resources of a legacy child.

use std::sync::Mutex;

use super::script::notice;
use super::*;
use crate::call::{Backchannel, Notice, Reply};

const SUBSCRIBES: &str = r#"{"resources":{"subscribe":true}}"#;

/// A child with one stream; it refuses subscriptions to URIs that say so.
async fn server(stream: Act) -> Server {
    let stream = Mutex::new(Some(stream));
    let script = legacy_server(SUBSCRIBES, move |asked| match asked.verb.as_str() {
        "GET" => stream.lock().unwrap().take().unwrap_or(Act::status(405)),
        _ if asked.body.contains("refused") => {
            Act::json(200, &asked.error(r#"{"code":-32602,"message":"no"}"#))
        }
        _ => result(asked, "{}"),
    });
    Server::start(script).await
}

/// Listens in a task of its own, which ends when aborted.
fn listen(
    link: &Arc<dyn Link>,
    uris: &str,
) -> (tokio::task::JoinHandle<Result<Reply, Fault>>, mpsc::Receiver<Notice>) {
    let params = format!(r#"{{"notifications":{{"resourceSubscriptions":{uris}}}}}"#);
    let mut call = call("subscriptions/listen", &params);
    let (back, notices) = Backchannel::open();
    call.back = back;
    let link = Arc::clone(link);
    (tokio::spawn(async move { link.serve(call).await }), notices)
}

async fn told(notices: &mut mpsc::Receiver<Notice>) -> String {
    let notice = notices.recv().await.unwrap();
    format!("{} {}", notice.method, &*notice.params)
}

fn ack(uris: &str) -> String {
    format!(
        "notifications/subscriptions/acknowledged {}",
        format_args!(r#"{{"notifications":{{"resourceSubscriptions":{uris}}}}}"#)
    )
}

fn updated(uri: &str) -> String {
    notice("notifications/resources/updated", &format!(r#"{{"uri":"{uri}"}}"#))
}

#[tokio::test]
async fn a_listen_subscribes_acknowledges_and_hears_of_what_is_below() {
    let (act, stream) = Act::open("");
    let server = server(act).await;
    let (link, _events) = linked(&server, EraPin::Legacy).await;
    let (listening, mut notices) = listen(&link, r#"["f:///a","f:///refused","f:///d/","f:///a"]"#);
    assert_eq!(told(&mut notices).await, ack(r#"["f:///a","f:///d/"]"#));
    for uri in ["f:///a", "f:///a/b", "f:///d/e", "f:///d/"] {
        stream.send(updated(uri)).await.unwrap();
    }
    for uri in ["f:///a", "f:///a/b", "f:///d/e", "f:///d/"] {
        let expected = format!(r#"notifications/resources/updated {{"uri":"{uri}"}}"#);
        assert_eq!(told(&mut notices).await, expected);
    }
    // A part of either, whose URI does not show of which.
    stream.send(updated("f:///ab")).await.unwrap();
    for uri in ["f:///a", "f:///d/"] {
        let expected = format!(r#"notifications/resources/updated {{"uri":"{uri}"}}"#);
        assert_eq!(told(&mut notices).await, expected);
    }
    listening.abort();
    let mut ended = Vec::new();
    for _ in 0..2 {
        ended.push(server.asked_for("resources/unsubscribe").await.member("params").unwrap());
    }
    ended.sort();
    assert_eq!(ended, [r#"{"uri":"f:///a"}"#, r#"{"uri":"f:///d/"}"#]);
}

#[tokio::test]
async fn listens_to_one_resource_share_its_subscription() {
    let (act, stream) = Act::open("");
    let server = server(act).await;
    let (link, _events) = linked(&server, EraPin::Legacy).await;
    let (first, mut notices) = listen(&link, r#"["f:///a"]"#);
    let (second, mut others) = listen(&link, r#"["f:///a"]"#);
    for notices in [&mut notices, &mut others] {
        assert_eq!(told(notices).await, ack(r#"["f:///a"]"#));
    }
    first.abort();
    let _ended = first.await;
    stream.send(updated("f:///a")).await.unwrap();
    assert!(told(&mut others).await.contains("updated"));
    assert!(notices.recv().await.is_none());
    second.abort();
    server.asked_for("resources/unsubscribe").await;
    link.close().await;
    let asked = server.all_asked().await;
    assert!(asked.iter().all(|asked| asked.method() != "resources/subscribe"), "{asked:?}");
}

#[tokio::test]
async fn c134_what_cannot_be_told_is_not_acknowledged() {
    let without_stream = server(Act::status(405)).await;
    let (link, _events) = linked(&without_stream, EraPin::Legacy).await;
    let (listening, mut notices) = listen(&link, r#"["f:///a"]"#);
    assert_eq!(told(&mut notices).await, ack("[]"));
    assert!(!listening.is_finished());
    let (act, _stream) = Act::open("");
    let refusing = server(act).await;
    let (link, _events) = linked(&refusing, EraPin::Legacy).await;
    let (_listening, mut notices) = listen(&link, r#"["f:///refused",7]"#);
    assert_eq!(told(&mut notices).await, ack("[]"));
}

#[tokio::test]
async fn a_listener_that_is_too_slow_ends_and_may_listen_again() {
    let (act, stream) = Act::open("");
    let server = server(act).await;
    let (link, _events) = linked(&server, EraPin::Legacy).await;
    let (listening, mut notices) = listen(&link, r#"["f:///a"]"#);
    assert_eq!(told(&mut notices).await, ack(r#"["f:///a"]"#));
    let many: String = (0..=crate::call::NOTICES_QUEUED_MAX).map(|_| updated("f:///a")).collect();
    stream.send(many).await.unwrap();
    assert_eq!(&*listening.await.unwrap().unwrap().result, "{}");
    server.asked_for("resources/unsubscribe").await;
}

#[tokio::test]
async fn a_new_session_has_the_subscriptions_of_the_old_one() {
    let (act, _stream) = Act::open("");
    let stream = Mutex::new(Some(act));
    let forgotten = std::sync::atomic::AtomicBool::new(false);
    let server = Server::start(legacy_server(SUBSCRIBES, move |asked| {
        use std::sync::atomic::Ordering::SeqCst;
        match (asked.method().as_str(), asked.header("mcp-session-id")) {
            ("GET", Some("s1")) => stream.lock().unwrap().take().unwrap(),
            ("GET", _) => Act::events(": hello\n\n"),
            ("tools/call", Some("s1")) => {
                forgotten.store(true, SeqCst);
                Act::status(404)
            }
            (_, Some("s1")) if forgotten.load(SeqCst) => Act::status(404),
            _ => result(asked, "{}"),
        }
    }));
    let server = server.await;
    let (link, _events) = linked(&server, EraPin::Legacy).await;
    let (_listening, mut notices) = listen(&link, r#"["f:///a"]"#);
    assert_eq!(told(&mut notices).await, ack(r#"["f:///a"]"#));
    assert_eq!(server.asked_for("resources/subscribe").await.header("mcp-session-id"), Some("s1"));
    link.serve(tool_call()).await.unwrap();
    let again = server.asked_for("resources/subscribe").await;
    assert_eq!(again.header("mcp-session-id"), Some("s2"));
    assert_eq!(again.member("params").as_deref(), Some(r#"{"uri":"f:///a"}"#));
    // What changed in between is unknown: the client is told to look.
    let expected = r#"notifications/resources/updated {"uri":"f:///a"}"#;
    assert_eq!(told(&mut notices).await, expected);
}
