//! What a wire promises, with a child that does as it likes.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use protocol::{Method, Raw};
use serde_json::{Value, json};

use super::super::asking::Delivery;
use super::super::scripted::{Child, MESSAGE_BYTES_MAX, raw, wired, word};
use super::{Answer, Hear, Wire};
use crate::call::{Backchannel, Fault};

const ROOM: usize = 64 << 10;

async fn ask(wire: &Wire, method: Method) -> Result<Answer, Fault> {
    let id = wire.fresh_id();
    wire.request(id, &method, &raw(&json!({})), None).await
}

fn asked(wire: &Arc<Wire>, method: Method) -> tokio::task::JoinHandle<Result<Answer, Fault>> {
    let wire = wire.clone();
    tokio::spawn(async move { ask(&wire, method).await })
}

fn shown(answer: Result<Answer, Fault>) -> String {
    match answer {
        Ok(Ok(result)) => result.to_string(),
        Ok(Err(error)) => format!("error {}", error.code),
        Err(fault) => word(&fault.kind).to_owned(),
    }
}

/// One round trip, to be sure that everything before it was taken.
async fn still_works(wire: &Arc<Wire>, child: &mut Child) {
    let call = asked(wire, Method::ToolsCall);
    let id = child.request("tools/call").await;
    child.result(id, json!({"fine": id})).await;
    assert_eq!(shown(call.await.unwrap()), format!(r#"{{"fine":{id}}}"#));
}

#[tokio::test]
async fn two_hundred_calls_at_once_get_each_its_own_answer_whatever_the_order() {
    let (lines, mut child, _) = wired(ROOM);
    let wire = &lines.wire;
    let calls = join_all((0..200).map(|n| async move {
        let id = wire.fresh_id();
        let params = raw(&json!({ "n": n }));
        let answer = wire.request(id, &Method::ToolsCall, &params, None).await;
        (n, shown(answer))
    }));
    let playing = async {
        let mut open = Vec::new();
        while open.len() < 200 {
            let message = child.next().await;
            open.push((message["id"].as_u64().unwrap(), message["params"]["n"].clone()));
        }
        let ids: HashSet<u64> = open.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), 200, "an id was used twice");
        open.sort_by_key(|(id, _)| id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (id, n) in open {
            child.result(id, json!({ "n": n })).await;
        }
    };
    let (answers, ()) = tokio::join!(calls, playing);
    for (n, answer) in answers {
        assert_eq!(answer, format!(r#"{{"n":{n}}}"#));
    }
    assert_eq!(wire.calls_open(), 0);
}

#[tokio::test]
async fn c138_a_dropped_call_is_cancelled_at_the_child_and_its_late_answer_dropped() {
    let (lines, mut child, _) = wired(ROOM);
    let call = asked(&lines.wire, Method::ToolsCall);
    let id = child.request("tools/call").await;
    call.abort();
    let cancelled = child.next().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], id);
    child.result(id, json!({"late": true})).await;
    still_works(&lines.wire, &mut child).await;
    assert_eq!(lines.wire.calls_open(), 0);
}

/// Which requests are over.
#[derive(Default)]
struct Overs(std::sync::Mutex<Vec<u64>>);

impl Hear for Overs {
    fn notification(&self, _: &Wire, _: &str, _: Raw) {}

    fn request(&self, _: &Wire, _: &Raw, _: &str, _: Raw) {}

    fn over(&self, id: u64) {
        self.0.lock().unwrap().push(id);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_when_its_answer_has_just_come_is_over() {
    let (lines, mut child, _) = wired(ROOM);
    let (wire, overs) = (&lines.wire, Arc::new(Overs::default()));
    wire.heard_by(overs.clone());
    let mut call = Box::pin(ask(wire, Method::ToolsCall));
    let id = tokio::select! {
        biased;
        _answer = &mut call => panic!("an answer before the child has it"),
        id = child.request("tools/call") => id,
    };
    child.result(id, json!({})).await;
    // This is answered after it.
    still_works(wire, &mut child).await;
    assert!(overs.0.lock().unwrap().is_empty());
    drop(call);
    assert_eq!(*overs.0.lock().unwrap(), [id]);
}

#[tokio::test]
async fn an_initialize_that_is_given_up_is_not_cancelled() {
    let (lines, mut child, _) = wired(ROOM);
    let call = asked(&lines.wire, Method::Initialize);
    child.request("initialize").await;
    call.abort();
    assert!(call.await.is_err());
    still_works(&lines.wire, &mut child).await;
}

#[tokio::test]
async fn a_call_dropped_before_it_is_written_never_reaches_the_child() {
    let (lines, mut child, _) = wired(64);
    let wire = &lines.wire;
    let stuck = raw(&json!({"x": "y".repeat(500)}));
    let first = wire.request(wire.fresh_id(), &Method::ToolsCall, &stuck, None);
    let mut first = std::pin::pin!(first);
    assert!(futures_util::poll!(&mut first).is_pending());
    // The writer takes the first and is stuck in the pipe; the second stays in the queue.
    tokio::task::yield_now().await;
    let second = asked(wire, Method::PromptsGet);
    tokio::task::yield_now().await;
    second.abort();
    let mut seen = Vec::new();
    let last = asked(wire, Method::Ping);
    loop {
        let message = child.next().await;
        let method = message["method"].as_str().unwrap().to_owned();
        seen.push(method.clone());
        if method == "ping" {
            break;
        }
    }
    last.abort();
    assert!(!seen.contains(&"prompts/get".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn what_is_no_message_is_noted_and_harms_nobody() {
    let (lines, mut child, words) = wired(ROOM);
    let call = asked(&lines.wire, Method::ToolsCall);
    let id = child.request("tools/call").await;
    for garbage in ["Server listening", "{", "7", "\u{0}\u{1}", "", "  \t", "[]", "null"] {
        child.say(garbage).await;
    }
    child.say(r#"{"jsonrpc":"2.0","id":99,"result":{}}"#).await;
    child.say(format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"not":"yours"}}}}"#)).await;
    child.say(r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"what?"}}"#).await;
    child.result(id, json!({"n": 1})).await;
    child.result(id, json!({"n": 2})).await;
    assert_eq!(shown(call.await.unwrap()), r#"{"n":1}"#);
    still_works(&lines.wire, &mut child).await;
    let noted = words.all().join("\n");
    for part in ["Server listening", "id 99", "what?", "id \"1\""] {
        assert!(noted.contains(part), "{part} in {noted}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_ends_its_own_call_at_once() {
    let (lines, mut child, _) = wired(ROOM);
    let (one, two) = (asked(&lines.wire, Method::ToolsCall), asked(&lines.wire, Method::ToolsCall));
    let (id_one, id_two) = (child.request("tools/call").await, child.request("tools/call").await);
    child.say(format!(r#"{{"id":{id_one},"result":{{}}}}"#)).await;
    assert_eq!(shown(one.await.unwrap()), "bad answer");
    child.result(id_two, json!({})).await;
    assert_eq!(shown(two.await.unwrap()), "{}");
}

#[tokio::test]
async fn a_message_too_long_to_read_fails_its_call_and_no_other() {
    let (lines, mut child, words) = wired(ROOM);
    for (long, answer_first) in [(MESSAGE_BYTES_MAX + 1, true), (10 * ROOM, false)] {
        let call = asked(&lines.wire, Method::ToolsCall);
        let id = child.request("tools/call").await;
        let blob = "x".repeat(long);
        child
            .say(if answer_first {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"blob":"{blob}"}}}}"#)
            } else {
                format!(r#"{{"result":{{"blob":"{blob}"}},"jsonrpc":"2.0","id":{id}}}"#)
            })
            .await;
        assert_eq!(shown(call.await.unwrap()), "bad answer");
        still_works(&lines.wire, &mut child).await;
    }
    assert!(words.all().join("\n").contains("result_bytes_max"));
}

#[tokio::test]
async fn a_call_whose_answer_is_too_long_ends_before_the_rest_was_read() {
    let (lines, mut child, _) = wired(ROOM);
    let call = asked(&lines.wire, Method::ToolsCall);
    let id = child.request("tools/call").await;
    let blob = "x".repeat(MESSAGE_BYTES_MAX + ROOM);
    child.write(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"blob":"{blob}"#)).await;
    assert_eq!(shown(call.await.unwrap()), "bad answer");
    child.say(format!(r#"{blob}"}}}}"#)).await;
    still_works(&lines.wire, &mut child).await;
}

#[tokio::test]
async fn a_flood_is_read_to_its_end_and_costs_no_answer() {
    let (lines, mut child, _) = wired(ROOM);
    let call = asked(&lines.wire, Method::ToolsCall);
    let id = child.request("tools/call").await;
    for _ in 0..1000 {
        child
            .say(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#.to_owned())
            .await;
    }
    child.result(id, json!({"last": true})).await;
    assert_eq!(shown(call.await.unwrap()), r#"{"last":true}"#);
}

#[tokio::test]
async fn c029_a_batch_is_taken_apart() {
    let (lines, mut child, _) = wired(ROOM);
    let (one, two) = (asked(&lines.wire, Method::ToolsCall), asked(&lines.wire, Method::ToolsCall));
    let (a, b) = (child.request("tools/call").await, child.request("tools/call").await);
    let answer = |id| json!({"jsonrpc": "2.0", "id": id, "result": {"id": id}});
    child.say(json!([answer(b), 7, answer(a)]).to_string()).await;
    let mut shown = [shown(one.await.unwrap()), shown(two.await.unwrap())];
    shown.sort();
    assert_eq!(shown, [r#"{"id":1}"#, r#"{"id":2}"#]);
}

#[tokio::test]
async fn c142_progress_reaches_the_call_whose_token_it_carries_and_only_that() {
    let (lines, mut child, _) = wired(ROOM);
    let wire = &lines.wire;
    let (back_a, mut notices_a) = Backchannel::open();
    let (back_b, mut notices_b) = Backchannel::open();
    let (a, b, c) = (wire.fresh_id(), wire.fresh_id(), wire.fresh_id());
    let params = raw(&json!({}));
    let calls = async {
        tokio::join!(
            wire.request(a, &Method::ToolsCall, &params, Some(back_a)),
            wire.request(b, &Method::ToolsCall, &params, Some(back_b)),
            wire.request(c, &Method::ToolsCall, &params, None),
        )
    };
    let playing = async {
        for _ in 0..3 {
            child.request("tools/call").await;
        }
        for token in [json!(b), json!(c), json!(77), json!(a.to_string()), json!(a)] {
            let params = json!({"progressToken": token, "progress": 0.5, "x": [1.0]});
            child.tell("notifications/progress", params).await;
        }
        for id in [a, b, c] {
            child.result(id, json!({})).await;
        }
    };
    let _answers = tokio::join!(calls, playing);
    for (id, notices) in [(a, &mut notices_a), (b, &mut notices_b)] {
        let notice = notices.recv().await.unwrap();
        let params: Value = serde_json::from_str(&notice.params).unwrap();
        assert_eq!(params, json!({"progressToken": id, "progress": 0.5, "x": [1.0]}));
        assert!(notices.recv().await.is_none(), "one notice each");
    }
}

#[tokio::test]
async fn a_stream_that_ends_mid_line_ends_every_call_at_once() {
    let (lines, mut child, _) = wired(ROOM);
    let wire = &lines.wire;
    let (written, read) = (asked(wire, Method::ToolsCall), asked(wire, Method::ToolsList));
    let first = child.next().await;
    child.next().await;
    child.write(&format!(r#"{{"jsonrpc":"2.0","id":{},"resu"#, first["id"])).await;
    drop(child);
    assert_eq!(shown(written.await.unwrap()), "outcome unknown");
    assert_eq!(shown(read.await.unwrap()), "unreachable");
    assert_eq!(wire.lost().await, "it closed the connection");
    assert_eq!(shown(ask(wire, Method::ToolsCall).await), "unreachable");
    assert_eq!(wire.calls_open(), 0);
}

#[tokio::test]
async fn a_call_that_was_never_written_may_be_sent_again() {
    let (lines, child, _) = wired(64);
    let wire = &lines.wire;
    let stuck = raw(&json!({"x": "y".repeat(500)}));
    let first = wire.request(wire.fresh_id(), &Method::ToolsCall, &stuck, None);
    let mut first = std::pin::pin!(first);
    assert!(futures_util::poll!(&mut first).is_pending());
    // The writer takes the first and is stuck in the pipe; the second stays in the queue.
    tokio::task::yield_now().await;
    let second = asked(wire, Method::ToolsCall);
    tokio::task::yield_now().await;
    drop(child);
    assert_eq!(shown(first.await), "outcome unknown");
    assert_eq!(shown(second.await.unwrap()), "unreachable");
}

#[tokio::test]
async fn c073_a_message_is_one_line_whatever_its_params_look_like() {
    let (lines, mut child, _) = wired(ROOM);
    let params = protocol::Raw::from_static("{\n  \"a\":\r\n  \"b\\n\"\n}");
    let call = lines.wire.request(lines.wire.fresh_id(), &Method::ToolsCall, &params, None);
    let playing = async {
        let message = child.next().await;
        assert_eq!(message["params"], json!({"a": "b\n"}));
        child.result(1, json!({})).await;
    };
    let (answer, ()) = tokio::join!(call, playing);
    assert_eq!(shown(answer), "{}");
}

#[tokio::test]
async fn an_answer_that_finds_no_room_is_told_to_the_call_that_it_was_for_and_one_too_late_is_not()
{
    let (wire, queue) = Wire::new("m".into(), Arc::default());
    let id = protocol::Raw::from_static("1");
    let answer: Answer = Ok(protocol::Raw::default());
    let (delivery, mut heard) = Delivery::heard();
    while wire.answer(&id, &answer, Some(delivery.clone())) {}
    let fault = heard.try_recv().expect("the call hears of it");
    assert_eq!(word(&fault.kind), "unanswered");
    assert!(fault.text.contains("elicitation/create"), "{fault:?}");
    assert!(fault.text.contains("takes no messages"), "{fault:?}");
    // Its end ends every call, with a better reason.
    drop(queue);
    assert!(!wire.answer(&id, &answer, Some(delivery)));
    assert!(heard.try_recv().is_err());
}
