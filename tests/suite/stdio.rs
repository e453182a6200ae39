//! The gateway as a stdio server: both eras on one channel (checks 73, 78 to 80, 137 to 140).

use expect_test::expect;
use harness::client::{initialize, legacy, modern, shown};
use harness::echo::Echo;
use harness::start::{start_echo, start_echo_with};

const CALL: &str = r#"{"name":"e_echo","arguments":{}}"#;
const WAIT: &str = r#"{"name":"e_wait","arguments":{}}"#;

#[tokio::test]
async fn c033_both_eras_speak_on_one_channel() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    let before = stdio.shown(&modern("tools/call", CALL)).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}},"serverInfo":{gateway}}}"#]].assert_eq(&stdio.handshake("2025-06-18").await);
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}]}}"#]]
        .assert_eq(&stdio.shown(&legacy("tools/call", CALL)).await);
    let after = stdio.shown(&modern("tools/call", CALL)).await;
    assert_eq!(before, after, "the handshake changes nothing for modern requests");
    assert!(before.contains("resultType"), "{before}");
}

#[tokio::test]
async fn c073_one_message_is_one_line_whatever_the_child_wrote() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    let result = "{\"content\":[],\r\n \"x\" :\t1\n}";
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"e_answer","arguments":{{"result":{result}}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let over_http =
        gateway.http().shown(&modern("tools/call", r#"{"name":"e_answer"}"#).body(body)).await;
    assert!(over_http.starts_with("200 "), "{over_http}");
    // On a line the same cannot be said, so it is said without line ends.
    let call = r#"{"name":"e_answer","arguments":{"result":{"content":[],"x":"a\nb\r"}}}"#;
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":"a\nb\r","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]].assert_eq(&stdio.shown(&modern("tools/call", call)).await);
}

#[tokio::test]
async fn c073_blank_lines_and_both_line_ends_are_taken() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    stdio.write("\n\r\n   \n").await;
    stdio.write([&modern("tools/call", CALL).bytes()[..], b"\r\n"].concat()).await;
    let next = shown(stdio.next().await);
    assert!(next.contains(r#""result""#), "{next}");
    let bytes = modern("tools/call", CALL).bytes();
    for part in bytes.chunks(7) {
        stdio.write(part).await;
    }
    stdio.write("\n").await;
    assert_eq!(shown(stdio.next().await), next, "in pieces");
}

#[tokio::test]
async fn bad_lines_are_answered_and_the_channel_goes_on() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    let mut told = String::new();
    for line in [
        "hello",
        "{",
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
    ] {
        stdio.line(line).await;
        told.push_str(&format!("{line}\n    {}\n", shown(stdio.next().await)));
    }
    stdio.line(b"\xff\xfe{}").await;
    told.push_str(&shown(stdio.next().await));
    expect![[r#"
        hello
            {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: expected value at line 1 column 1"}}
        {
            {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: EOF while parsing an object at line 1 column 1"}}
        []
            {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a batch has 1 to 100 messages, this one 0"}}
        [{"jsonrpc":"2.0","id":1,"method":"ping"}]
            {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 send"}}
        {"jsonrpc":"2.0","id":null,"method":"ping"}
            {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found null"}}
        {"jsonrpc":"2.0","id":1}
            {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: a message has `method`, `result` or `error`; this has none"}}
        {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: the body is not valid UTF-8"}}"#]].assert_eq(&told);
    let next = stdio.shown(&modern("tools/call", CALL)).await;
    assert!(next.contains(r#""result""#), "{next}");
}

#[tokio::test]
async fn c071_a_line_over_the_limit_is_refused_and_the_next_one_is_taken() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.limits.body_bytes_max", "1KiB")]).await;
    let mut stdio = gateway.stdio();
    let text = "x".repeat(100_000);
    let long =
        modern("tools/call", &format!(r#"{{"name":"e_echo","arguments":{{"t":"{text}"}}}}"#));
    let refused = stdio.shown(&long).await;
    assert!(refused.contains(r#""error""#) && refused.contains("limit"), "{refused}");
    assert!(refused.contains("1024"), "says the limit: {refused}");
    let next = stdio.shown(&modern("tools/call", CALL)).await;
    assert!(next.contains(r#""result""#), "{next}");
}

#[tokio::test]
async fn c078_the_end_of_the_input_ends_the_gateways_side_and_what_is_under_way() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    for handshake in [false, true] {
        let mut stdio = gateway.stdio();
        let wait = match handshake {
            true => {
                stdio.handshake("2025-11-25").await;
                legacy("tools/call", WAIT)
            }
            false => modern("tools/call", WAIT),
        };
        stdio.say(&wait).await;
        child.begun("tools/call wait", 1 + usize::from(handshake)).await;
        assert_eq!(stdio.end().await, Vec::<String>::new());
        child.cancelled("tools/call wait", 1 + usize::from(handshake)).await;
    }
}

#[tokio::test]
async fn c078_a_line_that_the_end_cuts_off_is_still_a_message() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    stdio.write(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
    assert_eq!(stdio.end().await, [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]);
}

#[tokio::test]
async fn a_stop_ends_the_channel() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut stdio = gateway.stdio();
    stdio.say(&modern("tools/call", WAIT)).await;
    child.begun("tools/call wait", 1).await;
    assert_eq!(stdio.stop().await, Vec::<String>::new());
    child.cancelled("tools/call wait", 1).await;
}

#[tokio::test]
async fn c138_c139_cancelled_ends_the_call_at_the_child_and_gets_no_answer() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut times = 0;
    for handshake in [false, true] {
        let mut stdio = gateway.stdio();
        if handshake {
            stdio.handshake("2025-11-25").await;
        }
        for id in ["7", r#""seven""#] {
            let wait =
                if handshake { legacy("tools/call", WAIT) } else { modern("tools/call", WAIT) };
            stdio.say(&wait.id(id)).await;
            times += 1;
            child.begun("tools/call wait", times).await;
            let cancel = |id: &str| {
                let params = format!(r#"{{"requestId":{id},"reason":"enough"}}"#);
                legacy("notifications/cancelled", &params).without_id()
            };
            // Unknown ones, and those of another type, are ignored (check 140).
            for other in [r#""7""#, "8", "null"].into_iter().filter(|other| *other != id) {
                stdio.say(&cancel(other)).await;
            }
            stdio.say(&cancel(id)).await;
            child.cancelled("tools/call wait", times).await;
            stdio.say(&cancel(id)).await;
        }
        let next = stdio.shown(&modern("tools/call", CALL).id("9")).await;
        assert!(next.contains(r#""id":9,"#), "nothing else came: {next}");
    }
}

#[tokio::test]
async fn answers_come_as_they_are_ready() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut stdio = gateway.stdio();
    stdio.say(&modern("tools/call", WAIT).id("1")).await;
    child.begun("tools/call wait", 1).await;
    let second = stdio.shown(&modern("tools/call", CALL).id("2")).await;
    assert!(second.contains(r#""id":2,"#), "{second}");
    let twice = stdio.shown(&modern("tools/call", CALL).id("1")).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"id: 1 is that of a request still in flight on this connection","data":{"gateway":{"code":"INVALID_REQUEST"}}}}"#]].assert_eq(&twice);
    child.release();
    let first = shown(stdio.next().await);
    assert!(first.contains("released"), "{first}");
}

#[tokio::test]
async fn c011_a_batch_on_a_channel_of_2025_03_26_is_answered() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    stdio.handshake("2025-03-26").await;
    stdio.line(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#).await;
    let mut answers = [shown(stdio.next().await), shown(stdio.next().await)];
    answers.sort();
    expect![[r#"
        {"jsonrpc":"2.0","id":1,"result":{}}
        {"jsonrpc":"2.0","id":2,"result":{}}"#]]
    .assert_eq(&answers.join("\n"));
}

#[tokio::test]
async fn c036_a_handshake_on_a_channel_never_agrees_on_a_modern_version() {
    let gateway = start_echo(&Echo::new()).await;
    let mut stdio = gateway.stdio();
    let greeting = stdio.shown(&initialize("2026-07-28", "{}")).await;
    assert!(greeting.contains(r#""protocolVersion":"2025-11-25""#), "{greeting}");
}

#[tokio::test]
async fn c096_a_channel_hears_of_its_subscriptions() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let mut stdio = gateway.stdio();
    stdio.handshake("2025-11-25").await;
    let uri = r#"{"uri":"demo://e/a/one"}"#;
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]]
        .assert_eq(&stdio.shown(&legacy("resources/subscribe", uri)).await);
    child.update("demo://a/one", "demo://a/one");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"demo://e/a/one"}}"#]].assert_eq(&shown(stdio.next().await));
    stdio.shown(&legacy("resources/unsubscribe", uri)).await;
    child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
}
