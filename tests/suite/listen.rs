//! `subscriptions/listen` and what it tells (checks 126 to 130, 133, 136, 137).

use expect_test::expect;
use harness::client::{Answer, Ask, Either, check_rows, modern, shown};
use harness::echo::Echo;
use harness::start::{Running, start_echo, start_echo_with, until};
use protocol::Raw;

fn listen(filter: &str) -> Ask {
    modern("subscriptions/listen", &format!(r#"{{"notifications":{filter}}}"#))
}

/// Opens a listen; what came first.
async fn open(gateway: &Running, ask: &Ask) -> (Answer, String) {
    let mut stream = gateway.http().send(ask).await;
    let first = shown(stream.message().await);
    (stream, first)
}

const ALL: &str = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["demo://e/a/one"]}"#;
const TOOLS: &str = r#"{"toolsListChanged":true}"#;

#[tokio::test]
async fn c126_the_acknowledgement_comes_first_and_says_what_is_honoured() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let filters = [
        ALL,
        TOOLS,
        "{}",
        r#"{"toolsListChanged":false,"promptsListChanged":true}"#,
        r#"{"resourceSubscriptions":["demo://e/a/one","demo://e/a/deaf","nope://x","demo://e/a/two"]}"#,
        r#"{"resourceSubscriptions":["nope://x"]}"#,
        r#"{"resourceSubscriptions":[]}"#,
        r#"{"toolsListChanged":true,"com.example/x":1}"#,
    ];
    let mut told = String::new();
    for filter in filters {
        let (stream, first) = open(&gateway, &listen(filter)).await;
        assert!(stream.is_stream(), "{filter}");
        told.push_str(&format!("{filter}\n    {first}\n"));
    }
    expect![[r#"
        {"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["demo://e/a/one"]}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["demo://e/a/one"]},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"toolsListChanged":true}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"toolsListChanged":false,"promptsListChanged":true}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"promptsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"resourceSubscriptions":["demo://e/a/one","demo://e/a/deaf","nope://x","demo://e/a/two"]}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["demo://e/a/one","demo://e/a/two"]},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"resourceSubscriptions":["nope://x"]}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":[]},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"resourceSubscriptions":[]}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
        {"toolsListChanged":true,"com.example/x":1}
            {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn c126_a_filter_that_is_none_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let many: Vec<_> = (0..1001).map(|at| format!("\"demo://e/a/{at}\"")).collect();
    let many = format!(r#"{{"resourceSubscriptions":[{}]}}"#, many.join(","));
    let rows = [
        ("none", modern("subscriptions/listen", "{}")),
        ("array", listen("[]")),
        ("flag", listen(r#"{"toolsListChanged":1}"#)),
        ("URIs", listen(r#"{"resourceSubscriptions":"demo://e/a/one"}"#)),
        ("URI", listen(r#"{"resourceSubscriptions":[1]}"#)),
        ("too many", listen(&many)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        none: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications: expected an object, found null","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        array: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications: expected an object, found an array","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        flag: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications.toolsListChanged: expected a boolean, found a number","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        URIs: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications.resourceSubscriptions: expected an array of strings","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        URI: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications.resourceSubscriptions: expected an array of strings","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        too many: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.notifications.resourceSubscriptions: at most 1000 URIs, found 1001","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}

#[tokio::test]
async fn c127_c129_nothing_is_sent_that_was_not_asked_for() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let (mut updates, _) =
        open(&gateway, &listen(r#"{"resourceSubscriptions":["demo://e/a/one"]}"#)).await;
    let (mut tools, _) = open(&gateway, &listen(TOOLS)).await;
    // What no listen may carry, whatever a child sends.
    let progress = Raw::from_static(r#"{"progressToken":1,"progress":1}"#);
    child.tell("notifications/progress", progress);
    let message = Raw::from_static(r#"{"level":"emergency","data":"x"}"#);
    child.tell("notifications/message", message);
    child.tell("notifications/later", Raw::from_static("{}"));
    child.add_tool("one");
    let changed = shown(tools.message().await);
    assert!(changed.contains("notifications/tools/list_changed"), "{changed}");
    child.update("demo://a/one", "demo://a/one");
    let updated = shown(updates.message().await);
    assert!(updated.contains("notifications/resources/updated"), "{updated}");
    child.add_tool("two");
    let next = shown(tools.message().await);
    assert_eq!(next, changed, "no update in between");
}

#[tokio::test]
async fn c128_each_message_has_the_listens_own_id_in_value_and_type() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    for (at, id) in
        ["7", r#""7""#, r#""a\u0062""#, "123456789012345678901234567890"].iter().enumerate()
    {
        let (mut stream, first) = open(&gateway, &listen(ALL).id(id)).await;
        let tag = format!(r#""io.modelcontextprotocol/subscriptionId":{id}}}"#);
        assert!(first.contains(&tag), "{id}: {first}");
        child.update("demo://a/one", "demo://a/one");
        let update = shown(stream.message().await);
        assert!(update.contains(&tag), "{id}: {update}");
        child.add_tool(&format!("tool{at}"));
        let change = shown(stream.message().await);
        assert!(change.contains(&tag), "{id}: {change}");
    }
}

#[tokio::test]
async fn c128_what_a_listen_tells() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let (mut stream, _) = open(&gateway, &listen(ALL)).await;
    child.update("demo://a/one", "demo://a/one");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"demo://e/a/one","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#]].assert_eq(&shown(stream.message().await));
    // A part of what was subscribed to (check 136).
    child.update("demo://a/one", "demo://a/one/part");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"demo://e/a/one/part","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#]].assert_eq(&shown(stream.message().await));
    child.add_tool("one");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#]].assert_eq(&shown(stream.message().await));
}

#[tokio::test]
async fn c130_a_drain_ends_each_listen_with_its_result() {
    let gateway = start_echo(&Echo::new()).await;
    let (mut stream, _) = open(&gateway, &listen(ALL).id(r#""mine""#)).await;
    let mut stdio = gateway.stdio();
    stdio.say(&listen(TOOLS).id("5")).await;
    stdio.next().await.unwrap();
    gateway.stop().await;
    expect![[r#"{"jsonrpc":"2.0","id":"mine","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"mine","io.modelcontextprotocol/serverInfo":{gateway}},"resultType":"complete"}}"#]].assert_eq(&shown(stream.message().await));
    assert_eq!(stream.message().await, None, "then it closes");
    expect![[r#"{"jsonrpc":"2.0","id":5,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":5,"io.modelcontextprotocol/serverInfo":{gateway}},"resultType":"complete"}}"#]].assert_eq(&shown(stdio.next().await));
}

#[tokio::test]
async fn c133_a_list_that_did_not_change_is_not_told_of() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let (mut stream, _) = open(&gateway, &listen(ALL)).await;
    let listed = child.count("tools/list");
    child.cry_wolf();
    let again = |seen: &harness::echo::Seen| seen.answered.get("tools/list") > Some(&listed);
    child.until("another look at the list", again).await;
    child.update("demo://a/one", "demo://a/one");
    let next = shown(stream.message().await);
    assert!(next.contains("resources/updated"), "{next}");
}

#[tokio::test]
async fn several_listens_of_one_client_are_apart() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut stdio = gateway.stdio();
    stdio.say(&listen(TOOLS).id("1")).await;
    let first = shown(stdio.next().await);
    stdio.say(&listen(r#"{"resourceSubscriptions":["demo://e/a/one"]}"#).id("2")).await;
    let second = shown(stdio.next().await);
    assert!(first.contains(r#"subscriptionId":1}"#) && second.contains(r#"subscriptionId":2}"#));
    child.update("demo://a/one", "demo://a/one");
    let update = shown(stdio.next().await);
    assert!(update.contains("updated") && update.contains(r#"subscriptionId":2}"#), "{update}");
    child.add_tool("one");
    let change = shown(stdio.next().await);
    assert!(change.contains("changed") && change.contains(r#"subscriptionId":1}"#), "{change}");
}

#[tokio::test]
async fn c137_a_cancelled_listen_is_told_nothing_more() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut stdio = gateway.stdio();
    stdio.say(&listen(ALL).id(r#""l""#)).await;
    stdio.next().await.unwrap();
    let cancel =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#;
    stdio.line(cancel).await;
    child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
    child.update("demo://a/one", "demo://a/one");
    child.add_tool("one");
    let listed = |seen: &harness::echo::Seen| seen.answered.get("tools/list") >= Some(&2);
    child.until("another look at the list", listed).await;
    let next = stdio.shown(&modern("tools/list", "{}").id("9")).await;
    assert!(next.contains(r#""id":9,"#), "{next}");
}

#[tokio::test]
async fn c063_a_listen_that_is_left_ends_at_the_child() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let (stream, _) = open(&gateway, &listen(ALL)).await;
    assert_eq!(child.seen().subscribed, ["demo://a/one"]);
    drop(stream);
    child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
}

#[tokio::test]
async fn c071_too_many_listens_are_refused_and_calls_are_not() {
    let child = Echo::new();
    let gateway = start_echo_with(&child, &[("gateway.limits.listens_max", "1")]).await;
    let (held, _) = open(&gateway, &listen(ALL)).await;
    check_rows(&gateway.http(), &[("second", listen(TOOLS))], expect![[r#"
        second: 429 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"1 listens are open, which is this gateway's limit; try again later","data":{"gateway":{"code":"LIMITED"}}}}
    "#]]).await;
    assert!(gateway.http().shown(&modern("tools/list", "{}")).await.starts_with("200 "));
    drop(held);
    child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
    let (_, first) = open(&gateway, &listen(TOOLS)).await;
    assert!(first.contains("acknowledged"), "{first}");
}

#[tokio::test]
async fn c071_the_subscriptions_of_a_session_are_one_place_among_the_listens() {
    let child = Echo::new();
    let gateway = start_echo_with(&child, &[("gateway.limits.listens_max", "2")]).await;
    let session = gateway.http().session("2025-11-25").await;
    let uri = |name: &str| format!(r#"{{"uri":"demo://e/a/{name}"}}"#);
    for name in ["one", "two", "three"] {
        let done = session.shown("resources/subscribe", &uri(name)).await;
        assert!(done.contains(r#""result":{}"#), "{name}: {done}");
    }
    let (held, first) = open(&gateway, &listen(TOOLS)).await;
    assert!(first.contains("acknowledged"), "{first}");
    let other = gateway.http().session("2025-11-25").await;
    let full = other.shown("resources/subscribe", &uri("one")).await;
    assert!(full.contains("listens_max") && full.contains("LIMITED"), "{full}");
    for name in ["one", "two"] {
        session.shown("resources/unsubscribe", &uri(name)).await;
    }
    let full = other.shown("resources/subscribe", &uri("one")).await;
    assert!(full.contains("listens_max"), "one of three is left: {full}");
    session.shown("resources/unsubscribe", &uri("three")).await;
    until("a place for the other session", async || {
        let done = other.shown("resources/subscribe", &uri("one")).await;
        done.contains(r#""result":{}"#)
    })
    .await;
    drop(held);
}

#[tokio::test]
async fn c064_a_listen_of_a_client_that_takes_no_stream_is_refused_and_holds_no_place() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.limits.listens_max", "1")]).await;
    let rows = [
        ("JSON only", listen(TOOLS).header("accept", "application/json")),
        ("neither", listen(TOOLS).header("accept", "text/plain")),
        (
            "a bad head first",
            listen(TOOLS).header("accept", "application/json").header("mcp-method", "ping"),
        ),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        JSON only: 406 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Accept: expected text/event-stream: what a listen tells comes as a stream"}}
        neither: 406 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Accept: expected text/event-stream: what a listen tells comes as a stream"}}
        a bad head first: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Mcp-Method: the body says `subscriptions/listen`, the header `ping`"}}
    "#]]).await;
    let (_, first) = open(&gateway, &listen(TOOLS).header("accept", "text/event-stream")).await;
    assert!(first.contains("acknowledged"), "{first}");
}

#[tokio::test]
async fn c133_every_kind_of_client_hears_of_a_change() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let [modern_http, legacy_http, modern_stdio, legacy_stdio] = Either::all(&gateway).await;
    let (Either::ModernHttp(_), Either::LegacyHttp(session)) = (modern_http, legacy_http) else {
        panic!("two clients over HTTP");
    };
    let (Either::ModernStdio(mut modern_stdio), Either::LegacyStdio(mut legacy_stdio)) =
        (modern_stdio, legacy_stdio)
    else {
        panic!("two clients over stdio");
    };
    let (mut stream, _) = open(&gateway, &listen(TOOLS)).await;
    let mut standing = session.stream().await;
    modern_stdio.say(&listen(TOOLS)).await;
    modern_stdio.next().await.unwrap();
    legacy_stdio.shown(&harness::client::legacy("ping", "{}")).await;
    child.add_tool("one");
    for told in [
        stream.message().await,
        standing.message().await,
        modern_stdio.next().await,
        legacy_stdio.next().await,
    ] {
        let told = shown(told);
        assert!(told.contains("notifications/tools/list_changed"), "{told}");
    }
}
