//! What a child did is counted: whatever is lost, and when, no call is carried out twice.

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Director, Http, HttpChild, Script, Speaks, Step, What};
use harness::start::{Running, children, start};

use super::{
    Child, FORM, LegacyHttp, LegacyProcess, ModernHttp, ModernProcess, ask, does, willing,
};

const CALL: &str = r#"{"name":"m_t"}"#;

/// How often the child was called, and how often it did what cannot be undone.
async fn counts(director: &Director) -> [usize; 2] {
    let calls = director.count(What::Executed, "tools/call").await;
    [calls, director.count(What::Executed, "done").await]
}

async fn clients(gateway: &Running) -> [Able; 2] {
    let legacy = Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await;
    [Able::modern_http(gateway, ALL_ABILITIES), legacy]
}

#[tokio::test]
async fn a_call_that_is_lost_on_its_way_is_never_carried_out_twice() {
    let done = || Step::Act("done".to_owned());
    let after_write = vec![done(), Step::Exit(1)];
    let mid_answer = vec![done(), Step::Break];
    let parked = vec![ask("elicitation/create", FORM), done(), Step::Exit(1)];
    let children: [Child; 4] = [ModernProcess, LegacyProcess, ModernHttp, LegacyHttp];
    for (point, steps) in
        [("after write", after_write), ("mid-answer", mid_answer), ("parked", parked)]
    {
        for child in children {
            let play = child.play("", does(&steps)).await;
            let director = play.director("m").clone();
            for (at, mut client) in clients(&play.running).await.into_iter().enumerate() {
                let talked = client.talk("tools/call", CALL, willing).await;
                assert!(talked.answer.contains("error"), "{point}, {child:?}: {talked:?}");
                let [_, done] = counts(&director).await;
                assert!(done <= at + 1, "{point}, {child:?}: {done} times for {} calls", at + 1);
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_never_left_is_carried_out_once_or_not_at_all() {
    for child in [ModernProcess, LegacyProcess] {
        let play = child.play("", does(&[Step::Act("done".to_owned()), Step::Usual])).await;
        let director = play.director("m").clone();
        director.exit(1);
        director.saw(What::Ended, "").await;
        for (at, mut client) in clients(&play.running).await.into_iter().enumerate() {
            client.talk("tools/call", CALL, willing).await;
            let [calls, done] = counts(&director).await;
            assert_eq!(calls, done, "{child:?}");
            assert!(done <= at + 1, "{child:?}: {done} times for {} calls", at + 1);
        }
    }
}

#[tokio::test]
async fn c114_a_gateway_that_was_killed_while_a_call_was_parked_does_not_call_again() {
    let http = Http { events: true, session: true, ..Http::default() };
    let steps =
        [ask("elicitation/create", FORM), Step::OrFail, Step::Act("done".to_owned()), Step::Told];
    let script = Script { speaks: Speaks::Legacy, http, ..does(&steps) };
    let (child, director) = HttpChild::new(script).await;
    let key = "key = \"a key of at least thirty-two letters\"";
    let text: &'static str =
        String::leak(format!("[gateway]\n{key}\n[mounts.m]\n{}", child.mount()));
    let before = start(text, &[], &children([])).await;
    let mut client = Able::modern_http(&before, ALL_ABILITIES);
    let mut answer = client.begin("tools/call", CALL).await;
    let asked = answer.message().await.expect("a question").replace("{gateway}", "{}");
    let result = harness::scripted::member(&asked, "result").expect("a result");
    let state = harness::scripted::member(&result, "requestState").expect("a state");
    before.stop().await;
    let after = start(text, &[], &children([])).await;
    let mut client = Able::modern_http(&after, ALL_ABILITIES);
    let said = willing("elicitation/create", "{}");
    let back =
        format!(r#"{{"name":"m_t","inputResponses":{{"q1":{said}}},"requestState":{state}}}"#);
    let talked = client.talk("tools/call", &back, willing).await;
    assert!(talked.answer.contains("-32602"), "{talked:?}");
    assert!(talked.answer.contains("look before"), "{talked:?}");
    assert_eq!(counts(&director).await, [1, 0]);
}
