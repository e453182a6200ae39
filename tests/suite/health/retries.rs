//! What is sent again: only what did nothing for certain, or does no harm twice, and not without
//! end.

use harness::scripted::{Cast, Script, Step, What};

use super::code;

/// The first request of this kind fails so, the next one is answered.
fn fails_once(kind: &str, step: Step) -> Script {
    let read_only = r#"{"name":"read","inputSchema":{"type":"object"},
        "annotations":{"readOnlyHint":true}}"#;
    Script::modern()
        .tool("write")
        .tool_as(read_only.replace('\n', " "))
        .resource("demo://x/y")
        .on_each(kind, &[&[step], &[Step::Usual]])
}

const LOST: Step = Step::Status(500, String::new());
/// The gate is not meant here.
const HEALTH: &str = "health = { failures_max = 1000, window_calls = 1000 }\n";

#[tokio::test]
async fn a_call_that_may_have_happened_is_never_sent_again() {
    for step in [LOST, Step::Break, Step::Exit(1)] {
        for trust in [false, true] {
            let keys = format!("trust_annotations = {trust}\n{HEALTH}");
            let script = fails_once("tools/call write", step.clone());
            let play = Cast::new("").http("m", &keys, script).await.start().await;
            let answer = play.call("m_write").await;
            assert_eq!(code(&answer), "OUTCOME_UNKNOWN", "{step:?}: {answer}");
            assert!(answer.contains("look before you repeat"), "{answer}");
            let sent = play.director("m").count(What::Request, "tools/call").await;
            assert_eq!(sent, 1, "{step:?}, trust {trust}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_does_no_harm_twice_is_sent_again_where_that_is_trusted() {
    let script = fails_once("tools/call read", LOST);
    let keys = format!("trust_annotations = true\n{HEALTH}");
    let play = Cast::new("").http("m", &keys, script.clone()).await.start().await;
    assert!(play.call("m_read").await.contains("read {}"));
    assert_eq!(play.director("m").count(What::Request, "tools/call").await, 2);
    let play = Cast::new("").http("m", HEALTH, script).await.start().await;
    assert_eq!(code(&play.call("m_read").await), "OUTCOME_UNKNOWN");
    assert_eq!(play.director("m").count(What::Request, "tools/call").await, 1);
}

#[tokio::test]
async fn a_read_is_sent_again_as_often_as_the_mount_says() {
    let script = fails_once("resources/read", LOST);
    let play = Cast::new("").http("m", HEALTH, script.clone()).await.start().await;
    assert!(play.read("demo://m/x/y").await.contains("result"));
    assert_eq!(play.director("m").count(What::Request, "resources/read").await, 2);
    let keys = format!("retries = 0\n{HEALTH}");
    let play = Cast::new("").http("m", &keys, script).await.start().await;
    assert_eq!(code(&play.read("demo://m/x/y").await), "CONNECTION_ERROR");
    assert_eq!(play.director("m").count(What::Request, "resources/read").await, 1);
}

#[tokio::test]
async fn repetitions_are_a_part_of_the_calls_and_no_more() {
    let script = Script::modern().resource("demo://x/y").on("resources/read", &[LOST]);
    let keys = format!("retries = 2\nretries_percent = 10\nretries_floor = 0\n{HEALTH}");
    let play = Cast::new("").http("m", &keys, script).await.start().await;
    for _ in 0..40 {
        assert_eq!(code(&play.read("demo://m/x/y").await), "CONNECTION_ERROR");
    }
    let sent = play.director("m").count(What::Request, "resources/read").await;
    assert!((41..=44).contains(&sent), "40 calls and a tenth of them again, not {sent}");
}

#[tokio::test]
async fn a_call_that_was_not_executed_goes_to_another_replica() {
    // A listener that is bound and closed again refuses: the call certainly did nothing there.
    let well = || Script::modern().tool("t");
    let busy = Step::Status(429, String::new());
    let sick = Script::modern().tool("t").on("tools/call t", &[busy]);
    let keys = "retries = 0\nretries_floor = 1000\n";
    let cast = Cast::new("").replicas("m", keys, vec![sick, well()]).await;
    let play = cast.start().await;
    play.until_state("m", "ready").await;
    for _ in 0..40 {
        let answer = play.call("m_t").await;
        assert!(answer.contains("t {}"), "{answer}");
    }
    let executed = play.director("m/1").count(What::Executed, "tools/call").await;
    assert_eq!(executed, 40, "each call is executed once, where it can be");
    let refused = play.director("m/0").count(What::Request, "tools/call").await;
    assert!(refused > 0, "the busy replica had its turn");
}

#[tokio::test]
async fn a_call_that_may_have_happened_does_not_go_to_another_replica() {
    let lost = || Script::modern().tool("t").on("tools/call t", &[Step::Break]);
    let play = Cast::new("").replicas("m", HEALTH, vec![lost(), lost()]).await.start().await;
    play.until_state("m", "ready").await;
    for _ in 0..10 {
        assert_eq!(code(&play.call("m_t").await), "OUTCOME_UNKNOWN");
    }
    let sent = [
        play.director("m/0").count(What::Request, "tools/call").await,
        play.director("m/1").count(What::Request, "tools/call").await,
    ];
    assert_eq!(sent[0] + sent[1], 10, "{sent:?}");
}

#[tokio::test]
async fn the_longest_time_of_a_call_holds_over_all_repetitions() {
    let turns: &[&[Step]] = &[&[LOST], &[Step::Hang]];
    let script = Script::modern().resource("demo://x/y").on_each("resources/read", turns);
    let keys = format!("timeout = \"10s\"\ntimeout_max = \"10s\"\nretries = 20\n{HEALTH}");
    let play = Cast::new("").http("m", &keys, script).await.start().await;
    // The second one hangs: it ends with the time of the first one, and no third one follows.
    assert_eq!(code(&play.read("demo://m/x/y").await), "TIMEOUT");
    assert_eq!(play.director("m").count(What::Request, "resources/read").await, 2);
}
