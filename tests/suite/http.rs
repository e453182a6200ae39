//! Modern Streamable HTTP: who is let in, statuses, streams (checks 45 to 47, 57 to 63, 71, 72).

use expect_test::expect;
use harness::client::{Ask, check, check_rows, initialize, legacy, modern};
use harness::echo::Echo;
use harness::start::{start_echo, start_echo_with};

const ECHO: &str = r#"{"name":"e_echo","arguments":{}}"#;
const TOKEN: &str = "progressToken";

fn call() -> Ask {
    modern("tools/call", ECHO)
}

#[tokio::test]
async fn c045_there_is_one_endpoint_and_one_of_each_mount() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.sse", "false")]).await;
    let at = |path: &str| modern("tools/list", "{}").at(path);
    let rows = ["/mcp", "/mcp/", "/mcp/e", "/mcp?x=1", "/", "/mcpx", "/mcp/e/f", "/sse"]
        .map(|path| (path, at(path)));
    expect![[r#"
        /mcp: 200
        /mcp/: 200
        /mcp/e: 200
        /mcp?x=1: 200
        /: 404 -32600
        /mcpx: 404 -32600
        /mcp/e/f: 404 -32600
        /sse: 404 -32600
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
    let own = modern("tools/call", r#"{"name":"echo","arguments":{}}"#).at("/mcp/e");
    check(&gateway.http(), &own, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
}

#[tokio::test]
async fn c046_a_foreign_origin_is_refused_on_every_verb() {
    let gateway = start_echo(&Echo::new()).await;
    for origin in ["https://evil.example", "null", "http://localhost.evil.example", "file://", ""] {
        for ask in [call(), Ask::bare("GET"), Ask::bare("DELETE"), initialize("2025-11-25", "{}")] {
            let shown = gateway.http().shown(&ask.header("origin", origin)).await;
            assert!(shown.starts_with("403 "), "{origin}: {shown}");
        }
    }
    for origin in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:1"] {
        let shown = gateway.http().shown(&call().header("origin", origin)).await;
        assert!(shown.starts_with("200 "), "{origin}: {shown}");
    }
    check(&gateway.http(), &call().header("origin", "https://evil.example"), expect![[r#"
        403 application/json
        {"jsonrpc":"2.0","error":{"code":-32600,"message":"Origin: not let in; add it to gateway.origins if it should be"}}"#]]).await;
}

#[tokio::test]
async fn c046_a_foreign_host_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "0.0.0.0"] {
        let shown = gateway.http().shown(&call().header("host", host)).await;
        assert!(shown.starts_with("403 "), "{host}: {shown}");
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8808"] {
        let shown = gateway.http().shown(&call().header("host", host)).await;
        assert!(shown.starts_with("200 "), "{host}: {shown}");
    }
    let shown = gateway.http().bytes("GET /mcp HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(shown.starts_with("HTTP/1.1 403 ") || shown.starts_with("HTTP/1.1 400 "), "{shown}");
}

#[tokio::test]
async fn c046_hosts_and_origins_of_the_configuration_are_let_in() {
    let flags =
        [("gateway.hosts", "[\"gw.example\"]"), ("gateway.origins", "[\"https://app.example\"]")];
    let gateway = start_echo_with(&Echo::new(), &flags).await;
    let ask = call().header("host", "gw.example").header("origin", "https://app.example");
    assert!(gateway.http().shown(&ask).await.starts_with("200 "));
    let ask = call().header("origin", "https://app.example.evil.example");
    assert!(gateway.http().shown(&ask).await.starts_with("403 "));
}

#[tokio::test]
async fn pages_of_origins_that_are_let_in_can_call_and_no_others() {
    let flags = [("gateway.origins", "[\"https://app.example\"]")];
    let gateway = start_echo_with(&Echo::new(), &flags).await;
    let http = gateway.http();
    let preflight = |origin: &str| {
        Ask::bare("OPTIONS")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,mcp-param-region")
    };
    for origin in ["https://app.example", "http://localhost:6274"] {
        let answer = http.send(&preflight(origin)).await;
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(header("access-control-allow-origin"), origin);
        assert_eq!(header("access-control-allow-headers"), "content-type,mcp-param-region");
        assert_eq!(header("access-control-allow-methods"), "POST,GET,DELETE");
        let answer = http.send(&call().header("origin", origin)).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-expose-headers"), Some("mcp-session-id"));
    }
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        let answer = http.send(&preflight(origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        let answer = http.send(&call().header("origin", origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn c057_an_answer_is_json_or_a_stream_as_the_client_takes_it() {
    let gateway = start_echo(&Echo::new()).await;
    let steps = r#"{"name":"e_slow","arguments":{"steps":[1,2]}}"#;
    let slow = || modern("tools/call", steps).meta(TOKEN, "7");
    let rows = [
        ("both", call()),
        ("both, progress", slow()),
        ("JSON, progress", slow().header("accept", "application/json")),
        ("stream", call().header("accept", "text/event-stream")),
        ("anything", call().header("accept", "*/*")),
        ("nothing said", call().without("accept")),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        both: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        both, progress: 200 text/event-stream {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,"total":9}} {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2,"total":9}} {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"done\""}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        JSON, progress: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"done\""}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        stream: 200 text/event-stream {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        anything: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        nothing said: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
    "#]]).await;
}

#[tokio::test]
async fn c057_another_type_of_body_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let rows =
        ["application/json", "application/json;charset=utf-8", "text/plain", "application/xml"]
            .map(|kind| (kind, call().header("content-type", kind)));
    expect![[r#"
        application/json: 200
        application/json;charset=utf-8: 200
        text/plain: 415 -32600
        application/xml: 415 -32600
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test]
async fn c058_methods_that_modern_does_not_have_are_unknown() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let methods = [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "roots/list",
        "sampling/createMessage",
        "tasks/list",
        "tasks/result",
        "nope",
        "",
        "Tools/List",
    ];
    let rows = methods.map(|method| (method, modern(method, r#"{"uri":"demo://e/a/one"}"#)));
    expect![[r#"
        initialize: 404 -32601
        ping: 404 -32601
        logging/setLevel: 404 -32601
        resources/subscribe: 404 -32601
        resources/unsubscribe: 404 -32601
        roots/list: 404 -32601
        sampling/createMessage: 404 -32601
        tasks/list: 404 -32601
        tasks/result: 404 -32601
        nope: 404 -32601
        : 404 -32601
        Tools/List: 404 -32601
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
    check(&gateway.http(), &modern("ping", "{}"), expect![[r#"
        404 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"`ping` is no method of protocol version 2026-07-28","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]]).await;
    assert_eq!(child.count("ping") + child.count("nope"), 0, "none of it reached the child");
}

#[tokio::test]
async fn c059_get_and_delete_without_a_session_are_not_allowed() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    for verb in ["GET", "DELETE", "PUT", "PATCH"] {
        for ask in [Ask::bare(verb), Ask::bare(verb).header("mcp-protocol-version", "2026-07-28")] {
            let answer = http.send(&ask).await;
            let allow = answer.header("allow").unwrap_or_default().to_owned();
            assert_eq!((answer.status, allow.as_str()), (405, "POST, GET, DELETE"), "{verb}");
        }
    }
}

#[tokio::test]
async fn c060_stray_session_headers_are_ignored_and_never_echoed() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let ended = http.session("2025-11-25").await;
    ended.delete().await;
    for session in ["nonsense", ended.id.as_str(), ""] {
        let ask = call().header("mcp-session-id", session).header("last-event-id", "7");
        let answer = http.send(&ask).await;
        assert_eq!(answer.header("mcp-session-id"), None);
        let shown = answer.shown(&[]).await;
        assert!(shown.starts_with("200 ") && !shown.contains("\nid:"), "{session}: {shown}");
        let told = modern("notifications/cancelled", r#"{"requestId":1}"#).without_id();
        let answer = http.send(&told.header("mcp-session-id", session)).await;
        assert_eq!(answer.status, 202, "a modern notification with {session}");
    }
    let answer = http.send(&call()).await;
    assert_eq!(answer.header("mcp-session-id"), None);
}

#[tokio::test]
async fn c061_c062_a_stream_has_the_notices_then_the_answer_then_its_end() {
    let gateway = start_echo(&Echo::new()).await;
    let steps = r#"{"name":"e_slow","arguments":{"steps":[1,2.5,4]}}"#;
    let ask = modern("tools/call", steps).meta(TOKEN, r#""t""#);
    let headers = ["x-accel-buffering", "cache-control"];
    let shown = gateway.http().send(&ask).await.shown(&headers).await;
    expect![[r#"
        200 text/event-stream
        x-accel-buffering: no
        cache-control: no-cache, no-transform
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1,"total":9}}
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":2.5,"total":9}}
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":4,"total":9}}
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"done\""}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]].assert_eq(&shown);
    let mut raw = gateway.http().send(&ask).await;
    let mut text = String::new();
    while let Some(part) = raw.part().await {
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    assert!(!text.contains("\nid:"), "no event ids: {text}");
    assert_eq!(text.matches("event: message\n").count(), 4, "{text}");
}

#[tokio::test]
async fn c063_a_modern_client_that_leaves_cancels_its_call_at_the_child() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let wait = modern("tools/call", r#"{"name":"e_wait","arguments":{}}"#);
    // With a token the stream is open when the client leaves, without one nothing came yet.
    let mut answer = gateway.http().send(&wait.clone().meta(TOKEN, "1")).await;
    assert!(answer.message().await.unwrap().contains("notifications/progress"));
    drop(answer);
    child.cancelled("tools/call wait", 1).await;
    let http = gateway.http();
    let pending = tokio::spawn(async move { http.send(&wait).await.status });
    child.begun("tools/call wait", 2).await;
    pending.abort();
    child.cancelled("tools/call wait", 2).await;
    assert_eq!(child.seen().answered.get("tools/call wait"), None);
}

#[tokio::test]
async fn c071_too_many_requests_at_once_are_refused_and_say_so() {
    let child = Echo::new();
    let gateway = start_echo_with(&child, &[("gateway.limits.calls_in_flight_max", "1")]).await;
    let wait = modern("tools/call", r#"{"name":"e_wait","arguments":{}}"#).meta(TOKEN, "1");
    let mut held = gateway.http().send(&wait).await;
    held.message().await.unwrap();
    check(&gateway.http(), &call(), expect![[r#"
        429 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"1 requests are under way, which is this gateway's limit; try again later","data":{"gateway":{"code":"LIMITED"}}}}"#]]).await;
    drop(held);
    child.cancelled("tools/call wait", 1).await;
    assert!(gateway.http().shown(&call()).await.starts_with("200 "));
}

#[tokio::test]
async fn c072_modern_headers_on_a_request_that_is_none_are_not_believed() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-11-25").await;
    let bare = legacy("tools/list", "{}").header("mcp-name", "x").header("mcp-param-region", "eu");
    let rows = [
        ("within a session", session.of(bare)),
        ("name", session.ask("tools/call", ECHO).header("mcp-name", "e_fail")),
        ("unknown version", session.ask("tools/list", "{}").header("mcp-protocol-version", "v9")),
    ];
    expect![[r#"
        within a session: 200
        name: 200
        unknown version: 400 -32600
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test(start_paused = true)]
async fn c062_a_silent_stream_says_now_and_then_that_it_is_alive() {
    let gateway = start_echo(&Echo::new()).await;
    let listen = modern("subscriptions/listen", r#"{"notifications":{"toolsListChanged":true}}"#);
    let wait = modern("tools/call", r#"{"name":"e_wait"}"#).meta(TOKEN, "1");
    for ask in [listen, wait] {
        let mut stream = gateway.http().send(&ask).await;
        stream.message().await.unwrap();
        // The clock goes on by itself while all is silent.
        for _ in 0..3 {
            assert_eq!(stream.part().await.as_deref(), Some(&b":\r\n\r\n"[..]));
        }
    }
}
