//! Children that break, lie and fall silent: a clear fault for one call, nothing for the others.

use futures_util::future::join_all;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Step, What};
use harness::start::soon;

use super::Wire::{InProcess, LegacyEvents, LegacyHttp, LegacyPaired, LegacyWebSocket};
use super::Wire::{ModernEvents, ModernWebSocket};
use super::{ALL, ON_A_CHANNEL, OVER_HTTP, code, does, speaks};

/// After this a silent child is given up; whatever is not silent answers sooner.
const SILENT: &str = "timeout = \"10s\"\n";

#[tokio::test]
async fn c070_a_broken_answer_to_a_tool_call_is_told_and_never_asked_for_again() {
    for wire in ALL.into_iter().filter(|wire| *wire != InProcess) {
        for steps in
            [vec![Step::Break], vec![Step::Exit(1)], vec![Step::Progress(1), Step::Exit(1)]]
        {
            let play = wire.play("", does(&steps)).await;
            let answer = play.call("m_t").await;
            assert_eq!(code(&answer), "OUTCOME_UNKNOWN", "{wire:?} {steps:?}: {answer}");
            let director = play.director("m");
            let done = director.count(What::Executed, "tools/call").await;
            assert_eq!(done, 1, "{wire:?} {steps:?}");
        }
    }
}

#[tokio::test]
async fn a_child_that_panics_in_this_process_costs_only_its_call() {
    let play = InProcess.play("", does(&[Step::Break])).await;
    assert_eq!(code(&play.call("m_t").await), "BAD_ANSWER");
    assert!(play.call("m_well").await.contains("well {}"));
    assert_eq!(play.director("m").count(What::Executed, "tools/call").await, 2);
}

#[tokio::test]
async fn a_silent_child_costs_only_its_own_call_and_that_within_its_time() {
    // At the same time: the time is one in which a loaded machine answers what is not silent.
    let playing = ALL.map(|wire| async move {
        let play = wire.play(SILENT, does(&[Step::Hang])).await;
        let (silent, other) = tokio::join!(play.call("m_t"), play.call("other_t"));
        assert_eq!(code(&silent), "TIMEOUT", "{wire:?}");
        assert!(other.contains("t {}"), "{wire:?}: {other}");
        assert!(play.call("m_well").await.contains("well {}"), "{wire:?}");
    });
    join_all(playing).await;
}

#[tokio::test]
async fn answers_to_what_nobody_asked_are_not_taken_for_others() {
    let wrong = r#"{"content":[{"type":"text","text":"wrong"}]}"#.to_owned();
    for wire in ON_A_CHANNEL.into_iter().chain([ModernEvents, LegacyEvents]) {
        for id in ["999999", "\"x\"", "0"] {
            let steps = [Step::AnswerAs(id.to_owned(), wrong.clone()), Step::Usual];
            let play = wire.play("", does(&steps)).await;
            let answer = play.call("m_t").await;
            assert!(answer.contains("t {}"), "{wire:?} {id}: {answer}");
        }
    }
    let steps = [Step::AnswerAs("999999".to_owned(), wrong), Step::Hang];
    let playing = ON_A_CHANNEL.map(|wire| {
        let script = does(&steps);
        async move {
            let play = wire.play(SILENT, script).await;
            assert_eq!(code(&play.call("m_t").await), "TIMEOUT", "{wire:?}");
        }
    });
    join_all(playing).await;
}

#[tokio::test]
async fn a_second_answer_is_left_aside() {
    let second = r#"{"content":[{"type":"text","text":"second"}]}"#.to_owned();
    for wire in ON_A_CHANNEL.into_iter().chain([ModernEvents, LegacyEvents, InProcess]) {
        let play = wire.play("", does(&[Step::Usual, Step::Answer(second.clone())])).await;
        for _ in 0..3 {
            assert!(play.call("m_t").await.contains("t {}"), "{wire:?}");
            assert!(play.call("m_well").await.contains("well {}"), "{wire:?}");
        }
    }
}

#[tokio::test]
async fn garbage_before_an_answer_does_not_take_it_away_on_a_channel() {
    for wire in ON_A_CHANNEL {
        for garbage in
            ["Listening on port 3000", "{", "[1,", "\u{1}\u{2}", "", "{\"jsonrpc\":\"2.0\"}"]
        {
            let play = wire.play("", does(&[Step::Garbage(garbage.to_owned()), Step::Usual])).await;
            let answer = play.call("m_t").await;
            assert!(answer.contains("t {}"), "{wire:?} {garbage:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn garbage_in_the_place_of_an_answer_over_http_is_a_clear_fault() {
    for wire in OVER_HTTP {
        for garbage in ["<html>", "{", "{\"jsonrpc\":\"2.0\"}"] {
            let play = wire.play("", does(&[Step::Garbage(garbage.to_owned()), Step::Usual])).await;
            let answer = play.call("m_t").await;
            assert_eq!(code(&answer), "BAD_ANSWER", "{wire:?} {garbage}: {answer}");
            assert!(play.call("m_well").await.contains("well {}"), "{wire:?}");
        }
    }
}

#[tokio::test]
async fn a_result_beyond_the_bound_is_refused_and_the_next_one_served() {
    let skipped = [InProcess, ModernWebSocket, LegacyWebSocket, LegacyPaired];
    for wire in ALL.into_iter().filter(|wire| !skipped.contains(wire)) {
        let keys = "result_bytes_max = \"64KiB\"\n";
        let play = wire.play(keys, does(&[Step::Huge(200 * 1024)])).await;
        assert_eq!(code(&play.call("m_t").await), "BAD_ANSWER", "{wire:?}");
        assert!(play.call("m_well").await.contains("well {}"), "{wire:?}");
    }
}

#[tokio::test]
async fn a_frame_beyond_the_bound_is_named_and_costs_its_connection_alone() {
    for wire in [ModernWebSocket, LegacyWebSocket] {
        let keys = "result_bytes_max = \"64KiB\"\n";
        let play = wire.play(keys, does(&[Step::Huge(200 * 1024)])).await;
        let answer = play.call("m_t").await;
        assert_eq!(code(&answer), "OUTCOME_UNKNOWN", "{wire:?}: {answer}");
        assert!(answer.contains("result_bytes_max is 65536"), "{wire:?}: {answer}");
        let director = play.director("m");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{wire:?}");
        // The mount connects again by itself.
        director.saw_times(2, What::Request, "tools/list").await;
        let well = async {
            while !play.call("m_well").await.contains("well {}") {
                tokio::task::yield_now().await;
            }
        };
        soon("a call after the connection was lost", well).await;
    }
}

#[tokio::test]
async fn c109_where_posts_are_refused_the_two_ways_of_2024_11_05_are_found() {
    for keys in ["", "transport = \"sse\"\n"] {
        let play = LegacyPaired.play(keys, does(&[Step::Usual])).await;
        assert_eq!(speaks(&play).await, "legacy 2025-11-25", "{keys}");
        assert!(play.call("m_t").await.contains("t {}"), "{keys}");
    }
    let play = LegacyPaired.play("transport = \"http\"\n", does(&[Step::Usual])).await;
    assert_eq!(code(&play.call("m_t").await), "CONNECTION_ERROR");
}

#[tokio::test]
async fn c100_a_forgotten_session_is_renewed_and_the_call_done_once() {
    for wire in [LegacyHttp, LegacyEvents] {
        let play = wire.play("", does(&[Step::Usual])).await;
        let director = play.director("m");
        director.forget();
        // One who can be asked everything is called in the first session, which is forgotten.
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        let call = r#"{"name":"m_t","arguments":{}}"#;
        let talked = client.talk("tools/call", call, |_, _| String::new()).await;
        assert!(talked.text().contains("t {}"), "{wire:?}: {talked:?}");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{wire:?}");
        let greetings = director.requests("initialize").await;
        assert_eq!(greetings.len(), 2, "{wire:?}");
        assert_eq!(greetings[1].header("mcp-session-id"), "", "{wire:?}");
    }
}

#[tokio::test]
async fn each_status_that_is_no_success_is_the_fault_it_means() {
    for wire in OVER_HTTP {
        for (status, meant) in [
            (401, "CONNECTION_ERROR"),
            (403, "CONNECTION_ERROR"),
            (429, "CONNECTION_ERROR"),
            (405, "BAD_ANSWER"),
            (307, "BAD_ANSWER"),
            (500, "OUTCOME_UNKNOWN"),
            (413, "VALIDATION_ERROR"),
        ] {
            let play =
                wire.play("", does(&[Step::Status(status, "secret words".to_owned())])).await;
            let answer = play.call("m_t").await;
            assert_eq!(code(&answer), meant, "{wire:?} {status}: {answer}");
            assert!(!answer.contains("secret words"), "{wire:?} {status}: {answer}");
            let calls = play.director("m").requests("tools/call").await;
            assert_eq!(calls.len(), 1, "{wire:?} {status}: it was sent again");
        }
    }
}
