//! Calls to a modern child: what goes out, and what each answer means.

use expect_test::{Expect, expect};
use http::{HeaderName, HeaderValue};
use protocol::header::Mirrored;
use protocol::json::Members;

use super::script::plain;
use super::*;

const TOOLS: &str = r#"{"tools":{}}"#;

/// The fault that `act` is to a call of `method`.
async fn check(method: &'static str, act: fn(&Asked) -> Act, expected: Expect) {
    let server = Server::start(modern_server(TOOLS, act)).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let params = if method == "tools/call" { r#"{"name":"add"}"# } else { "{}" };
    let fault = link.serve(call(method, params)).await.unwrap_err();
    expected.assert_eq(&shown(&fault));
    assert!(!fault.text.contains("127.0.0.1") && !fault.text.contains("secret"), "{fault:?}");
}

#[tokio::test]
async fn c065_c066_c069_headers_say_what_the_body_says() {
    let server = Server::start(modern_server(TOOLS, |asked| result(asked, r#"{"content":[]}"#)));
    let server = server.await;
    let mut settings = settings(&server, EraPin::Modern);
    let mut secret = HeaderValue::from_static("Bearer t");
    secret.set_sensitive(true);
    settings.headers = vec![
        (HeaderName::from_static("authorization"), secret),
        (HeaderName::from_static("mcp-method"), HeaderValue::from_static("of the file")),
    ];
    assert!(!format!("{settings:?}").contains("Bearer"), "{settings:?}");
    let (events, _told) = mpsc::channel(1);
    let link = HttpDial::new(settings).unwrap().dial(events).await.unwrap();
    let mut call = call(
        "tools/call",
        r#"{"name":"größer","arguments":{"n":42.0,"o":{"city":" Köln"},"b":true,"z":null},
            "_meta":{"x/y":1}}"#,
    );
    let one = |header: &str, path: &[&str], integer| Mirrored {
        header: header.to_owned(),
        path: path.iter().map(|key| (*key).to_owned()).collect(),
        integer,
    };
    call.mirrored = [
        one("N", &["n"], true),
        one("City", &["o", "city"], false),
        one("B", &["b"], false),
        one("Z", &["z"], false),
    ]
    .into();
    let forwarded = [("n", "41"), ("z", "old"), ("other", "=?base64?w6Q=?=")];
    let forwarded = forwarded.map(|(name, value)| (name.to_owned(), value.to_owned()));
    call.param_headers = Some(forwarded.into());
    link.serve(call).await.unwrap();
    let asked = server.asked_for("tools/call").await;
    let mut headers: Vec<String> =
        asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    headers.retain(|line| !line.starts_with("host: ") && !line.starts_with("content-length: "));
    headers.sort();
    expect![[r#"
        POST /mcp?key=secret
        accept: application/json, text/event-stream
        authorization: Bearer t
        content-type: application/json
        mcp-method: tools/call
        mcp-name: =?base64?Z3LDtsOfZXI=?=
        mcp-param-b: true
        mcp-param-city: =?base64?IEvDtmxu?=
        mcp-param-n: 42
        mcp-param-other: =?base64?w6Q=?=
        mcp-protocol-version: 2026-07-28
        user-agent: gateway/VERSION"#]]
    .assert_eq(&unversioned(&format!("{} {}\n{}", asked.verb, asked.target, headers.join("\n"))));
    let params = asked.member("params").unwrap();
    let meta = Members::read(&params).unwrap().get("_meta").unwrap();
    expect![[r#"
        {"x/y":1,
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}},
        "io.modelcontextprotocol/clientInfo":{"name":"gateway",
        "version":"VERSION"}}"#]]
    .assert_eq(&unversioned(meta));
}

#[tokio::test]
async fn a_json_answer_is_relayed_and_its_connection_used_again() {
    let server = Server::start(modern_server(TOOLS, |asked| {
        result(asked, r#"{"content":[],"resultType":"complete","x":1.50}"#)
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    assert_eq!(link.about().speaks, "modern 2026-07-28");
    assert_eq!(link.about().instructions.as_deref(), Some("be kind"));
    assert!(link.about().server_info.is_some() && link.about().capabilities.tools);
    for _ in 0..3 {
        let reply = link.serve(tool_call()).await.unwrap();
        assert_eq!(&*reply.result, r#"{"content":[],"resultType":"complete","x":1.50}"#);
    }
    link.probe().await.unwrap();
    link.close().await;
    let asked = server.all_asked().await;
    assert!(asked.iter().all(|asked| asked.connection == 0), "{asked:?}");
    let mut ids: Vec<String> = asked.iter().map(Asked::id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 5, "every request has an id of its own");
}

#[tokio::test]
async fn an_answer_with_a_lost_id_counts_when_it_is_the_only_one() {
    let server = Server::start(modern_server(TOOLS, |_| {
        Act::json(200, r#"{"jsonrpc":"2.0","id":"server","result":{"content":[]}}"#)
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    link.serve(tool_call()).await.unwrap();
}

#[tokio::test]
async fn answers_that_are_none_say_what_is_wrong_with_them() {
    let html: fn(&Asked) -> Act = |_| Act::Write(plain(200, "Content-Type: text/html\r\n", "<p>"));
    check(
        "tools/call",
        html,
        expect![[r#"
        BadAnswer: docs sent no answer: expected the content type application/json
        or text/event-stream, found text/html"#]],
    )
    .await;
    let broken: fn(&Asked) -> Act = |_| Act::json(200, "{\"jsonrpc\":");
    check(
        "tools/call",
        broken,
        expect![[r#"
        BadAnswer: docs sent no answer: not JSON: EOF while parsing a value at line
        1 column 11"#]],
    )
    .await;
    let empty: fn(&Asked) -> Act = |_| Act::status(202);
    check("tools/call", empty, expect!["BadAnswer: docs sent no answer: an empty body"]).await;
    let notice: fn(&Asked) -> Act = |_| Act::json(200, r#"{"jsonrpc":"2.0","method":"n/x"}"#);
    check(
        "tools/call",
        notice,
        expect!["BadAnswer: docs sent no answer: the body has no response"],
    )
    .await;
    let unknown: fn(&Asked) -> Act = |asked| result(asked, r#"{"resultType":"odd"}"#);
    check(
        "tools/call",
        unknown,
        expect![[r#"
        BadAnswer: docs sent no answer: resultType: expected "complete",
        "input_required" or "task", found "odd""#]],
    )
    .await;
    let gone: fn(&Asked) -> Act = |_| Act::Write(plain(404, "", "no such page"));
    check(
        "tools/call",
        gone,
        expect!["BadAnswer: docs sent no answer: HTTP 404 without a JSON-RPC message"],
    )
    .await;
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_by_its_length_and_by_its_bytes() {
    let said: fn(&Asked) -> Act = |_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        let (Act::Follow(_, out), _) = Act::silence() else { unreachable!() };
        Act::Follow(format!("{head}Content-Length: 100001\r\n\r\n").into_bytes(), out)
    };
    check("tools/call", said, expect!["BadAnswer: docs sent no answer: more than 100000 bytes"])
        .await;
    let sent: fn(&Asked) -> Act = |_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
        Act::Close(format!("{head}{}", "x".repeat(200_000)).into_bytes())
    };
    check("tools/call", sent, expect!["BadAnswer: docs sent no answer: more than 100000 bytes"])
        .await;
    let event: fn(&Asked) -> Act = |_| Act::torn(&format!("data: {}", "x".repeat(200_000)));
    check(
        "tools/call",
        event,
        expect!["BadAnswer: docs sent no answer: an event of more than 100000 bytes"],
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_names_its_host_in_the_log_alone() {
    let act: fn(&Asked) -> Act =
        |_| Act::Write(plain(307, "Location: https://in.example/x?token=t\r\n", ""));
    check(
        "tools/call",
        act,
        expect![[r#"
        BadAnswer: docs sent no answer: a redirect (HTTP 307), which is not
        followed: give the mount the final URL"#]],
    )
    .await;
    let server = Server::start(modern_server(TOOLS, act)).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    assert_eq!(fault.log.as_deref(), Some("the redirect points to host in.example"));
}

#[tokio::test]
async fn the_childs_own_error_is_relayed_with_any_status() {
    let error: fn(&Asked) -> Act =
        |asked| Act::json(400, &asked.error(r#"{"code":-32602,"message":"no such tool"}"#));
    check("tools/call", error, expect!["Child -32602: no such tool"]).await;
    let error: fn(&Asked) -> Act =
        |asked| Act::json(500, &asked.error(r#"{"code":7,"message":"out of order"}"#));
    check("tools/call", error, expect!["Child 7: out of order"]).await;
    let error: fn(&Asked) -> Act =
        |asked| Act::json(200, &asked.error(r#"{"code":-32603,"message":"oh"}"#));
    check("tools/call", error, expect!["Child -32603: oh"]).await;
}

#[tokio::test]
async fn c201_a_refused_credential_is_its_own_state_and_its_challenge_stays_here() {
    for status in [401, 403] {
        let server = Server::start(modern_server(TOOLS, move |_| {
            let challenge = "WWW-Authenticate: Bearer resource_metadata=\"http://in.example\"\r\n";
            Act::Write(plain(status, challenge, r#"{"jsonrpc":"2.0","error":{"code":1}}"#))
        }));
        let server = server.await;
        let (link, _told) = linked(&server, EraPin::Modern).await;
        let fault = link.serve(tool_call()).await.unwrap_err();
        assert!(matches!(fault.kind, Kind::Unreachable { unauthorized: true, .. }), "{fault:?}");
        assert!(!format!("{fault:?}").contains("in.example"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_may_have_happened_is_never_called_safe() {
    let torn: fn(&Asked) -> Act = |_| Act::Close(Vec::new());
    check(
        "tools/call",
        torn,
        expect!["OutcomeUnknown: docs did not answer: the connection was lost. Look first"],
    )
    .await;
    check(
        "tools/list",
        torn,
        expect!["Unreachable: docs cannot be reached: the connection was lost"],
    )
    .await;
    let half: fn(&Asked) -> Act = |_| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
        Act::Close(format!("{head}{{").into_bytes())
    };
    check(
        "tools/call",
        half,
        expect!["OutcomeUnknown: docs did not answer: the connection was lost. Look first"],
    )
    .await;
    let proxy: fn(&Asked) -> Act = |_| Act::Write(plain(502, "Retry-After: 3\r\n", "bad gateway"));
    check(
        "tools/call",
        proxy,
        expect!["OutcomeUnknown: docs did not answer: HTTP 502. Look first"],
    )
    .await;
    check(
        "resources/list",
        proxy,
        expect!["Unreachable after 3s: docs cannot be reached: HTTP 502"],
    )
    .await;
    let busy: fn(&Asked) -> Act = |_| Act::Write(plain(503, "", ""));
    check("tools/call", busy, expect!["OutcomeUnknown: docs did not answer: HTTP 503. Look first"])
        .await;
}

#[tokio::test]
async fn a_call_that_was_certainly_refused_is_safe_to_repeat() {
    let busy: fn(&Asked) -> Act = |_| Act::Write(plain(503, "Retry-After: 7\r\n", ""));
    check("tools/call", busy, expect!["Unreachable after 7s: docs cannot be reached: HTTP 503"])
        .await;
    let much: fn(&Asked) -> Act = |_| Act::Write(plain(429, "", "slow down"));
    check("tools/call", much, expect!["Unreachable after 1s: docs cannot be reached: HTTP 429"])
        .await;
    let large: fn(&Asked) -> Act = |_| Act::Write(plain(413, "", ""));
    check(
        "tools/call",
        large,
        expect!["Invalid { uri: None }: the request is larger than docs takes (HTTP 413)"],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_is_gone_was_sent_nothing() {
    let server = Server::start(modern_server(TOOLS, |_| Act::Close(Vec::new()))).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let lost = link.serve(tool_call()).await.unwrap_err();
    assert_eq!(
        lost.text,
        "the server behind `docs` did not answer: the connection was lost. The call was sent and \
         may have been carried out: look before you repeat it"
    );
    server.stop().await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    expect!["Unreachable: docs cannot be reached: connection refused"].assert_eq(&shown(&fault));
}

#[tokio::test]
async fn a_pooled_connection_that_the_server_closed_costs_no_call() {
    let answered = std::sync::atomic::AtomicU32::new(0);
    let server = Server::start(modern_server(TOOLS, move |asked| {
        answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (Act::Write(bytes) | Act::Close(bytes)) = result(asked, r#"{"content":[]}"#) else {
            unreachable!()
        };
        Act::Close(bytes)
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    for _ in 0..20 {
        match link.serve(tool_call()).await {
            Ok(_) => {}
            // The close crossed the request on its way: nobody can know.
            Err(fault) => assert!(matches!(fault.kind, Kind::OutcomeUnknown { .. }), "{fault:?}"),
        }
    }
}

#[tokio::test]
async fn c027_a_child_that_speaks_our_version_no_more_is_lost_and_did_nothing() {
    let server = Server::start(modern_server(TOOLS, |asked| {
        let data = r#"{"supported":["2025-11-25"],"requested":"2026-07-28"}"#;
        let error = format!(r#"{{"code":-32022,"message":"no","data":{data}}}"#);
        Act::json(400, &asked.error(&error))
    }));
    let server = server.await;
    let (link, _told) = linked(&server, EraPin::Auto).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    expect!["Unreachable: docs cannot be reached: it no longer speaks 2026-07-28"]
        .assert_eq(&shown(&fault));
    assert_eq!(link.lost().await, "it no longer speaks 2026-07-28");
}

#[tokio::test]
async fn c068_a_header_mismatch_makes_the_tools_be_read_again() {
    let server = Server::start(modern_server(TOOLS, |asked| {
        Act::json(400, &asked.error(r#"{"code":-32020,"message":"Mcp-Param-N"}"#))
    }));
    let server = server.await;
    let (link, mut told) = linked(&server, EraPin::Auto).await;
    let fault = link.serve(tool_call()).await.unwrap_err();
    assert_eq!(shown(&fault), "Child -32020: Mcp-Param-N");
    assert_eq!(told.recv().await, Some(Event::Changed(crate::call::List::Tools)));
}

#[tokio::test]
async fn a_name_that_is_missing_is_the_clients_fault() {
    let server = Server::start(modern_server(TOOLS, |_| unreachable!())).await;
    let (link, _told) = linked(&server, EraPin::Modern).await;
    let fault = link.serve(call("tools/call", "{}")).await.unwrap_err();
    assert_eq!(shown(&fault), "Invalid { uri: None }: params.name: expected a string");
}
