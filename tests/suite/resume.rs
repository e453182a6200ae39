//! Streams of legacy sessions that broke and are taken up again (checks 88, 89, 92).

use expect_test::{Expect, expect};
use harness::client::{Answer, Ask, Session, legacy, modern, shown};
use harness::echo::Echo;
use harness::start::{Running, start_echo, start_echo_with, until};

const NEWEST: &str = "2025-11-25";
const BEFORE: &str = "2025-06-18";
/// Tells nothing before its answer.
const QUIET: &str = r#"{"name":"e_wait","arguments":{}}"#;
/// Tells one thing before its answer.
const WAIT: &str = r#"{"name":"e_wait","arguments":{},"_meta":{"progressToken":"p"}}"#;
const SLOW: &str =
    r#"{"name":"e_slow","arguments":{"steps":[1,2,3]},"_meta":{"progressToken":"p"}}"#;

/// Takes a stream up after an event.
async fn after(gateway: &Running, session: &Session, event: &str) -> Answer {
    gateway.http().send(&session.of(Ask::bare("GET")).header("last-event-id", event)).await
}

async fn rest(gateway: &Running, session: &Session, event: &str, expected: Expect) {
    expected.assert_eq(&after(gateway, session, event).await.shown(&[]).await);
}

/// Lets the calls of a tool go until so many have been answered.
async fn released(child: &Echo, name: &str, times: usize) {
    until(name, async || {
        child.release();
        child.seen().answered.get(name) == Some(&times)
    })
    .await;
}

/// The next message and its id.
async fn next(answer: &mut Answer) -> (String, String) {
    let message = answer.message().await.expect("a message");
    (message, answer.last_event.clone().expect("an id"))
}

#[tokio::test]
async fn c092_a_long_answer_begins_with_a_place_to_come_back_to_where_clients_know_that() {
    let child = Echo::new();
    let gateway = start_echo_with(&child, &[("gateway.limits.stream_after", "0s")]).await;
    let session = gateway.http().session(NEWEST).await;
    let mut answer = session.send("tools/call", QUIET).await;
    assert!(answer.is_stream());
    let first = String::from_utf8(answer.part().await.unwrap().to_vec()).unwrap();
    let id = first.strip_prefix("id: ").and_then(|rest| rest.split_once('\n'));
    let (id, rest_of_event) = id.unwrap_or_else(|| panic!("{first}"));
    assert_eq!(rest_of_event, "retry: 1000\ndata: \n\n");
    // The client is gone, and its call goes on.
    drop(answer);
    released(&child, "tools/call wait", 1).await;
    let expected = expect![[r#"
        200 text/event-stream
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"released\""}]}}"#]];
    // Whoever loses that, too, gets it once more.
    for _ in 0..2 {
        let again = after(&gateway, &session, id).await.shown(&[]).await;
        expected.assert_eq(&again);
    }
    let before = gateway.http().session(BEFORE).await;
    let waiting = tokio::spawn(async move { before.shown("tools/call", QUIET).await });
    released(&child, "tools/call wait", 2).await;
    let whole = waiting.await.unwrap();
    assert!(whole.starts_with("200 application/json\n"), "nothing but the answer: {whole}");
}

#[tokio::test]
async fn c092_a_stream_that_a_message_begins_has_a_place_to_come_back_to_before_it() {
    for (version, primed) in [(BEFORE, false), (NEWEST, true)] {
        let child = Echo::new();
        let gateway = start_echo(&child).await;
        let session = gateway.http().session(version).await;
        let mut answer = session.send("tools/call", WAIT).await;
        let first = String::from_utf8(answer.part().await.unwrap().to_vec()).unwrap();
        let event = first.strip_prefix("id: ").and_then(|rest| rest.split_once('\n'));
        let (_, event) = event.unwrap_or_else(|| panic!("{version}: {first}"));
        assert_eq!(event.starts_with("retry: 1000\ndata: \n\n"), primed, "{version}: {first}");
        child.release();
    }
}

#[tokio::test]
async fn c089_an_answer_is_there_for_a_client_of_each_version_that_left_and_comes_back() {
    for version in ["2025-03-26", BEFORE, NEWEST] {
        let child = Echo::new();
        let gateway = start_echo(&child).await;
        let session = gateway.http().session(version).await;
        let mut answer = session.send("tools/call", WAIT).await;
        let (progress, id) = next(&mut answer).await;
        assert!(progress.contains("notifications/progress"), "{progress}");
        // Taken up while it is still under way: what is open then goes on.
        let mut again = after(&gateway, &session, &id).await;
        assert_eq!(answer.message().await, None, "one reads at a time");
        child.release();
        let (last, newer) = next(&mut again).await;
        assert!(last.contains("released") && newer != id, "{last}");
        assert_eq!(again.message().await, None);
        assert_eq!(child.seen().cancelled.get("tools/call wait"), None);
        rest(&gateway, &session, &newer, expect!["200 text/event-stream"]).await;
    }
}

#[tokio::test]
async fn c092_each_id_is_of_one_stream_of_one_session_and_others_are_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let (one, two) = (gateway.http().session(NEWEST).await, gateway.http().session(NEWEST).await);
    let mut ids = Vec::new();
    let mut answers = Vec::new();
    for ask in [one.ask("tools/call", SLOW), one.ask("tools/call", SLOW).id("\"b\"")] {
        let mut answer = gateway.http().send(&ask).await;
        while let Some(message) = answer.message().await {
            answers.push(message);
            ids.push(answer.last_event.clone().unwrap());
        }
    }
    assert_eq!(ids.len(), 8);
    let mut each = ids.clone();
    each.sort();
    each.dedup();
    assert_eq!(each.len(), 8, "{ids:?}");
    // Each of them leads to the rest of its own stream.
    for (at, id) in ids.iter().enumerate() {
        let mut again = after(&gateway, &one, id).await;
        let mut rest = Vec::new();
        while let Some(message) = again.message().await {
            rest.push(message);
        }
        assert_eq!(rest, answers[at + 1..(at / 4 + 1) * 4], "{at}");
    }
    let good = &ids[0];
    let forged = format!("{}-99x", good.split_once('-').unwrap().0);
    let beyond = format!("{}-99999", good.split_once('-').unwrap().0);
    for bad in ["", "1", "é", good[1..].as_ref(), &forged, &beyond, &"9".repeat(4000)] {
        let status = after(&gateway, &one, bad).await.status;
        assert_eq!(status, 400, "{bad}");
    }
    rest(&gateway, &two, good, expect![[r#"
        400 application/json
        {"jsonrpc":"2.0","error":{"code":-32600,"message":"Last-Event-ID: this session was never given such an event"}}"#]]).await;
    let without = Ask::bare("GET").header("last-event-id", good);
    assert_eq!(gateway.http().send(&without).await.status, 405);
    one.delete().await;
    assert_eq!(after(&gateway, &one, good).await.status, 404);
}

#[tokio::test]
async fn c092_what_is_not_kept_any_more_is_said() {
    let flags = [("gateway.limits.replay_events_max", "1")];
    let gateway = start_echo_with(&Echo::new(), &flags).await;
    let session = gateway.http().session(NEWEST).await;
    let mut answer = session.send("tools/call", SLOW).await;
    let (_, id) = next(&mut answer).await;
    while answer.message().await.is_some() {}
    rest(&gateway, &session, &id, expect![[r#"
        200 text/event-stream
        {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"gateway","data":"messages of this stream were lost with the connection and are not kept any more"}}
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"done\""}]}}"#]]).await;
    session.shown("tools/call", SLOW).await;
    rest(&gateway, &session, &id, expect![[r#"
        200 text/event-stream
        {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the answer was given, could not be delivered, and is not kept any more (replay_events_max, replay_bytes_max): the request may have had effects","data":{"gateway":{"code":"OUTCOME_UNKNOWN"}}}}"#]]).await;
}

#[tokio::test]
async fn c088_a_standing_stream_goes_on_after_the_last_event_that_came() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut stream = session.stream().await;
    let uri = r#"{"uri":"demo://e/a/one"}"#;
    session.shown("resources/subscribe", uri).await;
    for part in ["1", "2"] {
        child.update("demo://a/one", &format!("demo://a/one/{part}"));
    }
    let (one, id) = next(&mut stream).await;
    let (two, last) = next(&mut stream).await;
    assert!(one.contains("one/1") && two.contains("one/2"), "{one} {two}");
    drop(stream);
    child.update("demo://a/one", "demo://a/one/3");
    let mut again = after(&gateway, &session, &id).await;
    for part in ["one/2", "one/3"] {
        let (message, _) = next(&mut again).await;
        assert!(message.contains(part), "{message}");
    }
    // Taken up at the end: nothing comes twice.
    let newest = again.last_event.clone().unwrap();
    assert_ne!(newest, last);
    let mut again = after(&gateway, &session, &newest).await;
    child.update("demo://a/one", "demo://a/one/4");
    let (message, _) = next(&mut again).await;
    assert!(message.contains("one/4"), "{message}");
}

#[tokio::test]
async fn c088_a_standing_stream_that_cannot_go_on_begins_anew_and_tells_what_may_have_changed() {
    let key = [("gateway.key", "0123456789abcdef0123456789abcdef")];
    let gateway = start_echo_with(&Echo::new(), &key).await;
    let session = gateway.http().session(NEWEST).await;
    let mut stream = session.stream().await;
    // What the first event says: a place, and no message.
    let place = String::from_utf8(stream.part().await.unwrap().to_vec()).unwrap();
    let place = place.strip_prefix("id: ").and_then(|rest| rest.split_once('\n')).unwrap().0;
    gateway.stop().await;
    let child = Echo::new();
    let gateway = start_echo_with(&child, &key).await;
    let mut stream = after(&gateway, &session, place).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(stream.message().await.unwrap());
    }
    told.sort();
    expect![[r#"
        {"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}
        {"jsonrpc":"2.0","method":"notifications/resources/list_changed"}
        {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#]]
    .assert_eq(&told.join("\n"));
    child.add_tool("one");
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#]]
        .assert_eq(&shown(stream.message().await));
}

#[tokio::test]
async fn c092_where_the_child_lets_its_client_come_back_later_so_does_the_gateway() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    child.add_tool("poll");
    let poll = r#"{"name":"e_poll","arguments":{}}"#;
    let session = gateway.http().session(NEWEST).await;
    let mut answer = session.send("tools/call", poll).await;
    assert_eq!(answer.message().await, None, "the stream ends before the answer");
    let id = answer.last_event.clone().expect("a place to come back to");
    let mut again = after(&gateway, &session, &id).await;
    child.release();
    let (last, _) = next(&mut again).await;
    assert!(last.contains("polled"), "{last}");
    // A client that does not know of this stays until the answer.
    let before = gateway.http().session(BEFORE).await;
    let waiting = tokio::spawn(async move { before.shown("tools/call", poll).await });
    released(&child, "tools/call poll", 2).await;
    let whole = waiting.await.unwrap();
    assert!(whole.starts_with("200 application/json\n") && whole.contains("polled"), "{whole}");
}

#[tokio::test]
async fn c062_modern_streams_have_no_ids() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.limits.stream_after", "0s")]).await;
    let slow = r#"{"name":"e_slow","arguments":{"steps":[1,2,3]}}"#;
    let slow = modern("tools/call", slow).meta("progressToken", "\"p\"");
    let mut answer = gateway.http().send(&slow).await;
    for _ in 0..4 {
        assert!(answer.message().await.is_some());
        assert_eq!(answer.last_event, None);
    }
    let stray = slow.header("last-event-id", "1");
    assert_eq!(gateway.http().send(&stray).await.status, 200);
    let get = Ask::bare("GET").header("last-event-id", "1");
    assert_eq!(gateway.http().send(&get).await.status, 405);
}

#[tokio::test]
async fn c138_a_call_whose_client_left_is_cancelled_when_the_client_says_so() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session(NEWEST).await;
    let mut answer = gateway.http().send(&session.of(legacy("tools/call", WAIT)).id("7")).await;
    let (_, id) = next(&mut answer).await;
    drop(answer);
    assert_eq!(session.tell("notifications/cancelled", r#"{"requestId":7}"#).await, 202);
    child.cancelled("tools/call wait", 1).await;
    rest(&gateway, &session, &id, expect!["200 text/event-stream"]).await;
}
