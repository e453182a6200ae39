//! What a server sends reaches the request that caused it, in order, and no other.

use expect_test::expect;
use protocol::ChildRequest;
use serde_json::{Value, json};

use crate::caller::{Caller, Ear, lines, with_meta, wrapped};
use crate::probe::{Probe, Shared, log};

fn call(tool: &str, arguments: Value, meta: Value) -> Value {
    json!({ "name": tool, "arguments": arguments, "_meta": meta })
}

#[tokio::test]
async fn c142_progress_comes_in_order_under_the_callers_own_token_before_the_result() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let tokens = [json!("a"), json!(7), json!(u64::MAX), json!("7"), json!("")];
    for token in tokens {
        let params = call("count", json!({ "steps": 40 }), json!({ "progressToken": token }));
        let (answer, heard) = caller.hear("tools/call", params).await;
        assert_eq!(answer.unwrap()["content"][0]["text"], "counted");
        let expected: Vec<_> = (1..=40)
            .map(|step| {
                let params = json!({ "progressToken": token, "progress": f64::from(step) });
                ("notifications/progress".to_owned(), params)
            })
            .collect();
        assert_eq!(heard, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_with_the_same_token_do_not_mix() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let params = || call("count_together", json!({}), json!({ "progressToken": "same" }));
    let (one, two) =
        tokio::join!(caller.hear("tools/call", params()), caller.hear("tools/call", params()));
    assert_eq!((one.0.is_ok(), two.0.is_ok()), (true, true));
    expect![[r#"
        notifications/progress {"progress":1.0,"progressToken":"same"}
        notifications/progress {"progress":2.0,"progressToken":"same"}
        notifications/progress {"progress":3.0,"progressToken":"same"}
    "#]]
    .assert_eq(&wrapped(&lines(&one.1)));
    assert_eq!(lines(&one.1), lines(&two.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_each_hear_their_own_progress_whole_and_in_order() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let calls: Vec<_> = (1..=64)
        .map(|steps| {
            let caller = caller.clone();
            let mut meta = json!({ "progressToken": "same" });
            if steps % 2 == 0 {
                meta["io.modelcontextprotocol/logLevel"] = json!("debug");
            }
            let params = call("count", json!({ "steps": steps }), meta);
            tokio::spawn(async move { caller.hear("tools/call", params).await.1 })
        })
        .collect();
    for (steps, call) in (1..=64).zip(calls) {
        let heard: Vec<_> =
            call.await.unwrap().iter().map(|(_, params)| params["progress"].as_f64()).collect();
        assert_eq!(heard, (1..=steps).map(|step| Some(f64::from(step))).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_messages_of_two_calls_do_not_mix() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let params = |who: &str| {
        let level = json!({ "io.modelcontextprotocol/logLevel": "debug" });
        call("log_together", json!({ "who": who }), level)
    };
    let (one, two) = tokio::join!(
        caller.hear("tools/call", params("one")),
        caller.hear("tools/call", params("two")),
    );
    expect![[r#"
        notifications/message {"data":["one",0],"level":"warning"}
        notifications/message {"data":["one",1],"level":"warning"}
        notifications/message {"data":["one",2],"level":"warning"}
    "#]]
    .assert_eq(&wrapped(&lines(&one.1)));
    expect![[r#"
        notifications/message {"data":["two",0],"level":"warning"}
        notifications/message {"data":["two",1],"level":"warning"}
        notifications/message {"data":["two",2],"level":"warning"}
    "#]]
    .assert_eq(&wrapped(&lines(&two.1)));
}

#[tokio::test]
async fn c146_log_messages_come_from_the_level_asked_for_or_not_at_all() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let mut heard_at = Vec::new();
    for level in ["debug", "info", "notice", "emergency"] {
        let level = json!({ "io.modelcontextprotocol/logLevel": level });
        heard_at.push(caller.hear("tools/call", call("log", json!({}), level)).await.1.len());
    }
    assert_eq!(heard_at, [3, 2, 1, 0]);
    let unasked = call("log", json!({}), json!({ "progressToken": 1 }));
    assert_eq!(caller.hear("tools/call", unasked).await.1, []);
}

#[tokio::test]
async fn c144_without_a_token_there_is_no_progress() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let params = call("count", json!({ "steps": 3 }), json!({}));
    let (answer, heard) = caller.hear("tools/call", params).await;
    assert_eq!((answer.is_ok(), heard.len()), (true, 0));
}

#[tokio::test]
async fn a_server_waits_for_a_slow_receiver_and_loses_nothing() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let (ear, mut heard) = Ear::open(1);
    let params = call("count", json!({ "steps": 300 }), json!({ "progressToken": 1 }));
    let request = caller.0.request(ChildRequest::new("tools/call", with_meta(params), ear));
    let answer = tokio::spawn(request);
    for step in 1..=300 {
        let (_, params) = heard.recv().await.unwrap();
        assert_eq!(params["progress"], f64::from(step));
    }
    answer.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_wait_is_stopped_at_a_bound() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let (ear, mut heard) = Ear::open(1);
    let params = call("flood", json!({}), json!({ "progressToken": 1 }));
    let request = caller.0.request(ChildRequest::new("tools/call", with_meta(params), ear));
    let answer = tokio::spawn(request);
    shared.begun.notified().await;
    let mut taken = 0;
    while heard.recv().await.is_some() {
        taken += 1;
    }
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.contains("too many notifications of this request are waiting"), "{answer:?}");
    // One in the ear, one on its way there, sixty-four waiting.
    assert_eq!(taken, 66);
}

#[tokio::test]
async fn a_notification_of_any_kind_reaches_a_request_with_a_line_of_its_own() {
    let caller = Caller(upstreams::mount(Probe(Shared::new())));
    let level = json!({ "io.modelcontextprotocol/logLevel": "debug" });
    let (_, heard) = caller.hear("tools/call", call("custom", json!({}), level)).await;
    expect![[r#"
        com.example/hint {"a":1}
    "#]]
    .assert_eq(&wrapped(&lines(&heard)));
    let (answer, heard) = caller.hear("tools/call", call("custom", json!({}), json!({}))).await;
    assert_eq!((answer.is_ok(), heard.len()), (true, 0));
}

#[tokio::test]
async fn c139_a_peer_kept_from_an_answered_call_sends_nothing_to_later_ones() {
    let shared = Shared::new();
    let caller = Caller(upstreams::mount(Probe(shared.clone())));
    let level = json!({ "io.modelcontextprotocol/logLevel": "debug" });
    caller.hear("tools/call", call("keep_peer", json!({}), level.clone())).await.0.unwrap();
    let kept = shared.last_peer();
    let mut running = caller.start("tools/call", call("hang", json!({}), level));
    shared.begun.notified().await;
    log(&kept, "emergency", json!("a secret of another caller")).await;
    assert!(running.heard.try_recv().is_err());
    running.drop_it().await;
}
