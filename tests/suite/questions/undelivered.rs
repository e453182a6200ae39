//! Answers that do not reach the child that asked: its call ends at once, and says why.

use harness::client::{ALL_ABILITIES, Able, Talked};
use harness::scripted::{Cast, Http, Play, Receipt, Script, What, at, member};
use harness::start::Running;

use super::ledger::done;
use super::{FORM, LegacyHttp, Step, ask, does, willing};

const CALL: &str = r#"{"name":"m_t"}"#;
/// Nothing but the fault ends a call within the patience of a test; and what is left parked has no
/// room beside the next one.
const KEYS: &str = "timeout = \"1h\"\ntimeout_max = \"1d\"\nparked_max = 1\n";

/// A child that asks, and does so about the answers that are posted to it.
fn receives(answers: &[Receipt]) -> Script {
    let http = Http { answers: answers.to_vec(), ..Http::default() };
    does(&[ask("elicitation/create", FORM), done(), Step::Told]).over_http(http)
}

async fn clients(gateway: &Running) -> [Able; 2] {
    let legacy = Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await;
    [Able::modern_http(gateway, ALL_ABILITIES), legacy]
}

/// How often the child was called, and how often it then went on.
async fn executed(play: &Play) -> [usize; 2] {
    let director = play.director("m");
    [
        director.count(What::Executed, "tools/call").await,
        director.count(What::Executed, "done").await,
    ]
}

/// The fault of a call whose answer was not taken for this reason.
fn assert_unanswered(talked: &Talked, why: &str, name: &str) {
    assert_eq!(talked.asked.len(), 1, "{name}: {talked:?}");
    assert_eq!(at(&talked.answer, &["error", "code"]).as_deref(), Some("-32603"), "{name}");
    let says = ["UNANSWERED", "elicitation/create", why, "look before you call again"];
    let lacks = says.iter().find(|says| !talked.answer.contains(*says));
    assert_eq!(lacks, None, "{name}: {talked:?}");
}

/// Calls once for each client, of which the answer is not taken for this reason; each call is
/// cancelled at the child, and the next is asked, answered and carried out.
async fn each_ends_at_once(play: &Play, script: &Script, why: &str) {
    let director = play.director("m");
    for (before, mut client) in clients(&play.running).await.into_iter().enumerate() {
        let name = format!("{why}, {}", client.kind());
        let talked = client.talk("tools/call", CALL, willing).await;
        assert_unanswered(&talked, why, &name);
        let told =
            director.saw_times(before + 1, What::Notification, "notifications/cancelled").await;
        let call = director.requests("tools/call").await.pop().expect("a call");
        assert_eq!(member(&told.params, "requestId"), Some(call.id), "{name}");
        assert_eq!(executed(play).await, [2 * before + 1, before], "{name}: once, and not on");
        director.script(taking(script));
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains("said"), "{name}: {talked:?}");
        director.script(script.clone());
    }
}

/// The same child, where it takes what is posted to it.
fn taking(script: &Script) -> Script {
    let http = Http { answers: Vec::new(), ..script.http.clone() };
    Script { http, ..script.clone() }
}

#[tokio::test]
async fn an_answer_that_the_child_refuses_ends_the_call_at_once() {
    for (status, why) in [(500, "HTTP 500"), (404, "HTTP 404"), (400, "HTTP 400")] {
        let script = LegacyHttp.scripted(receives(&[Receipt::Refuses(status)]));
        let play = LegacyHttp.play(KEYS, script.clone()).await;
        each_ends_at_once(&play, &script, why).await;
    }
}

#[tokio::test]
async fn an_answer_on_which_the_child_hangs_up_twice_ends_the_call_at_once() {
    let script = LegacyHttp.scripted(receives(&[Receipt::Closes]));
    let play = LegacyHttp.play(KEYS, script.clone()).await;
    each_ends_at_once(&play, &script, "lost twice").await;
}

#[tokio::test]
async fn an_answer_that_is_refused_ends_the_call_on_http_with_two_endpoints_too() {
    for (receipt, why) in [(Receipt::Refuses(500), "HTTP 500"), (Receipt::Closes, "lost twice")] {
        for is_modern in [true, false] {
            let script = LegacyHttp.scripted(receives(&[receipt]));
            let cast = Cast::new("").paired("m", KEYS, script).await;
            let play = cast.start().await;
            let [modern, legacy] = clients(&play.running).await;
            // On one channel, what was given up before is in the way of the next question.
            let mut client = if is_modern { modern } else { legacy };
            let talked = client.talk("tools/call", CALL, willing).await;
            assert_unanswered(&talked, why, client.kind());
            play.director("m").saw(What::Notification, "notifications/cancelled").await;
            assert_eq!(executed(&play).await, [1, 0], "{why}, {}", client.kind());
        }
    }
}

#[tokio::test]
async fn an_answer_whose_post_broke_is_posted_again_and_the_call_goes_on() {
    let cases: [&[Receipt]; 3] = [
        &[Receipt::Closes, Receipt::Takes],
        &[Receipt::TakesAndCloses, Receipt::Takes],
        // It knows no such question any more, because it has the answer.
        &[Receipt::TakesAndCloses, Receipt::Refuses(400)],
    ];
    for receipts in cases {
        let script = LegacyHttp.scripted(receives(receipts));
        let play = LegacyHttp.play(KEYS, script.clone()).await;
        for (before, mut client) in clients(&play.running).await.into_iter().enumerate() {
            play.director("m").script(script.clone());
            let talked = client.talk("tools/call", CALL, willing).await;
            let name = format!("{receipts:?}, {}", client.kind());
            assert!(talked.text().contains("said"), "{name}: {talked:?}");
            assert_eq!(executed(&play).await, [before + 1; 2], "{name}");
        }
    }
}

#[tokio::test]
async fn c100_a_session_that_is_forgotten_while_the_client_is_asked_costs_that_call_alone() {
    let play = LegacyHttp.play(KEYS, receives(&[])).await;
    let director = play.director("m");
    for (before, mut client) in clients(&play.running).await.into_iter().enumerate() {
        let name = client.kind();
        let forgets = |method: &str, params: &str| {
            director.forget();
            willing(method, params)
        };
        let talked = client.talk("tools/call", CALL, forgets).await;
        assert_unanswered(&talked, "HTTP 404", name);
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains("said"), "{name}: {talked:?}");
        assert_eq!(director.requests("initialize").await.len(), before + 2, "{name}");
        assert_eq!(executed(&play).await, [2 * before + 2, before + 1], "{name}");
    }
}
