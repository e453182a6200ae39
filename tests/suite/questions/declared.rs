//! What a child is told that its client can be asked, and the connections that this takes.

use futures_util::future::join_all;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Cast, Director, Play, Script, Speaks, Step, What};
use harness::start::soon;

use super::{FORM, LegacyHttp, LegacyProcess, MODERN, ask, does, willing};

const CALL: &str = r#"{"name":"m_t"}"#;
const NOTHING: &str = "{}";
const FORMS: &str = r#"{"elicitation":{"form":{}}}"#;
const SAMPLES: &str = r#"{"sampling":{"tools":{}},"roots":{}}"#;

/// A tool that looks whether it can ask for a form, and does without where it cannot, as SDKs teach
/// it; in either case it says what was declared.
fn looks() -> Script {
    does(&[
        Step::Declared,
        Step::Unless("elicitation".to_owned()),
        ask("elicitation/create", FORM),
        Step::Told,
    ])
}

/// A tool that says what was declared.
fn says() -> Script {
    does(&[Step::Declared, Step::Told])
}

/// Calls by clients of each kind, all at once, whom the child must take for what they are.
async fn each_gets_its_own(play: &Play, which: &str) {
    let mut clients = Vec::new();
    for declared in [NOTHING, FORMS, SAMPLES, ALL_ABILITIES] {
        for client in Able::all(&play.running, declared).await {
            clients.push((declared, client));
        }
    }
    let calls = clients.iter_mut().map(async |(declared, client)| {
        let talked = client.talk("tools/call", CALL, willing).await;
        (*declared, client.kind(), talked)
    });
    for (declared, kind, talked) in soon("calls of all", join_all(calls)).await {
        let text = talked.text();
        let asked = declared.contains("elicitation");
        let (came, answers) = text.split_at(declared.len().min(text.len()));
        assert_eq!(came, declared, "{which}, {kind}: {talked:?}");
        assert_eq!(talked.asked.len(), usize::from(asked), "{which}, {kind}: {talked:?}");
        assert_eq!(answers.contains("accept"), asked, "{which}, {kind}: {talked:?}");
    }
}

#[tokio::test]
async fn c026_c107_a_legacy_child_over_http_is_told_what_each_client_declared() {
    for keys in ["", "share = \"session\"\nlinks_max = 20\n", "share = \"caller\"\n"] {
        let play = LegacyHttp.play(keys, looks()).await;
        each_gets_its_own(&play, keys).await;
    }
    let script = Script { speaks: Speaks::Legacy, ..looks() };
    let play = Cast::new("").paired("m", "share = \"session\"\nlinks_max = 20\n", script).await;
    each_gets_its_own(&play.start().await, "HTTP+SSE").await;
}

#[tokio::test]
async fn c026_c107_a_process_of_a_session_is_told_what_its_client_declared() {
    let play = LegacyProcess.play("share = \"session\"\nlinks_max = 20\n", looks()).await;
    each_gets_its_own(&play, "a process").await;
}

#[tokio::test]
async fn c026_a_modern_child_is_told_what_each_request_declared_and_is_relayed() {
    for child in MODERN {
        let play = child.play("", looks()).await;
        each_gets_its_own(&play, &format!("{child:?}")).await;
        let odd = r#"{"experimental":{"q":{}},"unknown":{}}"#;
        let talked = Able::modern_http(&play.running, odd).talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), "{}", "{child:?}: {talked:?}");
    }
}

#[tokio::test]
async fn a_process_that_all_share_is_told_all_that_can_be_passed_on() {
    let play = LegacyProcess.play("", says()).await;
    for mut client in Able::all(&play.running, NOTHING).await {
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), ALL_ABILITIES, "{}: {talked:?}", client.kind());
    }
    assert_eq!(play.director("m").count(What::Began, "").await, 1);
}

/// How many sessions were begun with the child.
async fn begun(director: &Director) -> usize {
    director.count(What::Request, "initialize").await
}

async fn calls(play: &Play, declared: &str) -> usize {
    for mut client in Able::all(&play.running, declared).await {
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains('{'), "{}: {talked:?}", client.kind());
    }
    begun(play.director("m")).await
}

#[tokio::test]
async fn c107_clients_that_can_be_asked_the_same_share_a_session() {
    let play = LegacyHttp.play("", says()).await;
    assert_eq!(begun(play.director("m")).await, 1);
    for (declared, sessions) in [
        (ALL_ABILITIES, 1),
        (NOTHING, 2),
        (FORMS, 3),
        (r#"{"elicitation":{},"x-own":{}}"#, 3),
        (NOTHING, 3),
    ] {
        assert_eq!(calls(&play, declared).await, sessions, "{declared}");
    }
    let play = LegacyHttp.play("roots = [\"file:///a\"]\n", says()).await;
    let mut client = Able::modern_http(&play.running, NOTHING);
    let talked = client.talk("tools/call", CALL, willing).await;
    assert_eq!(talked.text().trim(), r#"{"roots":{}}"#, "the configuration answers for roots");
    assert_eq!(calls(&play, r#"{"roots":{}}"#).await, 2);
}

#[tokio::test]
async fn c107_many_that_come_at_once_begin_one_session_for_each_set_and_no_more() {
    let play = LegacyHttp.play("", says()).await;
    let gateway = &play.running;
    let part = |has: bool, text: &'static str| has.then_some(text);
    let sets = (0..32).map(|number: u32| {
        let has = |bit: u32| number >> bit & 1 == 1;
        let modes = [part(has(0), r#""form":{}"#), part(has(1), r#""url":{}"#)];
        let modes: Vec<_> = modes.into_iter().flatten().collect();
        let all = [
            (!modes.is_empty()).then(|| format!(r#""elicitation":{{{}}}"#, modes.join(","))),
            part(has(2) || has(3), "").map(|_| {
                let tools = part(has(3), r#""tools":{}"#).unwrap_or_default();
                format!(r#""sampling":{{{tools}}}"#)
            }),
            part(has(4), r#""roots":{}"#).map(str::to_owned),
        ];
        format!("{{{}}}", all.into_iter().flatten().collect::<Vec<_>>().join(","))
    });
    let calls = sets.flat_map(|set| [set.clone(), set]).map(async |set| {
        let mut client = Able::modern_http(gateway, &set);
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), set, "{talked:?}");
    });
    soon("calls with every set", join_all(calls)).await;
    // Sampling with tools is sampling: of 32 sets there are 24.
    assert_eq!(begun(play.director("m")).await, 24);
}

#[tokio::test]
async fn c101_a_session_for_clients_that_do_not_come_any_more_is_ended() {
    let play = LegacyHttp.play("link_idle = \"100ms\"\n", says()).await;
    let director = play.director("m");
    let mut client = Able::modern_http(&play.running, NOTHING);
    for times in 1..3 {
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), NOTHING, "{talked:?}");
        let ended = director.saw_times(times, What::Request, "DELETE").await;
        assert_ne!(ended.header("mcp-session-id"), "session-1", "the first one stays");
        assert_eq!(begun(director).await, times + 1);
    }
    assert_eq!(play.report("m").state, "ready");
}

#[tokio::test]
async fn a_session_that_the_child_forgot_is_begun_again_as_it_was() {
    let play = LegacyHttp.play("", says()).await;
    let mut client = Able::modern_http(&play.running, FORMS);
    for _ in 0..2 {
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), FORMS, "{talked:?}");
        play.director("m").forget();
    }
}

#[tokio::test]
async fn a_child_that_takes_one_session_is_called_in_that() {
    let taken = Step::Refuse(400, -32600, "Server already initialized".to_owned(), None);
    let script = says().on_each("initialize", &[&[Step::Usual], &[taken]]);
    let play = LegacyHttp.play("", script).await;
    for _ in 0..2 {
        let mut client = Able::modern_http(&play.running, NOTHING);
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_eq!(talked.text().trim(), ALL_ABILITIES, "{talked:?}");
    }
    assert_eq!(begun(play.director("m")).await, 2, "it is not tried at each call");
    assert_eq!(play.report("m").state, "ready");
}

#[tokio::test]
async fn a_connection_beside_the_first_that_is_lost_costs_its_calls_and_no_more() {
    let breaks = [Step::Break];
    let script = Script { speaks: Speaks::Legacy, ..says() };
    let script = script.on_each("tools/call t", &[&breaks, &[Step::Declared, Step::Told]]);
    let play = Cast::new("").paired("m", "", script).await.start().await;
    let mut client = Able::modern_http(&play.running, NOTHING);
    let talked = client.talk("tools/call", CALL, willing).await;
    assert!(talked.answer.contains("OUTCOME_UNKNOWN"), "{talked:?}");
    let talked = client.talk("tools/call", CALL, willing).await;
    assert_eq!(talked.text().trim(), NOTHING, "{talked:?}");
    let mut able = Able::modern_http(&play.running, ALL_ABILITIES);
    let talked = able.talk("tools/call", CALL, willing).await;
    assert_eq!(talked.text().trim(), ALL_ABILITIES, "{talked:?}");
    let report = play.report("m");
    assert_eq!((report.state, report.gate), ("ready", "open"));
    assert_eq!(begun(play.director("m")).await, 3, "the first stays");
}
