//! The walls around a mount: what is too much for one is refused there, and the others have theirs.

use futures_util::future::join_all;
use harness::client::modern;
use harness::scripted::{Cast, Play, Script, Step, What};
use harness::start::until;
use tokio::io::AsyncWriteExt;

use super::{code, data};

fn held() -> Script {
    Script::modern().tool("t").on("tools/call t", &[Step::Wait("gate".to_owned())])
}

/// Has so many calls of `m_t` under way or waiting while `meanwhile` runs; their answers.
async fn while_calling(
    play: &Play,
    calls: usize,
    meanwhile: impl Future<Output = ()>,
) -> Vec<String> {
    let calls = join_all((0..calls).map(|_| play.call("m_t")));
    tokio::join!(calls, meanwhile).0
}

#[tokio::test]
async fn a_full_mount_has_calls_wait_in_a_bounded_queue_and_the_others_are_as_they_were() {
    let keys = "calls_in_flight_max = 2\ncalls_queued_max = 3\nqueue_wait = \"1m\"\n";
    let cast = Cast::new("").in_process("other", "", Script::modern().tool("t"));
    let play = cast.in_process("m", keys, held()).start().await;
    let answers = while_calling(&play, 5, async {
        until("two calls and three that wait", async || {
            let report = play.report("m");
            (report.calls_in_flight, report.calls_queued) == (2, 3)
        })
        .await;
        let refused = play.call("m_t").await;
        assert_eq!(code(&refused), "LIMITED", "{refused}");
        assert!(refused.contains("2 calls under way") && refused.contains("3 calls wait"));
        assert!(data(&refused, "retryAfterMs").is_some(), "{refused}");
        assert!(play.call("other_t").await.contains("t {}"));
        assert_eq!(play.director("m").count(What::Request, "tools/call").await, 2);
        play.director("m").open("gate");
    })
    .await;
    assert!(answers.iter().all(|answer| answer.contains("t {}")), "{answers:?}");
}

#[tokio::test]
async fn a_call_that_finds_no_place_in_time_is_refused() {
    let keys = "calls_in_flight_max = 1\nqueue_wait = \"50ms\"\n";
    let play = Cast::new("").in_process("m", keys, held()).start().await;
    let answers = while_calling(&play, 1, async {
        play.director("m").saw(What::Request, "tools/call").await;
        let late = play.call("m_t").await;
        assert_eq!(code(&late), "LIMITED", "{late}");
        assert!(late.contains("within 50ms"), "{late}");
        play.director("m").open("gate");
    })
    .await;
    assert!(answers[0].contains("t {}"));
}

#[tokio::test]
async fn bytes_under_way_are_bounded_per_mount() {
    let keys = "bytes_in_flight_max = \"64KiB\"\ncalls_queued_max = 0\n";
    let play = Cast::new("").in_process("m", keys, held()).start().await;
    let large = format!(r#"{{"name":"m_t","arguments":{{"x":"{}"}}}}"#, "y".repeat(60 * 1024));
    let first = play.ask("tools/call", &large);
    let (answer, ()) = tokio::join!(first, async {
        play.director("m").saw(What::Request, "tools/call").await;
        assert_eq!(code(&play.ask("tools/call", &large).await), "LIMITED");
        play.director("m").open("gate");
    });
    assert!(answer.contains("result"), "{answer}");
}

#[tokio::test]
async fn answers_that_their_callers_do_not_take_are_bounded_per_mount() {
    let script = Script::modern().tool("t").on("tools/call t", &[Step::Huge(32 << 20)]);
    let cast = Cast::new("[gateway.limits]\nwrite_timeout = \"10m\"\n");
    let cast = cast.in_process("other", "", Script::modern().tool("t"));
    let play = cast.in_process("m", "answer_bytes_max = \"8MiB\"\n", script).start().await;
    let params = r#"{"name":"m_t","arguments":{}}"#;
    let mut deaf = tokio::net::TcpStream::connect(play.running.mcp).await.expect("it listens");
    let body = modern("tools/call", params).bytes();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: \
         application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: \
         tools/call\r\nMcp-Name: m_t\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    deaf.write_all(&[head.as_bytes(), &body].concat()).await.expect("it takes the request");
    let held = async |bytes: usize| play.report("m").answer_bytes >= bytes;
    until("an answer that nobody takes", async || held(32 << 20).await).await;
    let refused = play.call("m_t").await;
    assert_eq!(code(&refused), "LIMITED", "{refused}");
    assert!(refused.contains("answer_bytes_max"), "{refused}");
    assert!(play.call("other_t").await.contains("t {}"), "the others have their own");
    drop(deaf);
    until("the room to be free", async || !held(1).await).await;
    assert!(play.call("m_t").await.contains("result"), "there is room again");
}

#[tokio::test]
async fn a_flood_of_notifications_reaches_nobody_and_delays_nobody() {
    // More than any queue on the way holds, twice over; the answers come all the same.
    let flood: Vec<Step> = (0..2000)
        .map(|n| {
            let params = format!(r#"{{"level":"info","data":"{n}"}}"#);
            Step::Notify("notifications/message".to_owned(), params)
        })
        .collect();
    let script = Script::modern().tool("t").on("tools/call t", &flood);
    let cast = Cast::new("").in_process("other", "", Script::modern().tool("t"));
    let program = env!("CARGO_BIN_EXE_scripted-child");
    let play = cast.process("m", "", program, script).await.start().await;
    let (flooded, other) = tokio::join!(play.call("m_t"), play.call("other_t"));
    assert!(flooded.contains("t {}"), "{flooded}");
    assert!(other.contains("t {}"), "{other}");
    assert_eq!(play.report("m").state, "ready");
}
