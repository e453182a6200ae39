//! What a child is asked first, and what its answer tells of its era.

use harness::scripted::{Cast, Script, Step, What, string};

use super::Wire::{LegacyHttp, LegacyProcess, LegacySocket, LegacyWebSocket};
use super::Wire::{ModernHttp, ModernProcess};
use super::{ON_A_CHANNEL, asked, code, speaks};

#[tokio::test]
async fn c037_a_process_is_asked_what_it_is_before_anything_else() {
    for wire in ON_A_CHANNEL.into_iter().chain([ModernHttp, LegacyHttp]) {
        let play = wire.play("", Script::modern().tool("t")).await;
        let asked = asked(&play).await;
        assert_eq!(asked[0], "server/discover", "{wire:?}");
        assert_eq!(asked.iter().any(|one| one == "initialize"), wire.is_legacy(), "{wire:?}");
    }
}

#[tokio::test]
async fn c038_whatever_error_a_legacy_process_answers_it_is_greeted() {
    for number in [-32601, -32602, -32600, -32603, -32700, -32000, -32001, 0, 1] {
        let refusal = Step::Error(number, "what?".to_owned(), None);
        let script = Script::modern().tool("t").on("server/discover", &[refusal]);
        let play = LegacyProcess.play("", script).await;
        assert_eq!(speaks(&play).await, "legacy 2025-11-25", "{number}");
    }
}

#[tokio::test]
async fn c038_a_silent_or_dying_process_is_greeted() {
    for steps in [
        vec![Step::Hang],
        vec![Step::Exit(1)],
        vec![Step::Break],
        vec![Step::Answer("{}".to_owned())],
    ] {
        for wire in [LegacyProcess, LegacySocket, LegacyWebSocket] {
            let script = Script::modern().tool("t").on("server/discover", &steps);
            let play = wire.play("probe_wait = \"100ms\"\n", script).await;
            assert_eq!(speaks(&play).await, "legacy 2025-11-25", "{wire:?} {steps:?}");
            assert!(play.call("m_t").await.contains("t {}"), "{wire:?} {steps:?}");
        }
    }
}

fn unsupported(versions: &str) -> Step {
    let data = format!(r#"{{"supported":[{versions}],"requested":"x"}}"#);
    Step::Error(-32022, "not this version".to_owned(), Some(data))
}

#[tokio::test]
async fn c039_an_error_that_only_modern_servers_say_never_leads_to_a_handshake() {
    let other = |number| Step::Error(number, "no".to_owned(), None);
    for step in [unsupported(r#""2026-07-28""#), other(-32020), other(-32021)] {
        let first: &[&[Step]] = &[std::slice::from_ref(&step), &[Step::Usual]];
        let script = Script::modern().tool("t").on_each("server/discover", first);
        let play = ModernProcess.play("", script).await;
        assert_eq!(speaks(&play).await, "modern 2026-07-28", "{step:?}");
        assert!(!asked(&play).await.contains(&"initialize".to_owned()), "{step:?}");
    }
    for step in [unsupported(r#""2099-01-01""#), other(-32020), other(-32021)] {
        let script = Script::modern().tool("t").on("server/discover", std::slice::from_ref(&step));
        let play = ModernHttp.play("", script).await;
        assert!(!asked(&play).await.contains(&"initialize".to_owned()), "{step:?}");
    }
}

#[tokio::test]
async fn c039_a_refused_version_that_the_child_names_as_its_own_is_asked_once_more() {
    let refusal = Step::Refuse(
        400,
        -32022,
        "no".to_owned(),
        Some(r#"{"supported":["2026-07-28"]}"#.to_owned()),
    );
    let script =
        Script::modern().tool("t").on_each("server/discover", &[&[refusal], &[Step::Usual]]);
    let play = ModernHttp.play("", script).await;
    assert_eq!(speaks(&play).await, "modern 2026-07-28");
}

#[tokio::test]
async fn c040_a_refusal_over_http_is_looked_into_before_the_handshake() {
    let refuse = |status, number| Step::Refuse(status, number, "no".to_owned(), None);
    for step in [
        Step::Status(404, String::new()),
        Step::Status(405, String::new()),
        Step::Status(400, "Bad Request: no session".to_owned()),
        refuse(404, -32601),
        refuse(400, -32600),
        refuse(400, -32000),
        Step::Error(-32601, "no".to_owned(), None),
        Step::Answer(r#"{"protocolVersion":"2025-06-18"}"#.to_owned()),
    ] {
        let mut script =
            Script::legacy().tool("t").on("server/discover", std::slice::from_ref(&step));
        script.http.standing = true;
        let play = Cast::new("").http("m", "", script).await.start().await;
        assert_eq!(speaks(&play).await, "legacy 2025-11-25", "{step:?}");
        assert!(play.call("m_t").await.contains("t {}"), "{step:?}");
    }
}

#[tokio::test]
async fn c041_the_verdict_on_a_process_is_kept_and_found_anew_when_it_is_wrong() {
    let play = LegacyProcess.play("", Script::modern().tool("t")).await;
    let director = play.director("m");
    director.exit(1);
    director.saw_times(2, What::Executed, "tools/list").await;
    assert_eq!(director.count(What::Request, "server/discover").await, 1);
    // It comes back as another server, of the other era.
    director.script(Script::modern().tool("t").tool("u"));
    let mut listen = play.listen(r#"{"toolsListChanged":true}"#).await;
    director.exit(1);
    assert!(listen.message().await.unwrap().contains("tools/list_changed"));
    assert_eq!(speaks(&play).await, "modern 2026-07-28");
    assert!(play.call("m_u").await.contains("u {}"));
}

#[tokio::test]
async fn c041_answers_that_tell_nothing_of_the_era_are_not_kept() {
    for status in [500, 503, 403] {
        let turns: &[&[Step]] = &[&[Step::Status(status, String::new())], &[Step::Usual]];
        let script = Script::modern().tool("t").on_each("server/discover", turns);
        let play = ModernHttp.play("", script).await;
        assert!(!asked(&play).await.contains(&"initialize".to_owned()), "{status}");
        if status == 403 {
            assert_eq!(speaks(&play).await, "unauthorized");
            continue;
        }
        let mut listen = play.listen(r#"{"toolsListChanged":true}"#).await;
        assert!(listen.message().await.unwrap().contains("tools/list_changed"));
        assert_eq!(speaks(&play).await, "modern 2026-07-28", "{status}");
    }
}

#[tokio::test]
async fn c042_a_handshake_offers_only_what_a_handshake_can_end_with() {
    let discovered = r#"{"supportedVersions":["2025-06-18","2025-03-26"],"capabilities":{}}"#;
    for (step, offered) in [
        (Step::Answer(discovered.to_owned()), "2025-06-18"),
        (unsupported(r#""2025-03-26","2024-11-05""#), "2025-03-26"),
        (Step::Error(-32601, "no".to_owned(), None), "2025-11-25"),
    ] {
        for wire in [LegacyProcess, LegacyHttp] {
            let script =
                Script::modern().tool("t").on("server/discover", std::slice::from_ref(&step));
            let play = wire.play("", script).await;
            let greeted = play.director("m").requests("initialize").await;
            let version = string(&greeted[0].params, "protocolVersion");
            assert_eq!(version.as_deref(), Some(offered), "{wire:?} {step:?}");
        }
    }
}

#[tokio::test]
async fn c043_a_pinned_era_is_not_asked_for() {
    for wire in [LegacyProcess, LegacyHttp] {
        let play = wire.play("era = \"legacy\"\n", Script::modern().tool("t")).await;
        assert!(!asked(&play).await.contains(&"server/discover".to_owned()), "{wire:?}");
        let play = wire.play("era = \"modern\"\n", Script::modern().tool("t")).await;
        assert!(!asked(&play).await.contains(&"initialize".to_owned()), "{wire:?}");
        let answer = play.call("m_t").await;
        assert_eq!(code(&answer), "CONNECTION_ERROR", "{wire:?}");
        assert!(answer.contains("modern"), "the text says what is wrong: {answer}");
    }
}
