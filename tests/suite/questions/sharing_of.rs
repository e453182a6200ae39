//! `share`, `interactive` and `roots`: the ways out where it cannot be known whose question it is.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Director, Step, What};
use harness::start::soon;

use super::{FORM, LegacyHttp, LegacyProcess, ask, does, willing};

const CALL: &str = r#"{"name":"m_t"}"#;

/// How often the child was started.
async fn starts(director: &Director) -> usize {
    director.count(What::Began, "").await
}

#[tokio::test]
async fn each_session_has_a_connection_of_its_own_and_is_asked_on_it_at_the_same_time() {
    let steps = [ask("elicitation/create", FORM), Step::Told];
    let play = LegacyProcess.play("share = \"session\"\n", does(&steps)).await;
    let director = play.director("m");
    let before = starts(director).await;
    let gateway = &play.running;
    let mut clients = [
        Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await,
        Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await,
        Able::legacy_stdio(gateway, "2025-11-25", ALL_ABILITIES).await,
    ];
    let calls = clients.iter_mut().map(|client| client.talk("tools/call", CALL, willing));
    for talked in soon("three calls", join_all(calls)).await {
        assert_eq!(talked.asked.len(), 1, "{talked:?}");
        assert!(talked.text().contains("said"), "{talked:?}");
    }
    assert_eq!(starts(director).await, before + 3);
    for client in &mut clients {
        client.talk("tools/call", CALL, willing).await;
    }
    assert_eq!(starts(director).await, before + 3, "a session keeps its connection");
}

#[tokio::test]
async fn c107_one_caller_has_one_connection_and_there_are_no_more_than_allowed() {
    let play = LegacyProcess.play("share = \"caller\"\n", does(&[Step::Usual])).await;
    let director = play.director("m");
    let before = starts(director).await;
    for mut client in Able::everywhere(&play.running, "{}").await {
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains("t {}"), "{talked:?}");
    }
    assert_eq!(starts(director).await, before + 1, "all of them are the same caller");

    let keys = "share = \"session\"\nlinks_max = 1\n";
    let play = LegacyProcess.play(keys, does(&[ask("elicitation/create", FORM), Step::Told])).await;
    let mut first = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
    let mut second = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
    let mut open = first.begin("tools/call", CALL).await;
    open.message().await.expect("a question");
    let talked = second.talk("tools/call", CALL, willing).await;
    assert!(talked.answer.contains("links_max"), "{talked:?}");
}

#[tokio::test]
async fn a_connection_that_was_lost_is_made_anew() {
    let play = LegacyProcess.play("share = \"session\"\n", does(&[Step::Usual])).await;
    let mut client = Able::legacy_http(&play.running, "2025-11-25", "{}").await;
    assert!(client.talk("tools/call", CALL, willing).await.text().contains("t {}"));
    let director = play.director("m");
    director.exit(1);
    director.saw_times(2, What::Ended, "").await;
    // The first connection and the session's own end one after the other.
    let again = async {
        loop {
            let talked = client.talk("tools/call", CALL, willing).await;
            if talked.text().contains("t {}") {
                return;
            }
        }
    };
    soon("a call that goes through again", again).await;
}

#[tokio::test]
async fn with_one_call_at_a_time_each_question_has_its_call() {
    let steps = [ask("elicitation/create", FORM), Step::Told];
    let play = LegacyProcess.play("interactive = 1\n", does(&steps)).await;
    let mut clients = Able::everywhere(&play.running, ALL_ABILITIES).await;
    let calls = clients.iter_mut().map(|client| client.talk("tools/call", CALL, willing));
    for talked in soon("all calls", join_all(calls)).await {
        assert_eq!(talked.asked.len(), 1, "{talked:?}");
        assert!(talked.text().contains("said"), "{talked:?}");
    }
}

#[tokio::test]
async fn roots_of_the_configuration_are_told_where_no_client_can_be_asked() {
    for child in [LegacyProcess, LegacyHttp] {
        let script = does(&[ask("roots/list", "{}"), Step::Told]);
        let play = child.play("roots = [\"file:///a\", \"file:///b\"]\n", script).await;
        let director = play.director("m");
        if child == LegacyHttp {
            director.saw(What::Request, "GET").await;
        }
        director.ask("roots/list", "{}");
        let told = director.saw(What::Response, "").await.params;
        let roots = r#"{"roots":[{"uri":"file:///a"},{"uri":"file:///b"}]}"#;
        assert!(told.contains(roots), "{child:?}: {told}");
        for mut client in Able::everywhere(&play.running, "{}").await {
            let talked = client.talk("tools/call", CALL, willing).await;
            assert!(talked.text().contains(roots), "{child:?}, {}: {talked:?}", client.kind());
        }
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains(r#"{"uri":"file:///work","name":"w"}"#), "{talked:?}");
    }
}

/// The sessions that the child gave out and that it was called in, and those that were ended.
async fn sessions(director: &Director) -> (BTreeSet<String>, Vec<String>) {
    let (mut used, mut ended) = (BTreeSet::new(), Vec::new());
    for seen in director.seen().await {
        let session = seen.header("mcp-session-id").to_owned();
        if seen.what == What::Request && seen.method == "DELETE" {
            ended.push(session);
        } else if !session.is_empty() {
            used.insert(session);
        }
    }
    (used, ended)
}

#[tokio::test]
async fn c101_a_session_with_a_child_is_ended_once_when_it_is_idle_and_when_the_gateway_stops() {
    let keys = "share = \"session\"\nlink_idle = \"100ms\"\n";
    let play = LegacyHttp.play(keys, does(&[ask("elicitation/create", FORM), Step::Told])).await;
    let director = play.director("m").clone();
    let mut of_calls = BTreeSet::new();
    for times in 1..=2 {
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.text().contains("said"), "{talked:?}");
        let call = director.requests("tools/call").await.pop().expect("a call");
        let session = call.header("mcp-session-id").to_owned();
        assert!(of_calls.insert(session.clone()), "{session}: a session of its own");
        // Nobody uses its connection any more.
        let ended = director.saw_times(times, What::Request, "DELETE").await;
        assert_eq!(ended.header("mcp-session-id"), session);
    }
    let (used, ended) = sessions(&director).await;
    assert_eq!(ended.iter().cloned().collect::<BTreeSet<_>>(), of_calls);
    assert!(used.len() > of_calls.len(), "the mount has one besides: {used:?}");
    play.running.stop().await;
    let (used, mut ended) = sessions(&director).await;
    ended.sort();
    assert_eq!(ended, used.into_iter().collect::<Vec<_>>(), "each once");
}
