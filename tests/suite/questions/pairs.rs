//! Each kind of question, in each pair of eras.

use expect_test::expect;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Step, What};

use super::{
    ALL, FORM, LEGACY, LegacyHttp, LegacyProcess, PAGE, SAMPLE, SAMPLE_WITH_TOOLS, ask, does,
    willing,
};

const CALL: &str = r#"{"name":"m_t","arguments":{"secret":7}}"#;

#[tokio::test]
async fn each_question_reaches_its_client_and_the_answer_its_child_in_each_pair() {
    let questions = [
        ("elicitation/create", FORM),
        ("elicitation/create", PAGE),
        ("sampling/createMessage", SAMPLE),
        ("sampling/createMessage", SAMPLE_WITH_TOOLS),
        ("roots/list", "{}"),
    ];
    let steps: Vec<Step> = questions.iter().map(|(method, params)| ask(method, params)).collect();
    let steps = [steps, vec![Step::Act("done".to_owned()), Step::Told]].concat();
    let mut before: Option<String> = None;
    for child in ALL {
        let play = child.play("", does(&steps)).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            let kind = client.kind();
            let talked = client.talk("tools/call", CALL, willing).await;
            let asked: Vec<&str> = talked.asked.iter().map(|(method, _)| &**method).collect();
            let expected: Vec<&str> = questions.iter().map(|(method, _)| *method).collect();
            assert_eq!(asked, expected, "{child:?}, {kind}: {talked:?}");
            let text = without_ids(&talked.text());
            let before = before.get_or_insert_with(|| text.clone());
            assert_eq!(*before, text, "{child:?}, {kind}");
        }
        let done = play.director("m").count(What::Executed, "done").await;
        assert_eq!(done, Able::EVERYWHERE, "{child:?}: once for each client");
    }
    expect![[r#"{"secret":7} {"action":"accept","content":{"said":"elicitation/create {\"mode\":\"form\",\"message\":\"{\\\"secret\\\":7}\",\"requestedSchema\":{\"type\":\"object\"}}"}} {"action":"accept","content":{"said":"elicitation/create {\"mode\":\"url\",\"message\":\"go there\",\"url\":\"https://a.example/x\"}"}} {"role":"assistant","model":"m","content":{"type":"text","text":"sampling/createMessage {\"messages\":[],\"maxTokens\":7,\"x-own\":1.0}"}} {"role":"assistant","model":"m","content":{"type":"text","text":"sampling/createMessage {\"messages\":[],\"maxTokens\":7,\"tools\":[{\"name\":\"x\"}]}"}} {"roots":[{"uri":"file:///work","name":"w"}]}"#]].assert_eq(&before.unwrap_or_default());
}

/// A question by a web page is called something in one version only.
fn without_ids(text: &str) -> String {
    match text.split_once(r#",\"elicitationId\":\""#) {
        None => text.to_owned(),
        Some((before, after)) => {
            let after = after.split_once(r#"\""#).map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
    }
}

#[tokio::test]
async fn several_questions_are_asked_at_once() {
    let both = Step::Ask(vec![
        ("elicitation/create".to_owned(), FORM.to_owned()),
        ("roots/list".to_owned(), "{}".to_owned()),
    ]);
    for child in ALL {
        let play = child.play("", does(&[both.clone(), Step::Told])).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            let talked = client.talk("tools/call", CALL, willing).await;
            assert_eq!(talked.asked.len(), 2, "{child:?}, {}: {talked:?}", client.kind());
            assert!(talked.text().contains("roots"), "{child:?}: {talked:?}");
            // A legacy child's second question may come when a modern client has the first.
            let late = usize::from(client.is_modern() && LEGACY.contains(&child));
            let wanted = 1 + usize::from(client.is_modern());
            let rounds = wanted..=wanted + late;
            assert!(rounds.contains(&talked.rounds), "{child:?}: {talked:?}");
        }
        // Neither is held back until the other has its answer.
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let mut open = client.begin("tools/call", CALL).await;
        let mut asked = String::new();
        while !(asked.contains("elicitation/create") && asked.contains("roots/list")) {
            asked += &open.message().await.unwrap_or_else(|| panic!("{child:?}: only {asked}"));
        }
    }
}

#[tokio::test]
async fn c112_a_client_that_cannot_be_asked_is_told_which_capability_the_call_needs() {
    let steps =
        [ask("elicitation/create", FORM), Step::OrFail, Step::Act("done".to_owned()), Step::Told];
    for child in ALL {
        let play = child.play("", does(&steps)).await;
        for mut client in Able::everywhere(&play.running, r#"{"sampling":{}}"#).await {
            let talked = client.talk("tools/call", CALL, willing).await;
            let kind = client.kind();
            assert!(talked.asked.is_empty(), "{child:?}, {kind}: {talked:?}");
            assert!(talked.answer.contains("-32021"), "{child:?}, {kind}: {talked:?}");
            let needs = r#""requiredCapabilities":{"elicitation":{"form":{}}}"#;
            assert!(talked.answer.contains(needs), "{child:?}, {kind}: {talked:?}");
        }
        assert_eq!(play.director("m").count(What::Executed, "done").await, 0, "{child:?}");
    }
}

#[tokio::test]
async fn a_child_that_does_well_without_an_answer_has_its_result_told() {
    for child in LEGACY {
        let play = child.play("", does(&[ask("elicitation/create", FORM), Step::Usual])).await;
        for mut client in Able::everywhere(&play.running, "{}").await {
            let talked = client.talk("tools/call", CALL, willing).await;
            assert!(talked.text().contains("t {"), "{child:?}, {}: {talked:?}", client.kind());
            let told = play.director("m").saw(What::Response, "").await.params;
            assert!(told.contains("-32602"), "{child:?}: {told}");
        }
    }
}

#[tokio::test]
async fn c106_roots_that_a_client_does_not_have_are_refused_and_the_call_goes_on() {
    for child in LEGACY {
        let play = child.play("", does(&[ask("roots/list", "{}"), Step::Told])).await;
        for mut client in Able::everywhere(&play.running, "{}").await {
            let talked = client.talk("tools/call", CALL, willing).await;
            assert!(talked.text().contains("error {\"code\":-32601"), "{child:?}: {talked:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_legacy_client_reaches_a_legacy_child_and_ends_the_call_of_a_modern_one() {
    let steps = [ask("sampling/createMessage", SAMPLE), Step::Told];
    let refuse = |_: &str, _: &str| "error -1 User rejected".to_owned();
    for child in ALL {
        let play = child.play("", does(&steps)).await;
        let gateway = &play.running;
        let mut clients = [
            Able::legacy_http(gateway, "2025-06-18", ALL_ABILITIES).await,
            Able::legacy_stdio(gateway, "2024-11-05", ALL_ABILITIES).await,
        ];
        for client in &mut clients {
            let talked = client.talk("tools/call", CALL, refuse).await;
            assert_eq!(talked.asked.len(), 1, "{child:?}: {talked:?}");
            let expected = match LEGACY.contains(&child) {
                true => r#"{\"code\":-1,\"message\":\"User rejected\"}"#,
                false => r#""code":"UNANSWERED""#,
            };
            assert!(talked.answer.contains(expected), "{child:?}: {talked:?}");
        }
    }
}

#[tokio::test]
async fn what_a_version_does_not_have_is_not_asked() {
    let steps = [ask("elicitation/create", FORM), Step::OrFail, Step::Told];
    let page = [ask("elicitation/create", PAGE), Step::OrFail, Step::Told];
    for child in [LegacyProcess, super::InProcess] {
        let script = does(&steps).tool("p").on("tools/call p", &page);
        let play = child.play("", script).await;
        let gateway = &play.running;
        let mut client = Able::legacy_http(gateway, "2025-06-18", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(!talked.asked[0].1.contains("mode"), "{child:?}: {talked:?}");
        let talked = client.talk("tools/call", r#"{"name":"m_p"}"#, willing).await;
        assert!(talked.answer.contains(r#"{"elicitation":{"url":{}}}"#), "{child:?}: {talked:?}");
        let mut client = Able::legacy_http(gateway, "2025-03-26", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", CALL, willing).await;
        assert!(talked.answer.contains(r#"{"elicitation":{"form":{}}}"#), "{child:?}: {talked:?}");
        let mut client = Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", r#"{"name":"m_p"}"#, willing).await;
        assert!(talked.asked[0].1.contains("elicitationId"), "{child:?}: {talked:?}");
    }
}

#[tokio::test]
async fn prompts_and_resources_may_ask_too() {
    let steps = [ask("roots/list", "{}"), Step::Usual];
    for child in ALL {
        let script = super::Script::modern().prompt("p").resource("x://r");
        let script = script.on("prompts/get p", &steps).on("resources/read x://r", &steps);
        let play = child.play("", script).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            for (method, params) in
                [("prompts/get", r#"{"name":"m_p"}"#), ("resources/read", r#"{"uri":"x://m/r"}"#)]
            {
                let talked = client.talk(method, params, willing).await;
                assert_eq!(talked.asked.len(), 1, "{child:?}, {}: {talked:?}", client.kind());
                assert!(talked.answer.contains("result"), "{child:?}: {talked:?}");
            }
        }
    }
}

#[tokio::test]
async fn progress_goes_on_after_a_question() {
    let steps = [Step::Progress(1), ask("elicitation/create", FORM), Step::Progress(2), Step::Told];
    for child in [LegacyProcess, LegacyHttp] {
        let play = child.play("", does(&steps)).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            let params = r#"{"name":"m_t","_meta":{"progressToken":"p"}}"#;
            if client.is_modern() {
                // The metadata of a modern request is the client's own to write.
                continue;
            }
            let talked = client.talk("tools/call", params, willing).await;
            let progress = talked.told.iter().filter(|told| told.contains("progress\":")).count();
            assert_eq!(progress, 2, "{child:?}, {}: {talked:?}", client.kind());
        }
    }
}
