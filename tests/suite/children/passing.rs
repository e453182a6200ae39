//! What passes between client and child unchanged: progress, cancellation, errors, large results.

use harness::client::{ALL_ABILITIES, Able, modern};
use harness::scripted::{Play, Script, Step, What, at, member, string};
use harness::start::soon;

use super::Wire::{InProcess, LegacyEvents, LegacyProcess, LegacySocket, LegacyWebSocket};
use super::Wire::{ModernEvents, ModernHttp, ModernProcess, ModernSocket, ModernWebSocket};
use super::{ALL, ON_A_CHANNEL, code, does};
use crate::questions::willing;

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    for wire in ALL {
        let play = wire.play("", does(&[Step::Drip(1)])).await;
        let answer = play.call("m_t").await;
        assert!(answer.contains("t {}"), "{wire:?}: {answer}");
    }
}

#[tokio::test]
async fn a_large_result_passes_whole() {
    for wire in ALL {
        let play = wire.play("", does(&[Step::Huge(3 << 20)])).await;
        assert!(play.call("m_t").await.len() > 3 << 20, "{wire:?}");
    }
}

#[tokio::test]
async fn the_childs_own_errors_pass_as_they_are() {
    let data = r#"{"z":1,"a":[1.0e2]}"#;
    let step = Step::Error(-31999, "of my own".to_owned(), Some(data.to_owned()));
    for wire in ALL {
        let play = wire.play("", does(std::slice::from_ref(&step))).await;
        let error = member(&play.call("m_t").await, "error").unwrap();
        assert_eq!(member(&error, "code").as_deref(), Some("-31999"), "{wire:?}");
        assert_eq!(string(&error, "message").as_deref(), Some("of my own"), "{wire:?}");
        assert_eq!(member(&error, "data").as_deref(), Some(data), "{wire:?}");
    }
}

/// A call of `m_t` that wants progress under the token `"p"`.
async fn watched(play: &Play) -> harness::client::Answer {
    let ask = modern("tools/call", r#"{"name":"m_t"}"#).meta("progressToken", "\"p\"");
    let mut answer = play.running.http().send(&ask).await;
    let progress = answer.message().await.expect("progress");
    assert!(progress.contains("notifications/progress"), "{progress}");
    assert!(progress.contains(r#""progressToken":"p""#), "{progress}");
    answer
}

#[tokio::test]
async fn c142_progress_passes_on_each_wire_under_the_clients_own_token() {
    for wire in ALL {
        let steps = [Step::Progress(1), Step::Wait("go".to_owned()), Step::Progress(2)];
        let play = wire.play("", does(&steps)).await;
        let mut answer = watched(&play).await;
        play.director("m").open("go");
        assert!(answer.message().await.unwrap().contains(r#""progress":2"#), "{wire:?}");
        assert!(answer.message().await.unwrap().contains("t {}"), "{wire:?}");
        assert_eq!(answer.message().await, None, "{wire:?}");
        let call = &play.director("m").requests("tools/call").await[0];
        let meta = member(&call.params, "_meta").unwrap();
        assert_ne!(member(&meta, "progressToken").as_deref(), Some("\"p\""), "{wire:?}");
    }
}

#[tokio::test]
async fn c138_a_client_that_leaves_cancels_the_call_at_its_child_on_each_wire() {
    for wire in ALL {
        let play = wire.play("", does(&[Step::Progress(1), Step::Hang])).await;
        drop(watched(&play).await);
        let director = play.director("m");
        if wire.is_legacy() || ON_A_CHANNEL.contains(&wire) {
            let told = director.saw(What::Notification, "notifications/cancelled").await;
            let call = &director.requests("tools/call").await[0];
            assert_eq!(member(&told.params, "requestId").as_deref(), Some(&*call.id), "{wire:?}");
        } else {
            director.saw(What::Left, "tools/call").await;
            let told = director.count(What::Notification, "notifications/cancelled").await;
            assert_eq!(told, 0, "{wire:?}: over HTTP leaving is cancelling");
        }
        assert!(soon("another call", play.call("m_well")).await.contains("well {}"), "{wire:?}");
    }
}

#[tokio::test]
async fn progress_puts_off_the_silence_but_not_the_end() {
    let steps: Vec<Step> = vec![Step::Progress(1), Step::Hang];
    for wire in [ModernProcess, LegacyEvents, InProcess] {
        let play = wire.play("timeout = \"1s\"\ntimeout_max = \"2s\"\n", does(&steps)).await;
        let mut answer = watched(&play).await;
        let last = answer.message().await.unwrap().replace("{gateway}", "{}");
        assert_eq!(code(&last), "TIMEOUT", "{wire:?}");
    }
}

#[tokio::test]
async fn c009_no_response_is_written_to_a_modern_child() {
    let ask = r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#.to_owned();
    for wire in [ModernProcess, ModernSocket, ModernWebSocket, ModernEvents] {
        let play = wire.play("", does(&[Step::Garbage(ask.clone()), Step::Usual])).await;
        assert!(play.call("m_t").await.contains("t {}"), "{wire:?}");
        let seen = play.director("m").seen().await;
        assert!(!seen.iter().any(|seen| seen.what == What::Response), "{wire:?}: {seen:?}");
    }
}

#[tokio::test]
async fn c005_a_result_of_an_unknown_type_is_not_passed_on() {
    let odd = r#"{"resultType":"surprise","content":[]}"#.to_owned();
    for wire in [InProcess, ModernProcess, ModernHttp, ModernEvents] {
        let play = wire.play("", does(&[Step::Answer(odd.clone())])).await;
        assert_eq!(code(&play.call("m_t").await), "BAD_ANSWER", "{wire:?}");
    }
}

#[tokio::test]
async fn c003_ids_towards_a_child_are_never_used_twice() {
    for wire in ALL.into_iter().filter(|wire| *wire != InProcess) {
        let play = wire.play("", does(&[Step::Usual])).await;
        // One who can do everything is called in the first session.
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        for _ in 0..5 {
            client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
        }
        let seen = play.director("m").seen().await;
        // The probe stands before the first session, which is what ids are counted in.
        let requests = seen.iter().filter(|s| {
            s.what == What::Request && !s.id.is_empty() && s.method != "server/discover"
        });
        let mut ids: Vec<_> = requests.map(|seen| seen.id.as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{wire:?}");
    }
}

#[tokio::test]
async fn c008_a_question_of_a_legacy_child_never_reaches_a_modern_client_as_a_request() {
    let ask = r#"{"jsonrpc":"2.0","id":99,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;
    for wire in [LegacyProcess, LegacySocket, LegacyWebSocket, LegacyEvents] {
        let play = wire.play("", does(&[Step::Garbage(ask.to_owned()), Step::Usual])).await;
        let mut answer = play.send("/mcp", "tools/call", r#"{"name":"m_t"}"#).await;
        while let Some(message) = answer.message().await {
            let asked = message.contains(r#""method""#) && message.contains(r#""id""#);
            assert!(!asked, "{wire:?}: {message}");
        }
        // It was not left without an answer.
        let told = play.director("m").saw(What::Response, "").await;
        assert_eq!(member(&told.params, "id").as_deref(), Some("99"), "{wire:?}");
    }
}

#[tokio::test]
async fn c013_faults_of_the_gateway_have_codes_that_are_defined() {
    let play = ModernProcess.play("timeout = \"1s\"\n", does(&[Step::Hang])).await;
    let mut answers = vec![play.call("m_t").await, play.call("nobody").await];
    answers.push(play.read("nowhere://x").await);
    answers.push(play.ask("tools/list", r#"{"cursor":"x"}"#).await);
    answers.push(play.ask("tools/unknown", "{}").await);
    play.director("m").exit(1);
    play.director("m").saw(What::Ended, "").await;
    answers.push(play.call("m_t").await);
    let wrong = modern("tools/list", "{}").header("mcp-method", "tools/call");
    let shown = play.running.http().shown(&wrong).await;
    answers.push(shown.split_once('\n').unwrap().1.to_owned());
    for answer in answers {
        let number = at(&answer, &["error", "code"]).unwrap_or_default();
        let defined =
            ["-32700", "-32600", "-32601", "-32602", "-32603", "-32020", "-32021", "-32022"];
        assert!(defined.contains(&number.as_str()), "{answer}");
    }
}

#[tokio::test]
async fn c023_a_capability_that_a_child_misses_is_named_to_the_client() {
    let needs = r#"{"requiredCapabilities":{"elicitation":{"form":{}}}}"#;
    let refusal = Step::Refuse(400, -32021, "ask first".to_owned(), Some(needs.to_owned()));
    let play = ModernHttp.play("", does(&[refusal])).await;
    let mut answer = play.send("/mcp", "tools/call", r#"{"name":"m_t"}"#).await;
    assert_eq!(answer.status, 400);
    let error = member(&answer.message().await.unwrap(), "error").unwrap();
    assert_eq!(member(&error, "code").as_deref(), Some("-32021"));
    assert_eq!(member(&error, "data").as_deref(), Some(needs));
}

#[tokio::test]
async fn c012_the_modern_codes_of_a_child_that_is_not_modern_mean_nothing_to_a_client() {
    let own = r#"{"its":"own"}"#;
    for wire in ALL.into_iter().filter(|wire| wire.is_legacy()) {
        for code in [-32020, -32021, -32022] {
            let error = Step::Error(code, "its own".to_owned(), Some(own.to_owned()));
            let play = wire.play("", does(&[error])).await;
            let mut answer = play.send("/mcp", "tools/call", r#"{"name":"m_t"}"#).await;
            assert_eq!(answer.status, 200, "{wire:?} {code}");
            let answer = answer.message().await.unwrap();
            let error = at(&answer, &["error"]).unwrap();
            let expected = format!(r#"{{"code":-32603,"message":"its own","data":{own}}}"#);
            assert_eq!(error, expected, "{wire:?} {code}");
            let session = play.running.http().session("2025-11-25").await;
            let shown = session.shown("tools/call", r#"{"name":"m_t"}"#).await;
            assert!(shown.contains(&expected), "{wire:?} {code}: {shown}");
            let director = play.director("m");
            assert_eq!(director.count(What::Executed, "tools/call").await, 2, "{wire:?} {code}");
        }
    }
}

#[tokio::test]
async fn c023_a_capability_that_a_child_of_a_handshake_names_as_missing_is_named_to_the_client() {
    let needs = r#"{"requiredCapabilities":{"roots":{}}}"#;
    let expected = format!(r#"{{"code":-32021,"message":"ask first","data":{needs}}}"#);
    for wire in ALL.into_iter().filter(|wire| wire.is_legacy()) {
        let error = Step::Error(-32021, "ask first".to_owned(), Some(needs.to_owned()));
        let play = wire.play("", does(&[error])).await;
        let mut answer = play.send("/mcp", "tools/call", r#"{"name":"m_t"}"#).await;
        assert_eq!(answer.status, 400, "{wire:?}");
        let answer = answer.message().await.unwrap();
        assert_eq!(at(&answer, &["error"]).as_deref(), Some(&*expected), "{wire:?}");
        let session = play.running.http().session("2025-11-25").await;
        let shown = session.shown("tools/call", r#"{"name":"m_t"}"#).await;
        assert!(shown.contains(&expected), "{wire:?}: {shown}");
    }
}

#[tokio::test]
async fn c095_c146_a_log_message_of_each_wire_reaches_the_client_that_wants_it_alone() {
    let log = r#"{"level":"debug","logger":"m","data":"a detail"}"#.to_owned();
    let steps = [Step::Notify("notifications/message".to_owned(), log), Step::Usual];
    let call = r#"{"name":"m_t","arguments":{}}"#;
    for wire in ALL {
        let offered = r#"{"tools":{},"logging":{}}"#.to_owned();
        let script = Script { capabilities: Some(offered), ..does(&steps) };
        let play = wire.play("", script).await;
        let http = play.running.http();
        let [curious, other] = [http.session("2025-11-25").await, http.session("2025-11-25").await];
        let set = curious.shown("logging/setLevel", r#"{"level":"debug"}"#).await;
        assert!(set.contains(r#""result":{}"#), "{wire:?}: {set}");
        for _ in 0..2 {
            let answer = other.shown("tools/call", call).await;
            assert!(!answer.contains("a detail"), "{wire:?}: {answer}");
            let answer = curious.shown("tools/call", call).await;
            assert!(answer.contains("a detail"), "{wire:?}: {answer}");
        }
        let ask = modern("tools/call", call).meta("io.modelcontextprotocol/logLevel", "\"debug\"");
        let answer = http.shown(&ask).await;
        assert!(answer.contains("a detail"), "{wire:?}: {answer}");
        let told = play.director("m").requests("logging/setLevel").await;
        let told: Vec<_> = told.iter().filter_map(|told| string(&told.params, "level")).collect();
        let expected: &[&str] = if wire.is_legacy() { &["info", "debug"] } else { &[] };
        assert_eq!(told, expected, "{wire:?}: as verbose as anybody wants, once each");
    }
}
