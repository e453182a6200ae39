//! What was given to one principal and comes from another: refused, and still good for its owner.

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Play, What, at, member};

use super::ledger::done;
use super::{Child, FORM, LEGACY, MODERN, Step, ask, does, willing};

/// A call that is left parked has no room beside the next one.
const KEYS: &str = "parked_max = 1\n";
const CALL: &str = r#"{"name":"m_t","arguments":{"a":1}}"#;

/// Two modern clients that the gateway knows as different people.
async fn two(play: &Play) -> [Able; 2] {
    [
        Able::known(&play.running, "ada", true, ALL_ABILITIES).await,
        Able::known(&play.running, "ben", true, ALL_ABILITIES).await,
    ]
}

/// Calls; what comes back with the answer to what is asked.
async fn begun(client: &mut Able) -> String {
    let answer = client.once("tools/call", CALL).await;
    let result = member(&answer, "result").unwrap_or_else(|| panic!("no result: {answer}"));
    let state = member(&result, "requestState").unwrap_or_else(|| panic!("no state: {result}"));
    let requests = member(&result, "inputRequests").expect("questions");
    let key = requests.split('"').nth(1).expect("a key");
    let said = willing("elicitation/create", "{}");
    let back = format!(r#","inputResponses":{{"{key}":{said}}},"requestState":{state}}}"#);
    format!("{}{back}", CALL.strip_suffix('}').expect("an object"))
}

/// How often the child was called, and how often it went on.
async fn executed(play: &Play) -> [usize; 2] {
    let director = play.director("m");
    [
        director.count(What::Executed, "tools/call").await,
        director.count(What::Executed, "done").await,
    ]
}

async fn is_refused_to_another(child: Child) {
    let play = child.play(KEYS, does(&[ask("elicitation/create", FORM), done(), Step::Told])).await;
    let [mut ada, mut ben] = two(&play).await;
    let back = begun(&mut ada).await;
    let before = executed(&play).await;
    assert_eq!(before, [1, 0], "{child:?}");
    for _ in 0..2 {
        let answer = ben.once("tools/call", &back).await;
        let code = at(&answer, &["error", "code"]);
        assert_eq!(code.as_deref(), Some("-32602"), "{child:?}: {answer}");
        assert!(!answer.contains("ada"), "{child:?}: {answer}");
    }
    assert_eq!(executed(&play).await, before, "{child:?}: the child hears nothing of it");
    let answer = ada.once("tools/call", &back).await;
    assert!(answer.contains("said"), "{child:?}: {answer}");
    assert_eq!(executed(&play).await[1], 1, "{child:?}");
    // Nothing is in the way of who was refused.
    let talked = ben.talk("tools/call", CALL, willing).await;
    assert!(talked.text().contains("said"), "{child:?}: {talked:?}");
    assert_eq!(executed(&play).await[1], 2, "{child:?}");
}

#[tokio::test]
async fn c113_c118_c199_a_childs_state_from_another_principal_is_refused_and_good_for_its_owner() {
    for child in MODERN {
        is_refused_to_another(child).await;
    }
}

#[tokio::test]
async fn c113_c199_another_principal_does_not_go_on_with_a_parked_call_and_its_owner_does() {
    for child in LEGACY {
        is_refused_to_another(child).await;
    }
}
