//! The end of a visit to a page: told to the client that was sent there, and to no other.

use harness::client::{Able, Session, legacy, shown};
use harness::scripted::{Director, Step};

use super::{LEGACY, ask, does, willing};

const COMPLETE: &str = "notifications/elicitation/complete";
const CAN_VISIT: &str = r#"{"elicitation":{"form":{},"url":{}}}"#;
const CALL: &str = r#"{"name":"m_t","arguments":{}}"#;

fn page(name: &str) -> String {
    format!(
        r#"{{"mode":"url","elicitationId":"{name}","url":"https://a.example/","message":"go"}}"#
    )
}

fn end(name: &str) -> String {
    format!(r#"{{"elicitationId":"{name}"}}"#)
}

/// What a client is told of it.
fn told(name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{COMPLETE}","params":{}}}"#, end(name))
}

/// A child that first sends to a page and waits until it was visited, then says so and answers.
fn asks_and_tells() -> Vec<Step> {
    let complete = |name: &str| Step::Notify(COMPLETE.to_owned(), end(name));
    let page = page("p1");
    vec![ask("elicitation/create", &page), complete("p1"), complete("unknown"), complete("p1")]
}

#[tokio::test]
async fn c120_the_end_of_a_visit_is_told_in_the_call_that_waits_for_it_to_those_who_know_it() {
    for child in LEGACY {
        let play = child.play("", does(&asks_and_tells())).await;
        for mut client in Able::everywhere(&play.running, CAN_VISIT).await {
            let talked = client.talk("tools/call", CALL, willing).await;
            let what = format!("{child:?}, {}: {talked:?}", client.kind());
            assert_eq!(talked.asked.len(), 1, "{what}");
            assert!(talked.answer.contains("content"), "{what}");
            match client.is_modern() {
                true => assert!(talked.told.is_empty(), "no words for it: {what}"),
                false => assert_eq!(talked.told, [told("p1")], "once: {what}"),
            }
        }
    }
}

/// A client over HTTP that calls, and is told by an error where to go first.
async fn sent_away(session: &Session, name: &str) {
    let answer = session.shown("tools/call", CALL).await;
    assert!(answer.contains("-32042") && answer.contains(name), "{answer}");
}

fn tell_end(director: &Director, name: &str) {
    director.tell(COMPLETE, &end(name));
}

#[tokio::test]
async fn c120_the_end_of_a_visit_after_the_call_is_told_on_the_stream_of_its_session_alone() {
    let fails = |name: &str| {
        let data = format!(r#"{{"elicitations":[{}]}}"#, page(name));
        [Step::Error(-32042, "visit".to_owned(), Some(data))]
    };
    let turns = ["p1", "p2", "p3"].map(fails);
    for child in LEGACY {
        let turns = turns.each_ref().map(|steps| &steps[..]);
        let play = child.play("", does(&[]).on_each("tools/call t", &turns)).await;
        let http = play.running.http();
        let mut streams = Vec::new();
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let session = Session::open(http, "2025-11-25", CAN_VISIT).await;
            streams.push(session.stream().await);
            sessions.push(session);
        }
        sent_away(&sessions[0], "p1").await;
        sent_away(&sessions[1], "p2").await;
        let mut stdio = play.running.stdio();
        stdio.handshake_as("2025-11-25", CAN_VISIT).await;
        stdio.say(&legacy("tools/call", CALL)).await;
        let answer = stdio.next().await.unwrap();
        assert!(answer.contains("-32042") && answer.contains("p3"), "{child:?}: {answer}");
        // The first thing that each is told is its own.
        for name in ["p3", "p2", "p1", "p2"] {
            tell_end(play.director("m"), name);
        }
        assert_eq!(shown(streams[0].message().await), told("p1"), "{child:?}");
        assert_eq!(shown(streams[1].message().await), told("p2"), "{child:?}");
        assert_eq!(shown(stdio.next().await), told("p3"), "{child:?}");
        // It ends nothing, and is told once.
        assert_eq!(sessions[1].delete().await, 204);
        assert_eq!(streams[1].message().await, None, "{child:?}");
    }
}
