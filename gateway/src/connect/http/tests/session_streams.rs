//! Streams of a legacy child: what flows on them, questions, taking up, cancelling.

use expect_test::expect;

use super::script::{event, notice};
use super::*;
use crate::call::{Backchannel, List, POLL};

const TELLS: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true}}"#;

fn request(id: &str, method: &str) -> String {
    event(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#))
}

#[tokio::test]
async fn c102_what_a_stream_says_reaches_the_call_whose_it_is() {
    let server = Server::start(legacy_server("{}", |asked| {
        let events = [
            ": hello\n\n".to_owned(),
            notice("notifications/progress", r#"{"progressToken":2,"progress":1}"#),
            notice("notifications/progress", r#"{"progressToken":99,"progress":2}"#),
            notice("notifications/message", r#"{"level":"info","data":"x"}"#),
            notice("notifications/prompts/list_changed", "{}"),
            event(&format!("[{}]", asked.result("{}"))),
        ];
        Act::events(&events.concat())
    }));
    let server = server.await;
    let (link, mut told) = linked(&server, EraPin::Legacy).await;
    let mut call = tool_call();
    call.wants_progress = true;
    let (back, mut notices) = Backchannel::open();
    call.back = back;
    link.serve(call).await.unwrap();
    let mut seen = String::new();
    while let Ok(notice) = notices.try_recv() {
        seen += &format!("{} {}\n", notice.method, &*notice.params);
    }
    expect![[r#"
        notifications/progress {"progressToken":2,"progress":1}
        notifications/message {"level":"info","data":"x"}
    "#]]
    .assert_eq(&seen);
    assert_eq!(told.recv().await, Some(Event::Changed(List::Prompts)));
}

#[tokio::test]
async fn c105_c106_questions_are_answered_and_nobody_else_is_asked() {
    let server = Server::start(legacy_server("{}", |asked| match asked.method().as_str() {
        "tools/call" => {
            let events = [
                request("\"p\"", "ping"),
                request("2", "roots/list"),
                request("3", "sampling/createMessage"),
                request("4", "elicitation/create"),
                request("5", "x/unknown"),
                event(&asked.result("{}")),
            ];
            Act::events(&events.concat())
        }
        _ => Act::status(202),
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    link.serve(tool_call()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..5 {
        let asked = server.asked_for("POST").await;
        assert_eq!(asked.header("mcp-session-id"), Some("s1"));
        answers.push(asked.body);
    }
    answers.sort();
    expect![[r#"
        {"jsonrpc":"2.0","id":"p","result":{}}
        {"jsonrpc":"2.0","id":2,"error":{"code":-32603,"message":"no answer came from the client"}}
        {"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no answer came from the client"}}
        {"jsonrpc":"2.0","id":4,"result":{"action":"cancel"}}
        {"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"unknown method"}}"#]]
    .assert_eq(&answers.join("\n"));
}

/// A call whose POST stream is `first`; its `GET`s are answered by `then`, in order.
async fn resumed(
    first: fn(&Asked) -> Act,
    then: impl Fn(&Asked, &str) -> Act + Send + Sync + 'static,
) -> (Server, Result<Raw, String>) {
    let id = std::sync::Mutex::new(String::new());
    let server = Server::start(legacy_server("{}", move |asked| match asked.method().as_str() {
        "tools/call" => {
            *id.lock().unwrap() = asked.id();
            first(asked)
        }
        _ => then(asked, &id.lock().unwrap()),
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let reply = link.serve(tool_call()).await;
    (server, reply.map(|reply| reply.result).map_err(|fault| shown(&fault)))
}

const LOST: &str = "OutcomeUnknown: docs did not answer: the connection was lost. Look first";

#[tokio::test]
async fn c103_a_stream_with_ids_is_taken_up_after_the_last_one() {
    // Once broken, once closed in order after a priming event: both leave the call open.
    let firsts: [fn(&Asked) -> Act; 2] = [
        |_| Act::torn("id: a\nretry: 1\ndata:\n\nid: b\ndata:\n\ndata: {\"cut"),
        |_| Act::events("id: b\nretry: 1\ndata:\n\n"),
    ];
    for first in firsts {
        let (server, reply) = resumed(first, |asked, id| match asked.header("last-event-id") {
            Some("b") => Act::events("id: c\ndata:\n\n"),
            Some("c") => {
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"late":1}}}}"#);
                Act::events(&event(&answer))
            }
            _ => Act::status(400),
        })
        .await;
        assert_eq!(reply.as_deref(), Ok(r#"{"late":1}"#));
        let get = server.asked_for("GET").await;
        assert_eq!(get.header("accept"), Some("text/event-stream"));
        assert_eq!(get.header("mcp-session-id"), Some("s1"));
        assert_eq!(get.header("content-type"), None);
    }
}

#[tokio::test]
async fn c103_a_child_that_hangs_up_in_order_lets_our_client_come_back_later_too() {
    for (first, polls) in [
        (Act::events("id: b\nretry: 1\ndata:\n\n"), true),
        (Act::torn("id: b\nretry: 1\ndata:\n\n"), false),
    ] {
        let (first, called) = (std::sync::Mutex::new(Some(first)), std::sync::Mutex::default());
        let server = Server::start(legacy_server("{}", move |asked| {
            if asked.method() == "tools/call" {
                *called.lock().unwrap() = asked.id();
                return first.lock().unwrap().take().unwrap();
            }
            let id: String = called.lock().unwrap().clone();
            Act::events(&event(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)))
        }));
        let server = server.await;
        let (link, _told) = linked(&server, EraPin::Legacy).await;
        let (back, mut notices) = Backchannel::open();
        link.serve(Call { back, ..tool_call() }).await.unwrap();
        let told = notices.try_recv().map(|notice| notice.method);
        assert_eq!(told.is_ok_and(|method| method == POLL), polls);
    }
}

#[tokio::test]
async fn c095_a_child_is_told_the_most_verbose_level_that_any_caller_wants_once() {
    for (capabilities, expected) in [(r#"{"logging":{}}"#, "warning info "), ("{}", "")] {
        let server = Server::start(legacy_server(capabilities, |asked| result(asked, "{}"))).await;
        let (link, _told) = linked(&server, EraPin::Legacy).await;
        for log_level in [None, Some(3), Some(4), Some(1), Some(1), Some(3)] {
            link.serve(Call { log_level, ..tool_call() }).await.unwrap();
        }
        let mut told = String::new();
        for asked in server.all_asked().await {
            if asked.method() == "logging/setLevel" {
                let params = asked.member("params").unwrap();
                let members = protocol::json::Members::read(&params).unwrap();
                told += &format!("{} ", members.get_string("level").unwrap());
            }
        }
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_is_lost() {
    let (_server, reply) = resumed(|_| Act::torn(": x\n\n"), |_, _| unreachable!()).await;
    assert_eq!(reply, Err(LOST.to_owned()));
    let refused = |_: &Asked, _: &str| Act::status(405);
    let (_server, reply) = resumed(|_| Act::torn("id: a\nretry: 1\n\n"), refused).await;
    assert_eq!(reply, Err(LOST.to_owned()));
    let nothing = |_: &Asked, _: &str| Act::events(": nothing\n\n");
    let (server, reply) = resumed(|_| Act::events("id: a\nretry: 1\n\n"), nothing).await;
    assert_eq!(reply, Err(LOST.to_owned()));
    let all = server.all_asked().await;
    let gets = all.iter().filter(|asked| asked.header("last-event-id").is_some()).count();
    assert_eq!(gets, 5, "the attempts have a bound");
}

#[tokio::test]
async fn c104_a_dropped_call_is_cancelled_in_words_and_its_stream_closed() {
    let (act, _stream) = Act::open(": working\n\n");
    let act = std::sync::Mutex::new(Some(act));
    let server = Server::start(legacy_server("{}", move |asked| match asked.method().as_str() {
        "tools/call" => act.lock().unwrap().take().unwrap(),
        _ => Act::status(202),
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let asked = tokio::select! {
        reply = link.serve(tool_call()) => panic!("{reply:?}"),
        asked = server.asked_for("tools/call") => asked,
    };
    let cancelled = server.asked_for("notifications/cancelled").await;
    let params = cancelled.member("params").unwrap();
    let named =
        protocol::json::Members::read(&params).unwrap().get("requestId") == Some(&asked.id());
    assert!(named, "{params}");
    assert_eq!(cancelled.header("mcp-session-id"), Some("s1"));
    server.closed(asked.connection).await;
}

#[tokio::test]
async fn an_answered_call_is_not_cancelled() {
    let server = Server::start(legacy_server("{}", |asked| match asked.method().as_str() {
        "tools/call" => result(asked, "{}"),
        _ => Act::status(202),
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    link.serve(tool_call()).await.unwrap();
    link.close().await;
    let asked = server.all_asked().await;
    assert!(asked.iter().all(|asked| asked.method() != "notifications/cancelled"), "{asked:?}");
}

#[tokio::test]
async fn the_childs_own_stream_tells_of_changes_and_is_opened_again() {
    let (first, stream) = Act::open("");
    let (second, _again) = Act::open("");
    let next = std::sync::Mutex::new(vec![second, first]);
    let server = Server::start(legacy_server(TELLS, move |asked| match asked.verb.as_str() {
        "GET" => next.lock().unwrap().pop().unwrap(),
        _ => Act::status(202),
    }));
    let server = server.await;
    let (link, mut told) = linked(&server, EraPin::Legacy).await;
    let get = server.asked_for("GET").await;
    assert_eq!(get.header("last-event-id"), None);
    let send = |text: String| stream.send(text);
    send("garbage: \n\ndata: garbage\n\n".to_owned()).await.unwrap();
    send(request("7", "ping")).await.unwrap();
    assert_eq!(server.asked_for("POST").await.body, r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    assert!(link.tells_changes(List::Tools) && !link.tells_changes(List::Resources));
    send(notice("notifications/tools/list_changed", "{}")).await.unwrap();
    assert_eq!(told.recv().await, Some(Event::Changed(List::Tools)));
    drop(stream);
    // What happened in between is unknown, so both lists are to be read again.
    assert_eq!(told.recv().await, Some(Event::Changed(List::Tools)));
    assert_eq!(told.recv().await, Some(Event::Changed(List::Prompts)));
    assert_eq!(server.asked_for("GET").await.header("last-event-id"), None);
    link.close().await;
    drop(link);
    assert_eq!(told.recv().await, None);
}

#[tokio::test]
async fn c103_the_childs_own_stream_is_taken_up_after_the_last_id() {
    let (last, _stream) = Act::open("");
    let next = std::sync::Mutex::new(vec![last, Act::torn("id: 9\nretry: 1\n\n")]);
    let server = Server::start(legacy_server(TELLS, move |asked| match asked.verb.as_str() {
        "GET" => next.lock().unwrap().pop().unwrap(),
        _ => Act::status(202),
    }));
    let server = server.await;
    let (_link, mut told) = linked(&server, EraPin::Legacy).await;
    server.asked_for("GET").await;
    assert_eq!(server.asked_for("GET").await.header("last-event-id"), Some("9"));
    assert!(told.try_recv().is_err(), "nothing was missed");
}

#[tokio::test]
async fn c102_a_child_without_a_stream_is_not_asked_again() {
    let server = Server::start(legacy_server(TELLS, |asked| match asked.verb.as_str() {
        "GET" => Act::status(405),
        _ => result(asked, "{}"),
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    server.asked_for("GET").await;
    link.serve(tool_call()).await.unwrap();
    assert!(!link.tells_changes(List::Tools));
    link.close().await;
    assert!(server.all_asked().await.iter().all(|asked| asked.verb != "GET"));
}

#[tokio::test]
async fn a_session_that_the_stream_finds_forgotten_is_opened_anew() {
    let server =
        Server::start(legacy_server(TELLS, |asked| match asked.header("mcp-session-id") {
            Some("s1") => Act::status(404),
            _ if asked.verb == "GET" => Act::events(": hello\n\n"),
            _ => result(asked, "{}"),
        }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    for _ in 0..2 {
        server.asked_for("initialize").await;
    }
    loop {
        let get = server.asked_for("GET").await;
        if get.header("mcp-session-id") == Some("s2") {
            break;
        }
    }
    link.serve(tool_call()).await.unwrap();
}
