//! Gates: shut by failures alone, explained to callers, opened by signs of life.

use futures_util::future::join_all;
use harness::scripted::{Cast, Script, Step, What};
use harness::start::until;

use super::{code, data};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-child");

fn failing() -> Script {
    Script::modern().tool("t").tool("well").on("tools/call t", &[Step::Status(500, String::new())])
}

#[tokio::test]
async fn calls_to_a_shut_gate_fail_at_once_and_say_why_and_when_to_try_again() {
    let keys = "health = { failures_max = 3, pause = \"1h\", pause_max = \"1h\" }\n";
    let cast = Cast::new("").in_process("other", "", Script::modern().tool("t"));
    let play = cast.http("m", keys, failing()).await.start().await;
    for _ in 0..3 {
        assert_eq!(code(&play.call("m_t").await), "OUTCOME_UNKNOWN");
    }
    let shut = play.call("m_well").await;
    assert_eq!(code(&shut), "CONNECTION_ERROR", "{shut}");
    assert!(shut.contains("no calls are let through after 3 failures"), "{shut}");
    assert!(shut.contains("HTTP 500"), "the last failure is named: {shut}");
    assert_eq!(data(&shut, "mount").as_deref(), Some("\"m\""));
    assert_eq!(data(&shut, "state").as_deref(), Some("\"degraded\""));
    let since: u64 = data(&shut, "since").expect("since").parse().expect("a number");
    assert!(since > 1_700_000_000, "{shut}");
    let after: u64 = data(&shut, "retryAfterMs").expect("retryAfterMs").parse().expect("a number");
    assert!(after > 0, "{shut}");
    assert_eq!(play.director("m").count(What::Request, "tools/call").await, 3);
    let report = play.report("m");
    assert_eq!((report.state, report.gate), ("degraded", "shut"));
    assert!(play.call("other_t").await.contains("t {}"), "the others are as they were");
}

#[tokio::test]
async fn a_gate_opens_by_itself_after_a_sign_of_life() {
    let keys = "health = { failures_max = 2, pause = \"10ms\" }\n";
    let play = Cast::new("").http("m", keys, failing()).await.start().await;
    for _ in 0..2 {
        assert_eq!(code(&play.call("m_t").await), "OUTCOME_UNKNOWN");
    }
    play.until_state("m", "ready").await;
    assert_eq!(play.report("m").gate, "open");
    assert!(play.call("m_well").await.contains("well {}"));
}

#[tokio::test]
async fn a_child_whose_errors_are_its_own_is_well() {
    let keys = "health = { failures_max = 1 }\n";
    let broken = Step::Error(-32603, "broken".to_owned(), None);
    let refused = Step::Refuse(400, -32602, "no".to_owned(), None);
    for step in [broken, refused, Step::Status(429, String::new())] {
        let script = Script::modern().tool("t").on("tools/call t", std::slice::from_ref(&step));
        let play = Cast::new("").http("m", keys, script).await.start().await;
        for _ in 0..3 {
            assert!(play.call("m_t").await.contains("error"));
        }
        let report = play.report("m");
        assert_eq!((report.state, report.gate), ("ready", "open"), "{step:?}");
    }
}

#[tokio::test]
async fn a_slow_child_that_gives_signs_of_life_is_not_dead() {
    let keys = "timeout = \"1s\"\n\
        health = { failures_max = 2, pause = \"1ms\", pause_max = \"50ms\" }\n";
    for legacy in [false, true] {
        let script = Script::modern().tool("t").on("tools/call t", &[Step::Hang]);
        let speaks = if legacy { Script::legacy().speaks } else { script.speaks };
        let script = Script { speaks, ..script };
        let cast = Cast::new("").process("m", keys, PROGRAM, script).await;
        let play = cast.start().await;
        let probe = if legacy { "ping" } else { "server/discover" };
        let director = play.director("m").clone();
        let before = director.count(What::Request, probe).await;
        for answer in join_all((0..4).map(|_| play.call("m_t"))).await {
            assert_eq!(code(&answer), "TIMEOUT");
        }
        director.saw_times(before + 1, What::Request, probe).await;
        play.until_state("m", "ready").await;
        assert_eq!(play.report("m").gate, "open", "legacy: {legacy}");
        assert_eq!(director.count(What::Ended, "").await, 0, "it was not started anew");
    }
}

#[tokio::test]
async fn a_child_that_wants_another_credential_is_asked_seldom_and_comes_back_by_itself() {
    let refusing = || {
        let step = Step::Status(401, String::new());
        Script::modern().tool("t").on("server/discover", &[step])
    };
    // Once: neither the pause nor whoever calls has it asked again.
    let keys = "health = { pause = \"1ms\", dials_per_hour = 1 }\n";
    let play = Cast::new("").http("m", keys, refusing()).await.start().await;
    for _ in 0..5 {
        let answer = play.call("m_t").await;
        assert_eq!(code(&answer), "CONNECTION_ERROR");
        assert_eq!(data(&answer, "state").as_deref(), Some("\"unauthorized\""));
    }
    let report = play.report("m");
    assert_eq!(report.state, "unauthorized");
    assert!(report.retry_after_ms.is_some_and(|after| after > 800_000), "{report:?}");
    assert_eq!(play.director("m").count(What::Request, "server/discover").await, 1);

    let keys = "health = { unauthorized_every = \"20ms\", dials_per_hour = 100000 }\n";
    let play = Cast::new("").http("m", keys, refusing()).await.start().await;
    let mut listen = play.listen(r#"{"toolsListChanged":true}"#).await;
    play.director("m").script(Script::modern().tool("t"));
    assert!(listen.message().await.unwrap().contains("tools/list_changed"));
    assert!(play.call("m_t").await.contains("t {}"));
}

#[tokio::test]
async fn a_dead_remote_host_is_asked_at_most_so_often_an_hour() {
    let keys = "health = { pause = \"1ms\", pause_max = \"1ms\", dials_per_hour = 3 }\n";
    let dead = Script::modern().on("server/discover", &[Step::Status(502, String::new())]);
    let play = Cast::new("").http("m", keys, dead).await.start().await;
    // After the third attempt the next one is the better part of an hour away.
    until("the third attempt", async || {
        play.report("m").retry_after_ms.is_some_and(|after| after > 3_000_000)
    })
    .await;
    for _ in 0..5 {
        assert_eq!(code(&play.call("m_t").await), "CONNECTION_ERROR");
    }
    assert_eq!(play.director("m").count(What::Request, "server/discover").await, 3);
}

#[tokio::test]
async fn a_call_has_a_dead_child_tried_before_its_pause_is_over() {
    let keys = "health = { pause = \"1h\", pause_max = \"1h\", dials_per_hour = 100000 }\n";
    let dead = Script::modern().on("server/discover", &[Step::Status(502, String::new())]);
    let play = Cast::new("").http("m", keys, dead).await.start().await;
    assert_eq!(play.report("m").state, "down");
    play.director("m").script(Script::modern().tool("t"));
    until("a call to be answered", async || play.call("m_t").await.contains("t {}")).await;
    assert_eq!(play.report("m").state, "ready");
}
