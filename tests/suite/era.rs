//! Which era a message is of (checks 33 to 36, 42, 44).

use expect_test::expect;
use harness::client::{Ask, check, check_all, check_rows, initialize, legacy, modern, posted};
use harness::echo::Echo;
use harness::start::start_echo;

#[tokio::test]
async fn c033_both_eras_are_served_on_one_endpoint_at_the_same_time() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let session = http.session("2025-06-18").await;
    let call = r#"{"name":"e_echo","arguments":{}}"#;
    let (modern, legacy) = (modern("tools/call", call), session.ask("tools/call", call));
    let (modern, legacy) = tokio::join!(http.shown(&modern), http.shown(&legacy));
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]].assert_eq(&modern);
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}]}}"#]]
    .assert_eq(&legacy);
}

#[tokio::test]
async fn c034_initialize_with_modern_metadata_is_an_unknown_method() {
    let gateway = start_echo(&Echo::new()).await;
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#;
    let ask = modern("initialize", params);
    check(&gateway.http(), &ask, expect![[r#"
        404 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"`initialize` is no method of protocol version 2026-07-28","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]]).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"`initialize` is no method of protocol version 2026-07-28","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]].assert_eq(&gateway.stdio().shown(&ask).await);
}

#[tokio::test]
async fn c034_initialize_without_it_is_the_handshake() {
    let gateway = start_echo(&Echo::new()).await;
    let ask = initialize("2025-11-25", "{}");
    check(&gateway.http(), &ask, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}},"serverInfo":{gateway}}}"#]]).await;
}

#[tokio::test]
async fn c035_a_legacy_version_in_the_header_decides_whatever_is_beside_it() {
    let gateway = start_echo(&Echo::new()).await;
    let ask = initialize("2025-11-25", "{}").header("mcp-method", "initialize");
    let ask = ask.header("mcp-protocol-version", "2025-11-25");
    let answer = gateway.http().send(&ask).await;
    assert!(answer.status == 200 && answer.header("mcp-session-id").is_some());
}

#[tokio::test]
async fn c035_a_modern_header_without_metadata_is_modern_and_malformed() {
    let gateway = start_echo(&Echo::new()).await;
    let list = || legacy("tools/list", "{}");
    let hello = || initialize("2025-11-25", "{}");
    let rows = [
        ("version", list().header("mcp-protocol-version", "2026-07-28")),
        ("method", list().header("mcp-method", "tools/list")),
        ("initialize", hello().header("mcp-protocol-version", "2026-07-28")),
        ("initialize, method", hello().header("mcp-method", "initialize")),
        ("discover", legacy("server/discover", "{}")),
        ("listen", legacy("subscriptions/listen", r#"{"notifications":{}}"#)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        version: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        method: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        initialize: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        initialize, method: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        discover: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        listen: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}

#[tokio::test]
async fn c036_a_handshake_that_asks_for_a_modern_version_gets_the_newest_legacy_one() {
    let gateway = start_echo(&Echo::new()).await;
    for asked in ["2026-07-28", "2027-01-01", "2025-11-25", "draft", ""] {
        let shown = gateway.http().shown(&initialize(asked, "{}")).await;
        assert!(shown.contains(r#""protocolVersion":"2025-11-25""#), "c036 {asked}: {shown}");
    }
}

#[tokio::test]
async fn c044_a_request_of_no_era_is_told_what_to_do() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("request", legacy("tools/list", "{}")),
        ("legacy version", legacy("tools/list", "{}").header("mcp-protocol-version", "2025-06-18")),
        ("ping", legacy("ping", "{}")),
        ("notification", legacy("notifications/initialized", "{}").without_id()),
        ("response", posted(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)),
        ("error", posted(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        request: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
        legacy version: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
        ping: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
        notification: 202 -
        response: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
        error: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
    "#]]).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor after a handshake: send `initialize` first"}}"#]].assert_eq(&gateway.stdio().shown(&legacy("tools/list", "{}")).await);
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]]
        .assert_eq(&gateway.stdio().shown(&legacy("ping", "{}")).await);
}

#[tokio::test]
async fn c033_the_metadata_key_in_an_argument_does_not_make_a_request_modern() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-11-25").await;
    let call =
        r#"{"name":"e_echo","arguments":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}"}]}}"#]].assert_eq(&session.shown("tools/call", call).await);
}

#[tokio::test]
async fn c033_a_metadata_key_written_with_escapes_is_the_same_key() {
    let gateway = start_echo(&Echo::new()).await;
    let escaped = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e_echo","arguments":{},"_meta":{"io.modelcontextprotocol\/protocolVersion":"2026-07-28","io.modelcontextprotocol\/clientCapabilities":{}}}}"#;
    let ask: Ask = modern("tools/call", r#"{"name":"e_echo"}"#).body(escaped);
    check(&gateway.http(), &ask, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
    let mut stdio = gateway.stdio();
    stdio.handshake("2025-11-25").await;
    stdio.line(escaped).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]].assert_eq(&harness::client::shown(stdio.next().await));
}

#[tokio::test]
async fn c033_calls_have_the_same_answer_in_both_eras_on_both_transports() {
    let gateway = start_echo(&Echo::new()).await;
    let softly = r#"{"name":"e_answer","arguments":{"result":{"content":[],"isError":true}}}"#;
    for (method, params, expected) in [
        (
            "tools/call",
            r#"{"name":"e_echo","arguments":{"a":[1.0]}}"#,
            expect![[r#"{"result":{"content":[{"text":"{\"a\":[1.0]}","type":"text"}]}}"#]],
        ),
        ("tools/call", softly, expect![[r#"{"result":{"content":[],"isError":true}}"#]]),
        (
            "tools/call",
            "{}",
            expect![[
                r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"}},"message":"params.name is missing: expected a string"}}"#
            ]],
        ),
        (
            "tools/call",
            r#"{"name":7}"#,
            expect![[
                r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"}},"message":"params.name: expected a string, found a number"}}"#
            ]],
        ),
        (
            "prompts/list",
            "{}",
            expect![[
                r#"{"result":{"prompts":[{"arguments":[{"name":"name","required":true}],"name":"e_greet"}]}}"#
            ]],
        ),
        (
            "prompts/get",
            r#"{"name":"e_greet","arguments":{"name":"x"}}"#,
            expect![[
                r#"{"result":{"messages":[{"content":{"text":"Hello","type":"text"},"role":"user"}]}}"#
            ]],
        ),
        (
            "prompts/get",
            r#"{"name":"nope"}"#,
            expect![[
                r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"}},"message":"no prompt is named `nope`"}}"#
            ]],
        ),
    ] {
        check_all(&gateway, method, params, expected).await;
    }
}

#[tokio::test]
async fn c033_resources_have_the_same_answer_in_both_eras_on_both_transports() {
    let gateway = start_echo(&Echo::new()).await;
    for (method, params, expected) in [
        (
            "resources/list",
            "{}",
            expect![[
                r#"{"result":{"resources":[{"name":"deaf","uri":"demo://e/a/deaf"},{"mimeType":"text/plain","name":"one","uri":"demo://e/a/one"}]}}"#
            ]],
        ),
        (
            "resources/templates/list",
            "{}",
            expect![[
                r#"{"result":{"resourceTemplates":[{"name":"any","uriTemplate":"demo://e/a/{id}"}]}}"#
            ]],
        ),
        (
            "resources/read",
            r#"{"uri":"demo://e/a/one"}"#,
            expect![[r#"{"result":{"contents":[{"text":"a text","uri":"demo://e/a/one"}]}}"#]],
        ),
        (
            "resources/read",
            r#"{"uri":"demo://e/a/missing"}"#,
            expect![[
                r#"{"error":{"code":-32602,"data":{"uri":"demo://e/a/missing"},"message":"no such resource"}}"#
            ]],
        ),
        (
            "resources/read",
            r#"{"uri":"nope://x"}"#,
            expect![[
                r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"},"uri":"nope://x"},"message":"no resource has the URI `nope://x`"}}"#
            ]],
        ),
    ] {
        check_all(&gateway, method, params, expected).await;
    }
}

#[tokio::test]
async fn c033_completions_have_the_same_answer_in_both_eras_on_both_transports() {
    let gateway = start_echo(&Echo::new()).await;
    let greet =
        r#"{"ref":{"type":"ref/prompt","name":"e_greet"},"argument":{"name":"name","value":"x"}}"#;
    let any = r#"{"ref":{"type":"ref/resource","uri":"demo://e/a/{id}"},"argument":{"name":"id","value":""}}"#;
    for (method, params, expected) in [
        (
            "completion/complete",
            greet,
            expect![[
                r#"{"result":{"completion":{"total":1,"values":["{\"type\":\"ref/prompt\",\"name\":\"greet\"}"]}}}"#
            ]],
        ),
        (
            "completion/complete",
            any,
            expect![[
                r#"{"result":{"completion":{"total":1,"values":["{\"type\":\"ref/resource\",\"uri\":\"demo://a/{id}\"}"]}}}"#
            ]],
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/later"}}"#,
            expect![[
                r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"}},"message":"params.ref.type: expected `ref/prompt` or `ref/resource`, found `ref/later`"}}"#
            ]],
        ),
    ] {
        check_all(&gateway, method, params, expected).await;
    }
}
