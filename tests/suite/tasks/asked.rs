//! What a task of the experiment asks: kept for who can answer it, under keys used once.

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Step, What, at, member};
use harness::start::soon;

use super::bridges::{answer, experiment, form, get, status};
use super::{KNOWS, ask, code, id_in};
use crate::questions::{Child, LEGACY};

/// Looks at a task until `find` has found something.
async fn looked<T>(client: &mut Able, id: &str, find: impl Fn(&str) -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = find(&ask(client, "tasks/get", &get(id)).await) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("a task that asks", looking).await
}

/// The key of what the task asks, once it does.
async fn asks(client: &mut Able, id: &str) -> String {
    looked(client, id, |told| {
        let asked = at(told, &["result", "inputRequests"])?;
        Some(asked.split('"').nth(1)?.to_owned())
    })
    .await
}

async fn decline(client: &mut Able, id: &str, key: &str) {
    let answers = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
    let update = format!(r#"{{"taskId":"{id}","inputResponses":{answers}}}"#);
    let answer = ask(client, "tasks/update", &update).await;
    assert!(member(&answer, "result").is_some(), "{answer}");
}

#[tokio::test]
async fn c184_no_key_of_a_question_comes_again_after_the_connection_to_the_child_was_lost() {
    let script = || experiment(&[status("input_required")], &[form(), form(), Step::Told]);
    let play = Child::LegacyProcess.play("", script()).await;
    let director = play.director("m");
    let mut client = Able::modern_http(&play.running, KNOWS);
    let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
    let mut keys = vec![asks(&mut client, &id).await];
    decline(&mut client, &id, &keys[0]).await;
    keys.push(asks(&mut client, &id).await);
    assert_ne!(keys[0], keys[1]);
    director.exit(1);
    director.saw(What::Ended, "").await;
    let key = asks(&mut client, &id).await;
    assert!(!keys.contains(&key), "{key} after {keys:?}");
}

#[tokio::test]
async fn c112_what_a_task_asks_waits_for_a_client_that_can_answer_it() {
    const TASKS_ALONE: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    for child in LEGACY {
        let script = experiment(&[status("input_required")], &[form(), form(), Step::Told]);
        let play = child.play("", script).await;
        let director = play.director("m");
        let mut able = Able::modern_http(&play.running, KNOWS);
        let mut unable = Able::modern_http(&play.running, TASKS_ALONE);
        let id = id_in(&ask(&mut unable, "tools/call", r#"{"name":"m_slow"}"#).await);
        for round in 0..2 {
            let is_refused = |told: &str| at(told, &["error"]).map(|_| told.to_owned());
            let refused = looked(&mut unable, &id, is_refused).await;
            assert_eq!(code(&refused), "-32021", "{child:?}, {round}: {refused}");
            assert_eq!(director.count(What::Response, "").await, round, "{child:?}: {refused}");
            let key = asks(&mut able, &id).await;
            // What is declared beside the answers says nothing of what comes next.
            decline(&mut unable, &id, &key).await;
            director.saw_times(round + 1, What::Response, "").await;
        }
        let answers = director.seen().await;
        let answers = answers.iter().filter(|seen| seen.what == What::Response);
        for answer in answers {
            assert!(answer.params.contains(r#""action":"decline""#), "{child:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn c114_a_state_of_a_task_that_is_used_again_executes_nothing_and_tells_the_same() {
    let states = [status("working"), status("input_required"), status("completed")];
    for child in LEGACY {
        let play = child.play("", experiment(&states, &[form(), Step::Told])).await;
        let director = play.director("m");
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        let call = r#"{"name":"m_slow","arguments":{"a":1}"#;
        let mut asked = client.begin("tools/call", &format!("{call}}}")).await;
        let asked = asked.message().await.expect("a question").replace("{gateway}", "{}");
        let requests = at(&asked, &["result", "inputRequests"]).expect("questions");
        let key = requests.split('"').nth(1).expect("a key");
        let state = at(&asked, &["result", "requestState"]).expect("a state");
        let back = |name: &str| {
            let said = format!(r#"{{"action":"accept","content":{{"n":"{name}"}}}}"#);
            let answers = format!(r#"{{"{key}":{said}}}"#);
            format!(r#"{call},"inputResponses":{answers},"requestState":{state}}}"#)
        };
        let first = ask(&mut client, "tools/call", &back("Ada")).await;
        assert!(first.contains("Ada"), "{child:?}: {first}");
        // The child tells the result of a task that is over as often as it is asked.
        let text = at(&first, &["result", "content"]).expect("content");
        let result = answer(format!(r#"{{"content":{text}}}"#));
        director.script(experiment(&[status("completed")], &[result]));
        let again = ask(&mut client, "tools/call", &back("Eve")).await;
        assert_eq!(at(&again, &["result", "content"]), Some(text), "{child:?}: {again}");
        assert_eq!(director.count(What::Request, "tools/call").await, 1, "{child:?}");
        let answers = director.seen().await;
        let answers = answers.iter().filter(|seen| seen.what == What::Response);
        assert_eq!(answers.count(), 1, "{child:?}");
    }
}
