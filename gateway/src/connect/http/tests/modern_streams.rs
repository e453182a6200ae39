//! Answers of a modern child as streams: what flows on them, how they end, and listens.

use expect_test::expect;

use super::script::{event, notice};
use super::*;
use crate::call::{Backchannel, List};
use tokio::sync::Mutex;

const TELLS: &str = r#"{"tools":{"listChanged":true},"resources":{"listChanged":true}}"#;

#[tokio::test]
async fn c064_what_a_stream_says_reaches_the_call_and_its_response_ends_it() {
    let server = Server::start(modern_server("{}", |asked| {
        let events = [
            ": hello\r\n\r\n".to_owned(),
            notice("notifications/progress", r#"{"progressToken":2,"progress":0.5}"#),
            "event: ping\ndata: {}\n\n".to_owned(),
            notice("notifications/message", r#"{"level":"info","data":1}"#),
            notice("notifications/tools/list_changed", "{}"),
            event(&asked.result(r#"{"content":[]}"#)),
        ];
        Act::events(&events.concat())
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    for _ in 0..3 {
        let mut call = tool_call();
        let (back, mut notices) = Backchannel::open();
        call.back = back;
        link.serve(call).await.unwrap();
        let mut seen = String::new();
        while let Ok(notice) = notices.try_recv() {
            seen += &format!("{} {}\n", notice.method, &*notice.params);
        }
        expect![[r#"
            notifications/progress {"progressToken":2,"progress":0.5}
            notifications/message {"level":"info","data":1}
        "#]]
        .assert_eq(&seen);
    }
}

#[tokio::test]
async fn c070_a_stream_that_breaks_loses_its_call_and_is_not_asked_again() {
    let server = Server::start(modern_server("{}", |_| Act::torn(": hello\n\nid: 7\ndata:\n\n")));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    assert!(matches!(fault.kind, Kind::OutcomeUnknown { .. }), "{fault:?}");
    let fault = link.serve(call("tools/list", "{}")).await.unwrap_err();
    assert!(matches!(fault.kind, Kind::Unreachable { .. }), "{fault:?}");
    let methods: Vec<String> = server.all_asked().await.iter().map(Asked::method).collect();
    assert_eq!(methods, ["server/discover", "tools/call", "tools/list"]);
}

#[tokio::test]
async fn a_stream_with_several_wrong_answers_has_none() {
    let server = Server::start(modern_server("{}", |asked| match asked.method().as_str() {
        "tools/list" => Act::events(&event(r#"{"jsonrpc":"2.0","id":"s","result":{"tools":[]}}"#)),
        "prompts/list" => Act::events(&event(r#"{"jsonrpc":"2.0","id":98,"result":{}}"#)),
        _ => {
            let wrong = event(r#"{"jsonrpc":"2.0","id":"x","result":{}}"#);
            Act::events(&[wrong.clone(), wrong].concat())
        }
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    link.serve(call("tools/list", "{}")).await.unwrap();
    // A number is another request's id: such an answer is nobody's here.
    let fault = link.serve(call("prompts/list", "{}")).await.unwrap_err();
    assert!(matches!(fault.kind, Kind::Unreachable { .. }), "{fault:?}");
    let fault = link.serve(tool_call()).await.unwrap_err();
    expect![[r#"
        BadAnswer: docs sent no answer: several responses, none with the id of the
        request"#]]
    .assert_eq(&shown(&fault));
}

/// Serves with an act that can be made once.
fn one_by_one(acts: Vec<Act>) -> impl Fn() -> Act + Send + Sync {
    let acts = std::sync::Mutex::new(acts.into_iter());
    move || acts.lock().unwrap().next().unwrap()
}

#[tokio::test]
async fn c063_a_dropped_call_closes_its_connection_before_and_after_the_head() {
    let (silent, _hold) = Act::silence();
    let (streaming, _keep) = Act::open(": working\n\n");
    let next = one_by_one(vec![silent, streaming]);
    let server = Server::start(modern_server("{}", move |_| next())).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    for _ in 0..2 {
        let connection = {
            let serving = link.serve(tool_call());
            tokio::select! {
                reply = serving => panic!("{reply:?}"),
                asked = server.asked_for("tools/call") => asked.connection,
            }
        };
        server.closed(connection).await;
    }
}

#[tokio::test]
async fn c132_a_listen_of_a_client_outlives_that_of_the_gateway() {
    let (first, stream) = Act::open("");
    let (second, again) = Act::open("");
    let next = one_by_one(vec![first, second]);
    let server = Server::start(modern_server("{}", move |_| next())).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let mut listen = call(
        "subscriptions/listen",
        r#"{"notifications":{"resourceSubscriptions":["file:///a"]}}"#,
    );
    let (back, mut notices) = Backchannel::open();
    listen.back = back;
    let told = async {
        let asked = server.asked_for("subscriptions/listen").await;
        let ack = r#"{"notifications":{"resourceSubscriptions":["file:///a"]}}"#;
        let ack = notice("notifications/subscriptions/acknowledged", ack);
        let update = notice("notifications/resources/updated", r#"{"uri":"file:///a"}"#);
        stream.send(ack.clone()).await.unwrap();
        stream.send(update.clone()).await.unwrap();
        for method in ["acknowledged", "updated"] {
            assert!(notices.recv().await.unwrap().method.ends_with(method));
        }
        stream.send(event(&asked.result(r#"{"resultType":"complete"}"#))).await.unwrap();
        server.asked_for("subscriptions/listen").await;
        again.send(ack).await.unwrap();
        // What came in between was told to nobody, so the resource counts as updated.
        assert_eq!(&*notices.recv().await.unwrap().params, r#"{"uri":"file:///a"}"#);
        again.send(update).await.unwrap();
        assert!(notices.recv().await.unwrap().method.ends_with("updated"));
    };
    tokio::select! {
        reply = link.serve(listen) => panic!("{reply:?}"),
        () = told => {}
    }
}

#[tokio::test]
async fn c132_changes_are_heard_and_a_broken_listen_is_opened_again() {
    let (first, stream) = Act::open("");
    let (second, again) = Act::open("");
    let next = Mutex::new(vec![second, first]);
    let server = Server::start(modern_server(TELLS, move |asked| match asked.method().as_str() {
        "subscriptions/listen" => next.try_lock().unwrap().pop().unwrap(),
        _ => result(asked, r#"{"tools":[]}"#),
    }));
    let server = server.await;
    let (link, mut told) = linked(&server, EraPin::Modern).await;
    let listen = server.asked_for("subscriptions/listen").await;
    expect![[r#"{"toolsListChanged":true,"resourcesListChanged":true}"#]].assert_eq(
        protocol::json::Members::read(&listen.member("params").unwrap())
            .unwrap()
            .get("notifications")
            .unwrap(),
    );
    assert!(!link.tells_changes(List::Tools), "not before the acknowledgement");
    link.serve(call("tools/list", "{}")).await.unwrap();
    let ack = r#"{"notifications":{"toolsListChanged":true}}"#;
    stream.send(notice("notifications/subscriptions/acknowledged", ack)).await.unwrap();
    // The tools were read before anybody listened, so they may have changed unheard.
    assert_eq!(told.recv().await, Some(Event::Changed(List::Tools)));
    assert!(link.tells_changes(List::Tools) && !link.tells_changes(List::Resources));
    stream.send(notice("notifications/tools/list_changed", "{}")).await.unwrap();
    assert_eq!(told.recv().await, Some(Event::Changed(List::Tools)));
    drop(stream);
    server.asked_for("subscriptions/listen").await;
    assert!(!link.tells_changes(List::Tools), "nobody listens now");
    let ack = r#"{"notifications":{"toolsListChanged":true,"resourcesListChanged":true}}"#;
    again.send(notice("notifications/subscriptions/acknowledged", ack)).await.unwrap();
    assert_eq!(told.recv().await, Some(Event::Changed(List::Tools)));
    assert_eq!(told.recv().await, Some(Event::Changed(List::Resources)));
    assert!(link.tells_changes(List::Resources));
    link.close().await;
    drop(link);
    assert_eq!(told.recv().await, None, "the listen ends with the link");
}

#[tokio::test]
async fn a_child_without_listen_is_not_asked_again_and_tells_no_changes() {
    let server = Server::start(modern_server(TELLS, |asked| {
        Act::json(404, &asked.error(r#"{"code":-32601,"message":"no"}"#))
    }));
    let server = server.await;
    let (link, mut told) = linked(&server, EraPin::Modern).await;
    server.asked_for("subscriptions/listen").await;
    link.close().await;
    assert!(!link.tells_changes(List::Tools));
    drop(link);
    assert_eq!(told.recv().await, None);
}
