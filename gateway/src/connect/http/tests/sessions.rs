//! Legacy sessions: the handshake, what it may answer, and what a lost session costs.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use expect_test::expect;

use super::script::plain;
use super::*;
use crate::call::List;

#[tokio::test]
async fn c099_c100_the_handshake_is_done_and_its_session_and_version_are_sent() {
    let server =
        Server::start(legacy_server(r#"{"tools":{}}"#, |asked| match asked.method().as_str() {
            "DELETE" => Act::status(200),
            "ping" => result(asked, "{}"),
            _ => result(asked, r#"{"content":[],"x":1.50}"#),
        }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let mut called = tool_call();
    called.params = raw(r#"{"name":"add","_meta":{"x/y":1}}"#);
    called.wants_progress = true;
    assert_eq!(&*link.serve(called).await.unwrap().result, r#"{"content":[],"x":1.50}"#);
    link.probe().await.unwrap();
    link.close().await;
    let mut shown = String::new();
    for asked in server.all_asked().await {
        let header = |name| asked.header(name).unwrap_or("-").to_owned();
        shown += &format!(
            "{} {} {} {}\n",
            asked.method(),
            header("mcp-session-id"),
            header("mcp-protocol-version"),
            asked.member("params").unwrap_or_default(),
        );
    }
    expect![[r#"
        initialize - - {"protocolVersion":"2025-11-25",
        "capabilities":{"elicitation":{"form":{},
        "url":{}},
        "sampling":{"tools":{}},
        "roots":{},
        "extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}},
        "clientInfo":{"name":"gateway",
        "version":"VERSION"}}
        notifications/initialized s1 2025-11-25 
        tools/call s1 2025-11-25 {"name":"add",
        "_meta":{"x/y":1,
        "progressToken":2}}
        ping s1 2025-11-25 {}
        DELETE s1 2025-11-25 
    "#]]
    .assert_eq(&unversioned(&shown));
    assert_eq!(link.about().speaks, "legacy 2025-11-25");
    assert_eq!(link.about().instructions.as_deref(), Some("be kind"));
    assert!(link.about().server_info.is_some() && link.about().capabilities.tools);
}

/// What a handshake that is answered with `version` comes to, and which version is sent after it.
async fn agreed(version: &'static str) -> Result<(String, String), String> {
    let server = Server::start(move |asked: &Asked| match asked.method().as_str() {
        "initialize" => {
            let body = asked.result(&format!(r#"{{"protocolVersion":{version}}}"#));
            Act::json_with(200, "mcp-session-id: s\r\n", &body)
        }
        _ => Act::status(202),
    });
    let server = server.await;
    match dialled(&server, EraPin::Legacy).await {
        Ok(link) => {
            let asked = server.asked_for("notifications/initialized").await;
            let sent = asked.header("mcp-protocol-version").unwrap().to_owned();
            Ok((link.about().speaks.clone(), sent))
        }
        Err(fault) => Err(shown(&fault)),
    }
}

#[tokio::test]
async fn a_handshake_is_answered_with_any_published_version() {
    for version in ["\"2024-11-05\"", "\"2025-03-26\"", "\"2025-06-18\""] {
        let plain = version.trim_matches('"').to_owned();
        assert_eq!(agreed(version).await, Ok((format!("legacy {plain}"), plain)));
    }
    let modern = ("legacy, answered 2026-07-28 to initialize".to_owned(), "2026-07-28".to_owned());
    assert_eq!(agreed("\"2026-07-28\"").await, Ok(modern));
    expect![[r#"
        Unreachable: docs cannot be reached: its answer to initialize: expected
        version 2025-11-25 or older, found 1.0"#]]
    .assert_eq(&agreed("\"1.0\"").await.unwrap_err());
    expect![[r#"
        Unreachable: docs cannot be reached: its answer to initialize: no
        protocolVersion"#]]
    .assert_eq(&agreed("7").await.unwrap_err());
}

#[tokio::test]
async fn a_handshake_refused_for_its_version_is_tried_with_one_that_both_speak() {
    let server = Server::start(|asked: &Asked| match asked.method().as_str() {
        "initialize" if asked.body.contains("2025-11-25") => {
            let data = r#"{"supported":["2024-11-05"],"requested":"2025-11-25"}"#;
            let error = format!(r#"{{"code":-32602,"message":"no","data":{data}}}"#);
            Act::json(200, &asked.error(&error))
        }
        "initialize" => result(asked, r#"{"protocolVersion":"2024-11-05","capabilities":{}}"#),
        _ => Act::status(202),
    });
    let server = server.await;
    let link = dialled(&server, EraPin::Legacy).await.unwrap();
    assert_eq!(link.about().speaks, "legacy 2024-11-05");
    let server = Server::start(|asked: &Asked| {
        Act::json(400, &asked.error(r#"{"code":-32022,"message":"modern only"}"#))
    });
    let server = server.await;
    let fault = dialled(&server, EraPin::Legacy).await.err().unwrap();
    expect![[r#"
        Unreachable: docs cannot be reached: it refused initialize: modern only
        (-32022)"#]]
    .assert_eq(&shown(&fault));
}

#[tokio::test]
async fn c101_a_handshake_that_is_given_up_ends_its_session() {
    let (silent, _hold) = Act::silence();
    let silent = std::sync::Mutex::new(Some(silent));
    let healthy = legacy_server("{}", |_| Act::status(200));
    let server = Server::start(move |asked: &Asked| match asked.method().as_str() {
        "notifications/initialized" => silent.lock().unwrap().take().unwrap(),
        _ => healthy(asked),
    });
    let server = server.await;
    tokio::select! {
        _ = dialled(&server, EraPin::Legacy) => panic!("no end of the handshake"),
        _ = server.asked_for("notifications/initialized") => {}
    }
    assert_eq!(server.asked_for("DELETE").await.header("mcp-session-id"), Some("s1"));
}

/// Forgets the first session; answers calls in all later ones.
fn forgetful(how: fn() -> Act) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    legacy_server("{}", move |asked| match asked.header("mcp-session-id") {
        Some("s1") => how(),
        _ => result(asked, r#"{"content":[]}"#),
    })
}

#[tokio::test]
async fn c100_a_forgotten_session_is_opened_anew_once_for_fifty_calls() {
    let server = Server::start(forgetful(|| Act::status(404))).await;
    let (link, mut told) = linked(&server, EraPin::Legacy).await;
    let calls = (0..50).map(|_| link.serve(tool_call()));
    for reply in futures_util::future::join_all(calls).await {
        reply.unwrap();
    }
    let asked = server.all_asked().await;
    let count = |method: &str, session: Option<&str>| {
        let same =
            |asked: &&Asked| asked.method() == method && asked.header("mcp-session-id") == session;
        asked.iter().filter(same).count()
    };
    assert_eq!(count("initialize", None), 2);
    assert!((1..=50).contains(&count("tools/call", Some("s1"))));
    assert_eq!(count("tools/call", Some("s2")), 50, "each call is done once");
    for list in [List::Tools, List::Prompts, List::Resources] {
        assert_eq!(told.recv().await, Some(Event::Changed(list)));
    }
}

#[tokio::test]
async fn a_session_is_also_forgotten_in_words() {
    let ways: [fn() -> Act; 4] = [
        || Act::json(400, &error(-32000, "Bad Request: No valid session ID provided")),
        || Act::json(404, &error(-32001, "Session not found")),
        || Act::Write(plain(400, "Content-Type: text/plain\r\n", "Invalid session id\n")),
        || Act::Write(plain(400, "", "Bad Request: Server not initialized")),
    ];
    for way in ways {
        let server = Server::start(forgetful(way)).await;
        let (link, _told) = linked(&server, EraPin::Legacy).await;
        link.serve(tool_call()).await.unwrap();
    }
}

#[tokio::test]
async fn other_refusals_leave_the_session_as_it_is() {
    let server = Server::start(forgetful(|| Act::json(404, &error(-32601, "no"))));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    assert_eq!(shown(&fault), "Child -32601: no");
    let asked = server.all_asked().await;
    assert_eq!(asked.iter().filter(|asked| asked.method() == "initialize").count(), 1);
}

#[tokio::test]
async fn a_child_that_forgets_at_once_is_asked_no_third_time() {
    let server = Server::start(legacy_server("{}", |_| Act::status(404))).await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    expect!["Unreachable: docs cannot be reached: it forgets its sessions at once"]
        .assert_eq(&shown(&fault));
    let asked = server.all_asked().await;
    assert_eq!(asked.iter().filter(|asked| asked.method() == "tools/call").count(), 2);
}

#[tokio::test]
async fn a_failed_new_handshake_fails_all_who_waited_for_it_once() {
    let handshakes = AtomicU32::new(0);
    let healthy = legacy_server("{}", |_| Act::status(404));
    let server = Server::start(move |asked: &Asked| {
        let later = asked.method() == "initialize" && handshakes.fetch_add(1, SeqCst) > 0;
        if later { Act::status(500) } else { healthy(asked) }
    });
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let calls = (0..20).map(|_| link.serve(tool_call()));
    for reply in futures_util::future::join_all(calls).await {
        let fault = reply.unwrap_err();
        assert!(matches!(fault.kind, Kind::Unreachable { .. }), "{fault:?}");
    }
    link.serve(tool_call()).await.unwrap_err();
    let asked = server.all_asked().await;
    let handshakes = asked.iter().filter(|asked| asked.method() == "initialize").count();
    assert!(handshakes < 20, "{handshakes} handshakes");
}

#[tokio::test]
async fn a_child_that_comes_back_as_another_is_lost() {
    let handshakes = AtomicU32::new(0);
    let server = Server::start(move |asked: &Asked| match asked.method().as_str() {
        "initialize" => {
            let offers =
                if handshakes.fetch_add(1, SeqCst) == 0 { "{}" } else { r#"{"tools":{}}"# };
            let body = format!(r#"{{"protocolVersion":"2025-06-18","capabilities":{offers}}}"#);
            Act::json_with(200, "Mcp-Session-Id: s\r\n", &asked.result(&body))
        }
        "notifications/initialized" => Act::status(202),
        "tools/call" => Act::status(404),
        _ => result(asked, "{}"),
    });
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Legacy).await;
    let _gone = link.serve(tool_call()).await.unwrap_err();
    assert_eq!(link.lost().await, "it came back as another server, in a new session");
}
