//! The legacy face: handshake, sessions, streams, levels, subscriptions, batches (checks 83 to 96).

use expect_test::expect;
use harness::client::{Ask, Session, check, check_rows, initialize, legacy, modern, posted, shown};
use harness::echo::Echo;
use harness::start::{start_echo, start_echo_with};

const CALL: &str = r#"{"name":"e_echo","arguments":{}}"#;
const WAIT: &str = r#"{"name":"e_wait","arguments":{},"_meta":{"progressToken":"p"}}"#;
const NEWEST: &str = "2025-11-25";

#[tokio::test]
async fn c083_a_supported_version_comes_back_and_any_other_gets_the_newest() {
    let gateway = start_echo(&Echo::new()).await;
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2024-10-07", NEWEST),
        ("2026-07-28", NEWEST),
        ("1.0", NEWEST),
    ] {
        let expected = format!(r#""protocolVersion":"{given}""#);
        let over_http = gateway.http().shown(&initialize(asked, "{}")).await;
        let over_stdio = gateway.stdio().handshake(asked).await;
        assert!(over_http.contains(&expected), "{asked}: {over_http}");
        assert!(over_stdio.contains(&expected), "{asked}: {over_stdio}");
    }
}

#[tokio::test]
async fn c083_a_handshake_that_is_none_says_what_is_missing() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        "{}",
        r#"{"protocolVersion":7}"#,
        r#"{"protocolVersion":"2025-11-25","capabilities":[]}"#,
        r#"{"protocolVersion":"2025-11-25","clientInfo":"me"}"#,
    ]
    .map(|params| (params, legacy("initialize", params)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        {}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.protocolVersion: expected a string"}}
        {"protocolVersion":7}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.protocolVersion: expected a string"}}
        {"protocolVersion":"2025-11-25","capabilities":[]}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.capabilities: expected an object, found an array"}}
        {"protocolVersion":"2025-11-25","clientInfo":"me"}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.clientInfo: expected an object, found a string"}}
    "#]]).await;
    let large = format!(r#"{{"experimental":{{"x":"{}"}}}}"#, "x".repeat(10_000));
    check(&gateway.http(), &initialize(NEWEST, &large), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.capabilities: too large to keep in a session id"}}"#]]).await;
}

#[tokio::test]
async fn c084_ping_is_answered_at_once() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut held = session.of(legacy("tools/call", WAIT)).id("9");
    let mut waiting = gateway.http().send(&held).await;
    waiting.message().await.unwrap();
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{}}"#]]
    .assert_eq(&session.shown("ping", "{}").await);
    held = session.ask("ping", "{}").id(r#""x""#);
    check(
        &gateway.http(),
        &held,
        expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":"x","result":{}}"#]],
    )
    .await;
    assert_eq!(child.count("ping"), 0, "the child is not asked");
}

#[tokio::test]
async fn c085_c086_an_ended_session_is_not_found_and_a_missing_one_is_asked_for() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let session = http.session(NEWEST).await;
    let other = http.session(NEWEST).await;
    assert_eq!(session.delete().await, 204);
    let gone = session.ask("ping", "{}").header("mcp-session-id", "not-one-of-ours");
    let rows = [
        ("request", session.ask("ping", "{}")),
        ("notification", session.ask("notifications/initialized", "{}").without_id()),
        ("response", session.of(posted(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#))),
        ("batch", session.of(posted(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#))),
        ("stream", session.of(Ask::bare("GET"))),
        ("never given out", gone),
        ("none", legacy("ping", "{}")),
        ("empty", session.ask("ping", "{}").header("mcp-session-id", "")),
        ("another", other.ask("ping", "{}")),
    ];
    check_rows(&http, &rows, expect![[r#"
        request: 404 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        notification: 404 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        response: 404 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        batch: 404 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        stream: 404 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        never given out: 404 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        none: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"this request is neither of 2026-07-28 (no _meta with a protocol version) nor of a session: send `initialize` first and then its Mcp-Session-Id"}}
        empty: 404 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no such session: it ended, is too old, or was never given out here; send `initialize` without Mcp-Session-Id"}}
        another: 200 application/json {"jsonrpc":"2.0","id":1,"result":{}}
    "#]]).await;
    assert_eq!(session.delete().await, 404, "DELETE of an ended session");
}

#[tokio::test]
async fn c086_the_end_of_a_session_ends_its_stream_and_its_requests() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut stream = session.stream().await;
    let mut waiting = session.send("tools/call", WAIT).await;
    waiting.message().await.unwrap();
    assert_eq!(session.delete().await, 204);
    assert_eq!(stream.message().await, None);
    assert_eq!(waiting.message().await, None);
    child.cancelled("tools/call wait", 1).await;
}

#[tokio::test]
async fn c087_an_id_is_visible_ascii_and_no_two_are_alike() {
    let gateway = start_echo(&Echo::new()).await;
    let one = gateway.http().session(NEWEST).await;
    let two = gateway.http().session(NEWEST).await;
    assert_ne!(one.id, two.id);
    assert!(one.id.bytes().all(|byte| byte.is_ascii_graphic()) && one.id.len() >= 32);
}

#[tokio::test]
async fn c087_a_session_of_one_endpoint_is_none_of_another() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session(NEWEST).await;
    let shown = gateway.http().shown(&session.ask("ping", "{}").at("/mcp/e")).await;
    assert!(shown.starts_with("404 "), "{shown}");
}

#[tokio::test]
async fn a_session_outlives_the_gateway_that_gave_it() {
    let key = [("gateway.key", "0123456789abcdef0123456789abcdef")];
    let first = start_echo_with(&Echo::new(), &key).await;
    let session = first.http().session("2025-06-18").await;
    first.stop().await;
    let second = start_echo_with(&Echo::new(), &key).await;
    check(
        &second.http(),
        &session.ask("tools/call", CALL),
        expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}]}}"#]],
    )
    .await;
    let stranger = start_echo(&Echo::new()).await;
    let shown = stranger.http().shown(&session.ask("tools/call", CALL)).await;
    assert!(shown.starts_with("404 "), "another key: {shown}");
}

#[tokio::test]
async fn c088_the_stream_has_no_answers_and_only_one_reads() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut first = session.stream().await;
    assert_eq!(first.header("content-type"), Some("text/event-stream"));
    session.shown("tools/call", CALL).await;
    let mut second = session.stream().await;
    assert_eq!(first.message().await, None, "the stream that was there before ends");
    child.add_tool("one");
    let told = second.message().await;
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#]]
        .assert_eq(&shown(told));
}

#[tokio::test]
async fn c088_a_stream_wants_a_client_that_takes_events() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session(NEWEST).await;
    let ask = session.of(Ask::bare("GET")).header("accept", "application/json");
    check(&gateway.http(), &ask, expect![[r#"
        406 application/json
        {"jsonrpc":"2.0","error":{"code":-32600,"message":"Accept: expected text/event-stream"}}"#]]).await;
}

#[tokio::test]
async fn c088_what_is_told_between_two_streams_is_not_lost() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    drop(session.stream().await);
    let mut witness = gateway.http().session(NEWEST).await.stream().await;
    child.add_tool("one");
    witness.message().await.unwrap();
    let mut stream = session.stream().await;
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#]]
        .assert_eq(&shown(stream.message().await));
}

#[tokio::test]
async fn c089_a_legacy_client_that_leaves_does_not_cancel_its_call() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut answer = session.send("tools/call", WAIT).await;
    answer.message().await.unwrap();
    drop(answer);
    // Other requests go through and back, so the gateway has seen the connection close.
    for _ in 0..3 {
        session.shown("ping", "{}").await;
    }
    child.release();
    child.answered("tools/call wait", 1).await;
    assert_eq!(child.seen().cancelled.get("tools/call wait"), None);
}

#[tokio::test]
async fn c090_the_version_header_of_a_session() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-06-18").await;
    let of = |version: &str| session.ask("ping", "{}").header("mcp-protocol-version", version);
    let rows = [
        ("its own", session.ask("ping", "{}")),
        ("absent", session.ask("ping", "{}").without("mcp-protocol-version")),
        ("unknown", of("2025-01-01")),
        ("no version", of("x")),
        ("empty", of("")),
        (
            "a notification's",
            session.ask("x", "{}").without_id().header("mcp-protocol-version", "x"),
        ),
        ("a stream's", session.of(Ask::bare("GET")).header("mcp-protocol-version", "x")),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        its own: 200 application/json {"jsonrpc":"2.0","id":1,"result":{}}
        absent: 200 application/json {"jsonrpc":"2.0","id":1,"result":{}}
        unknown: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"MCP-Protocol-Version: `2025-01-01` is no version known here"}}
        no version: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"MCP-Protocol-Version: `x` is no version known here"}}
        empty: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"MCP-Protocol-Version: `` is no version known here"}}
        a notification's: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"MCP-Protocol-Version: `x` is no version known here"}}
        a stream's: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"MCP-Protocol-Version: `x` is no version known here"}}
    "#]]).await;
    let ask = session.of(Ask::bare("DELETE")).header("mcp-protocol-version", "x");
    assert_eq!(gateway.http().send(&ask).await.status, 400, "a DELETE's");
}

#[tokio::test]
async fn c091_responses_and_notifications_are_accepted() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session(NEWEST).await;
    let rows = [
        ("response", posted(r#"{"jsonrpc":"2.0","id":77,"result":{}}"#)),
        ("error", posted(r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"no"}}"#)),
        (
            "notification",
            posted(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#),
        ),
    ]
    .map(|(what, ask)| (what, session.of(ask)));
    check_rows(
        &gateway.http(),
        &rows,
        expect![[r#"
        response: 202 -
        error: 202 -
        notification: 202 -
    "#]],
    )
    .await;
}

#[tokio::test]
async fn c094_a_second_handshake_in_a_session_does_not_change_it() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-06-18").await;
    let again = session.of(initialize("2024-11-05", "{}"));
    let shown = gateway.http().shown(&again).await;
    assert!(shown.contains(r#""protocolVersion":"2024-11-05""#), "{shown}");
    // That is another session: this one still has what its own version has.
    let link = r#"{"name":"e_answer","arguments":{"result":{"content":[{"type":"resource_link","uri":"http://a/b","name":"b"}]}}}"#;
    let answer = session.shown("tools/call", link).await;
    assert!(answer.contains(r#""type":"resource_link""#), "{answer}");
}

#[tokio::test]
async fn c094_a_handshake_cannot_be_cancelled() {
    let gateway = start_echo(&Echo::new()).await;
    let mut channel = gateway.stdio();
    channel.say(&initialize("2025-06-18", "{}").id("7")).await;
    channel.say(&legacy("notifications/cancelled", r#"{"requestId":7}"#).without_id()).await;
    let greeting = channel.next().await.unwrap();
    assert!(greeting.contains(r#""id":7,"result""#), "{greeting}");
}

async fn levels(session: &Session) -> String {
    let all = r#"["debug","info","notice","warning","error","critical","alert","emergency"]"#;
    let params = format!(r#"{{"name":"e_log","arguments":{{"levels":{all}}}}}"#);
    let mut answer = session.send("tools/call", &params).await;
    let mut told = Vec::new();
    while let Some(message) = answer.message().await {
        if let Some((_, rest)) = message.split_once(r#""level":""#) {
            told.push(rest.split('"').next().unwrap_or_default().to_owned());
        }
    }
    told.join(" ")
}

#[tokio::test]
async fn c095_set_level_filters_the_log_of_its_session_alone() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session(NEWEST).await;
    let other = gateway.http().session(NEWEST).await;
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{}}"#]]
    .assert_eq(&session.shown("logging/setLevel", r#"{"level":"error"}"#).await);
    assert_eq!(levels(&session).await, "error critical alert emergency");
    assert!(levels(&other).await.starts_with("info"), "another session keeps its own");
    session.shown("logging/setLevel", r#"{"level":"debug"}"#).await;
    assert!(levels(&session).await.starts_with("debug info"));
    let rows = [r#"{"level":"loud"}"#, r#"{"level":3}"#, "{}"]
        .map(|params| (params, session.ask("logging/setLevel", params)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        {"level":"loud"}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.level: expected one of debug, info, notice, warning, error, critical, alert, emergency, found \"loud\"","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        {"level":3}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.level: expected one of debug, info, notice, warning, error, critical, alert, emergency, found 3","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        {}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.level: expected one of debug, info, notice, warning, error, critical, alert, emergency, found nothing","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}

#[tokio::test]
async fn c096_a_subscribed_resource_is_told_of_until_it_is_unsubscribed() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut stream = session.stream().await;
    let uri = r#"{"uri":"demo://e/a/one"}"#;
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{}}"#]]
    .assert_eq(&session.shown("resources/subscribe", uri).await);
    assert_eq!(child.seen().subscribed, ["demo://a/one"]);
    session.shown("resources/subscribe", uri).await;
    child.update("demo://a/one", "demo://a/one");
    child.update("demo://a/other", "demo://a/other");
    // A part of what was subscribed to (check 136).
    child.update("demo://a/one", "demo://a/one/part");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"demo://e/a/one"}}"#]].assert_eq(&shown(stream.message().await));
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"demo://e/a/one/part"}}"#]].assert_eq(&shown(stream.message().await));
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{}}"#]]
    .assert_eq(&session.shown("resources/unsubscribe", uri).await);
    child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
    child.update("demo://a/one", "demo://a/one");
    child.add_tool("one");
    let next = shown(stream.message().await);
    assert!(next.contains("tools/list_changed"), "nothing of what is no longer wanted: {next}");
}

#[tokio::test]
async fn c096_what_cannot_be_subscribed_to_is_refused() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let rows = [r#"{"uri":"demo://e/a/deaf"}"#, r#"{"uri":"nope://x"}"#, r#"{"uri":7}"#, "{}"]
        .map(|params| (params, session.ask("resources/subscribe", params)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        {"uri":"demo://e/a/deaf"}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`demo://e/a/deaf` cannot be subscribed to: no mount confirmed it","data":{"uri":"demo://e/a/deaf","gateway":{"code":"VALIDATION_ERROR"}}}}
        {"uri":"nope://x"}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`nope://x` cannot be subscribed to: no mount confirmed it","data":{"uri":"nope://x","gateway":{"code":"VALIDATION_ERROR"}}}}
        {"uri":7}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.uri: expected a string","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        {}: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.uri: expected a string","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
    let ask = session.ask("resources/unsubscribe", r#"{"uri":"demo://e/a/one"}"#);
    check(
        &gateway.http(),
        &ask,
        expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{}}"#]],
    )
    .await;
}

#[tokio::test]
async fn c133_a_changed_catalog_is_told_to_each_session_once() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let one = gateway.http().session(NEWEST).await;
    let two = gateway.http().session("2024-11-05").await;
    let (mut first, mut second) = (one.stream().await, two.stream().await);
    child.cry_wolf();
    child.add_tool("one");
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    assert_eq!(shown(first.message().await), changed);
    assert_eq!(shown(second.message().await), changed);
    let tools = one.shown("tools/list", "{}").await;
    assert!(tools.contains(r#""name":"e_one""#), "{tools}");
    child.add_tool("two");
    assert_eq!(shown(first.message().await), changed, "the next one, nothing between");
}

#[tokio::test]
async fn c138_cancelled_reaches_the_child_and_ends_the_answer() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let other = gateway.http().session(NEWEST).await;
    let wait = session.of(legacy("tools/call", WAIT)).id("7");
    let mut answer = gateway.http().send(&wait).await;
    answer.message().await.unwrap();
    for (who, params) in [
        (&other, r#"{"requestId":7}"#),
        (&session, r#"{"requestId":"7"}"#),
        (&session, r#"{"requestId":8}"#),
        (&session, "{}"),
    ] {
        assert_eq!(who.tell("notifications/cancelled", params).await, 202);
    }
    assert_eq!(child.seen().cancelled.get("tools/call wait"), None, "none of them meant it");
    let reason = r#"{"requestId":7,"reason":"enough"}"#;
    assert_eq!(session.tell("notifications/cancelled", reason).await, 202);
    child.cancelled("tools/call wait", 1).await;
    assert_eq!(answer.message().await, None, "c139: no answer");
    assert_eq!(session.tell("notifications/cancelled", reason).await, 202, "c140: once more");
}

#[tokio::test]
async fn an_id_in_flight_is_not_taken_twice() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut held = session.send("tools/call", WAIT).await;
    held.message().await.unwrap();
    check(&gateway.http(), &session.ask("tools/call", CALL), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"id: 1 is that of a request still in flight on this connection","data":{"gateway":{"code":"INVALID_REQUEST"}}}}"#]]).await;
    child.release();
    child.answered("tools/call wait", 1).await;
    while held.message().await.is_some() {}
    let shown = session.shown("tools/call", CALL).await;
    assert!(shown.contains(r#""result""#), "free again: {shown}");
}

#[tokio::test]
async fn c093_a_child_of_a_legacy_client_is_told_what_that_client_can_answer() {
    let gateway = start_echo(&Echo::new()).await;
    let can = r#"{"elicitation":{},"sampling":{},"roots":{"listChanged":true}}"#;
    let session = Session::open(gateway.http(), NEWEST, can).await;
    let shown = session.shown("tools/call", r#"{"name":"e_params","arguments":{}}"#).await;
    let able = r#""io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}},"sampling":{},"roots":{}}"#;
    assert!(shown.contains(able), "{shown}");
}

#[tokio::test]
async fn modern_requests_in_between_do_not_touch_a_session() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session(NEWEST).await;
    let ask = session.of(modern("tools/call", CALL)).header("mcp-protocol-version", "2026-07-28");
    let shown = gateway.http().shown(&ask).await;
    assert!(shown.contains("resultType"), "{shown}");
    assert!(session.shown("ping", "{}").await.contains(r#""result":{}"#));
}
