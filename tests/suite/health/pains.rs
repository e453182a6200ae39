//! What users of gateways complain about, as tests: lost sessions and hosts that never come back,
//! one bad server that hurts all, times that are not kept. `docs/pains.md` says which is which.

use futures_util::future::join_all;
use harness::scripted::{Cast, Http, Script, Speaks, Step, What};
use harness::start::until;

use super::code;
use crate::children::Wire;

const LEGACY: &str = "2025-11-25";

fn session_http() -> Http {
    Http { session: true, ..Http::default() }
}

#[tokio::test]
async fn servers_that_are_dead_or_hang_at_the_start_do_not_keep_the_others_from_it() {
    let hanging = || Script::modern().on("server/discover", &[Step::Hang]);
    let quick = "timeout_connect = \"300ms\"\n";
    let mut cast = Cast::new("[gateway.limits]\nsettle = \"100ms\"\n")
        .in_process("well", "", Script::modern().tool("t"))
        .mount("missing", "command = \"/nowhere/at/all\"")
        .mount("refused", "url = \"http://127.0.0.1:9/mcp\"");
    for name in ["one", "two", "three"] {
        cast = cast.http(name, quick, hanging()).await;
    }
    let play = cast.start().await;
    assert_eq!(play.tools().await, ["well_t"]);
    assert!(play.call("well_t").await.contains("t {}"));
    for name in ["missing", "refused", "one", "two", "three"] {
        let report = play.report(name);
        assert_eq!(report.state, "down", "{name}");
        assert!(!report.reason.is_empty(), "{name}: the reason is missing");
    }
}

#[tokio::test]
async fn many_servers_are_started_side_by_side() {
    const SERVERS: usize = 20;
    let slow = || {
        let steps = [Step::Wait("started".to_owned())];
        Script::modern().tool("t").on("server/discover", &steps)
    };
    let mut cast = Cast::new("");
    for number in 0..SERVERS {
        cast = cast.in_process(&format!("m{number:02}"), "", slow());
    }
    // None of them is answered before all of them were asked.
    let directors: Vec<_> =
        (0..SERVERS).map(|number| cast.director(&format!("m{number:02}"))).collect();
    let opener = async {
        for director in &directors {
            director.saw(What::Request, "server/discover").await;
        }
        directors.iter().for_each(|director| director.open("started"));
    };
    let (play, ()) = tokio::join!(cast.start(), opener);
    assert_eq!(play.tools().await.len(), SERVERS);
}

#[tokio::test]
async fn a_server_without_a_stream_is_asked_for_it_once() {
    let script = Script { speaks: Speaks::Legacy, http: session_http(), ..Script::modern() };
    let keys = "health = { probe_every = \"10ms\" }\n";
    let play = Cast::new("").http("m", keys, script.tool("t")).await.start().await;
    let director = play.director("m").clone();
    director.saw_times(5, What::Request, "ping").await;
    for _ in 0..10 {
        assert!(play.call("m_t").await.contains("t {}"));
    }
    // Clients of other capabilities have a session of their own.
    director.saw_times(2, What::Request, "GET").await;
    assert_eq!(director.count(What::Request, "initialize").await, 2);
    assert_eq!(director.count(What::Request, "GET").await, 2, "405 is an answer");
    assert_eq!(director.count(What::Request, "tools/list").await, 1);
    assert_eq!(play.report("m").state, "ready");
}

#[tokio::test]
async fn signs_of_life_are_asked_for_within_the_session() {
    // It refuses whatever comes without a session, a `ping` too.
    let script = Script { speaks: Speaks::Legacy, http: session_http(), ..Script::modern() };
    let keys = "health = { probe_every = \"10ms\", failures_max = 1 }\n";
    let play = Cast::new("").http("m", keys, script.tool("t")).await.start().await;
    let ping = play.director("m").saw_times(5, What::Request, "ping").await;
    assert!(!ping.header("mcp-session-id").is_empty());
    assert_eq!(play.report("m").gate, "open");
    assert_eq!(play.director("m").count(What::Request, "initialize").await, 1);
}

#[tokio::test]
async fn a_client_whose_servers_hang_is_greeted_and_served_all_the_same() {
    let hanging = Script::modern().tool("t").on("tools/call t", &[Step::Hang]);
    let cast = Cast::new("").in_process("well", "", Script::modern().tool("t"));
    let play = cast.http("m", "timeout = \"1m\"\n", hanging).await.start().await;
    let stuck = async {
        play.call("m_t").await;
    };
    let others = async {
        play.director("m").saw(What::Request, "tools/call").await;
        for _ in 0..5 {
            let session = play.running.http().session(LEGACY).await;
            assert!(session.shown("tools/list", "{}").await.contains("well_t"));
            let answer = session.shown("tools/call", r#"{"name":"well_t"}"#).await;
            assert!(answer.contains("t {}"), "{answer}");
        }
    };
    tokio::select! {
        () = stuck => panic!("the call that hangs was answered"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_call_that_ran_out_of_time_is_given_up_at_the_child_and_its_caller_waits_no_longer() {
    // The child never reacts: what it is told is all there is.
    let wires = [Wire::ModernProcess, Wire::LegacyProcess, Wire::ModernHttp, Wire::LegacyHttp];
    let cells = wires.map(|wire| async move {
        let script = Script::modern().tool("t").on("tools/call t", &[Step::Hang]);
        let play = wire.play("timeout = \"1s\"\n", script).await;
        assert_eq!(code(&play.call("m_t").await), "TIMEOUT", "{wire:?}");
        let director = play.director("m");
        match wire {
            // Closing the stream is the cancellation of this era.
            Wire::ModernHttp => director.saw(What::Left, "tools/call").await,
            _ => director.saw(What::Notification, "notifications/cancelled").await,
        };
        assert_eq!(director.count(What::Request, "tools/call").await, 1, "{wire:?}");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn one_caller_that_runs_out_of_time_takes_nobody_with_it() {
    let script = Script::modern()
        .tool("slow")
        .tool("t")
        .on("tools/call slow", &[Step::Hang])
        .on("tools/call t", &[Step::Wait("gate".to_owned())]);
    let script = &script;
    let cells = [Wire::ModernProcess, Wire::LegacyProcess].map(|wire| async move {
        let play = wire.play("timeout = \"10s\"\n", script.clone()).await;
        let (slow, others) = tokio::join!(
            async {
                let answer = play.call("m_slow").await;
                play.director("m").open("gate");
                answer
            },
            async {
                // Begun while the other one hangs, answered after that ran out of time.
                play.director("m").saw(What::Request, "tools/call").await;
                play.call("m_t").await
            },
        );
        assert_eq!(code(&slow), "TIMEOUT", "{wire:?}");
        let served = others.contains("t {}") || code(&others) == "TIMEOUT";
        assert!(served, "{wire:?}: {others}");
        assert!(play.call("m_t").await.contains("t {}"), "{wire:?}: on the same connection");
        assert_eq!(play.director("m").count(What::Ended, "").await, 0, "{wire:?}");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn a_server_that_was_down_at_the_start_is_listed_once_it_is_up() {
    let keys = "health = { pause = \"10ms\", pause_max = \"20ms\", dials_per_hour = 100000 }\n";
    let down = Script::modern().on("server/discover", &[Step::Status(503, String::new())]);
    let play = Cast::new("").http("m", keys, down).await.start().await;
    let session = play.running.http().session(LEGACY).await;
    assert!(!session.shown("tools/list", "{}").await.contains("m_t"));
    play.director("m").script(Script::modern().tool("t"));
    until("the tools of a server that came up late", async || {
        session.shown("tools/list", "{}").await.contains("m_t")
    })
    .await;
    assert!(session.shown("tools/call", r#"{"name":"m_t"}"#).await.contains("t {}"));
}
