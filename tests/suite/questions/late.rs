//! Questions that come while others wait for their answers, and clients that come back with less
//! than it takes.

use harness::client::{ALL_ABILITIES, Able, modern, posted, response};
use harness::scripted::{Play, Step, What, at, member};
use harness::start::soon;
use protocol::meta;

use super::{FORM, LEGACY, MODERN, PAGE, ask, does, willing};

/// A child that asks, and asks again while the first question waits for its answer.
fn twice() -> [Step; 4] {
    let first = Step::Pose("elicitation/create".to_owned(), FORM.to_owned());
    [first, Step::Wait("more".to_owned()), ask("roots/list", "{}"), Step::Told]
}

const CALL: &str = r#"{"name":"m_t","arguments":{}}"#;

/// The answer to a modern call with these members, of a client that can be asked this.
async fn sent(play: &Play, members: &str, able: &str) -> String {
    all_of(play, members, able, "").await.pop().unwrap_or_default()
}

/// All that comes of such a call, whose progress has this token.
async fn all_of(play: &Play, members: &str, able: &str, token: &str) -> Vec<String> {
    let params = format!(r#"{{"name":"m_t","arguments":{{}}{members}}}"#);
    let mut call = modern("tools/call", &params).meta(meta::CLIENT_CAPABILITIES, able);
    if !token.is_empty() {
        call = call.meta(meta::PROGRESS_TOKEN, &protocol::json::quoted(token));
    }
    let mut answer = play.running.http().send(&call).await;
    let mut all = Vec::new();
    while let Some(message) = answer.message().await {
        all.push(message.replace("{gateway}", "{}"));
    }
    all
}

/// The members of a call that comes back for `answer` with these answers.
fn back(answer: &str, responses: &str) -> String {
    let state = at(answer, &["result", "requestState"]).unwrap_or_else(|| panic!("{answer}"));
    format!(r#","requestState":{state},"inputResponses":{responses}"#)
}

/// What `answer` asks, by key.
fn keys(answer: &str) -> Vec<String> {
    let requests = at(answer, &["result", "inputRequests"]).unwrap_or_else(|| panic!("{answer}"));
    let members = protocol::json::Members::read(&requests).expect("an object");
    members.iter().map(|(key, _)| key.to_owned()).collect()
}

/// Comes back without answers until the child has asked both.
async fn both(play: &Play) -> String {
    let mut answer = sent(play, "", ALL_ABILITIES).await;
    play.director("m").open("more");
    while keys(&answer).len() < 2 {
        answer = sent(play, &back(&answer, "{}"), ALL_ABILITIES).await;
    }
    answer
}

#[tokio::test]
async fn a_legacy_client_is_asked_the_second_question_while_the_first_waits() {
    for child in LEGACY {
        let play = child.play("", does(&twice())).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let mut open = client.begin("tools/call", CALL).await;
        let first = soon("the first question", open.message()).await.unwrap();
        assert!(first.contains("elicitation/create"), "{child:?}: {first}");
        play.director("m").open("more");
        let second = soon("the second question", open.message()).await.unwrap();
        assert!(second.contains("roots/list"), "{child:?}: {second}");
        // The answer to the second is not held back either: the child goes on with it alone.
        let id = member(&second, "id").unwrap();
        let said = posted(response(&id, &willing("roots/list", "{}")));
        let session = client.session();
        assert_eq!(play.running.http().send(&session.of(said)).await.status, 202, "{child:?}");
        let mut last = String::new();
        while let Some(message) = soon("the end", open.message()).await {
            last = message;
        }
        assert!(last.contains("file:///work"), "{child:?}: {last}");
        let director = play.director("m");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{child:?}");
    }
}

#[tokio::test]
async fn c115_an_answer_to_what_was_not_asked_yet_is_none() {
    let pose = |method: &str, params: &str| Step::Pose(method.to_owned(), params.to_owned());
    let wait = |gate: &str| Step::Wait(gate.to_owned());
    let changed = "notifications/tools/list_changed".to_owned();
    let first = pose("elicitation/create", FORM);
    let second = pose("elicitation/create", FORM);
    let steps = [first, wait("more"), second, Step::Notify(changed, "{}".to_owned()), wait("end")];
    for child in LEGACY {
        let play = child.play("", does(&[steps.as_slice(), &[Step::Usual]].concat())).await;
        let first = sent(&play, "", ALL_ABILITIES).await;
        assert_eq!(keys(&first), ["q1"], "{child:?}: {first}");
        let director = play.director("m");
        let lists = director.requests("tools/list").await.len();
        director.open("more");
        // What the child said before this was heard before it.
        director.saw_times(lists + 1, What::Request, "tools/list").await;
        let guessed = back(&first, r#"{"q2":["garbage"],"q3":7}"#);
        let mut again = sent(&play, &guessed, ALL_ABILITIES).await;
        while keys(&again).len() < 2 {
            again = sent(&play, &back(&again, r#"{"q3":7}"#), ALL_ABILITIES).await;
        }
        assert_eq!(keys(&again), ["q1", "q2"], "{child:?}: {again}");
        let form = willing("elicitation/create", "");
        let answers = back(&again, &format!(r#"{{"q1":{form},"q2":{form}}}"#));
        director.open("end");
        let end = sent(&play, &answers, ALL_ABILITIES).await;
        assert!(end.contains("complete"), "{child:?}: {end}");
        director.saw_times(2, What::Response, "").await;
        let seen = director.seen().await;
        let garbage = seen.iter().find(|seen| seen.params.contains("garbage"));
        assert_eq!(garbage, None, "{child:?}");
    }
}

#[tokio::test]
async fn c114_a_client_that_comes_back_with_less_may_come_back_with_more() {
    for child in LEGACY {
        let play = child.play("", does(&[ask("elicitation/create", FORM), Step::Told])).await;
        let first = sent(&play, "", ALL_ABILITIES).await;
        let refused = sent(&play, &back(&first, "{}"), "{}").await;
        assert_eq!(at(&refused, &["error", "code"]).as_deref(), Some("-32021"), "{child:?}");
        let needs = r#""requiredCapabilities":{"elicitation":{"form":{}}}"#;
        assert!(refused.contains(needs), "{child:?}: {refused}");
        // The call waits on, under the state that its client has.
        let answers = format!(r#"{{"q1":{}}}"#, willing("elicitation/create", ""));
        let end = sent(&play, &back(&first, &answers), "{}").await;
        assert!(end.contains("said"), "{child:?}: {end}");
        let director = play.director("m");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{child:?}");
    }
}

#[tokio::test]
async fn c112_what_was_asked_meanwhile_is_refused_for_a_client_that_comes_back_with_less() {
    for child in LEGACY {
        let play = child.play("", does(&twice())).await;
        let answer = both(&play).await;
        let able = r#"{"elicitation":{}}"#;
        let form = format!(r#"{{"q1":{}}}"#, willing("elicitation/create", ""));
        // It knows of both, so it is told what it lacks.
        let refused = sent(&play, &back(&answer, &form), able).await;
        assert!(refused.contains(r#""requiredCapabilities":{"roots":{}}"#), "{child:?}: {refused}");
        let roots = format!(r#"{{"q2":{}}}"#, willing("roots/list", ""));
        let end = sent(&play, &back(&answer, &roots), able).await;
        let end = if end.contains("input_required") {
            sent(&play, &back(&end, &form), able).await
        } else {
            end
        };
        assert!(end.contains("file:///work"), "{child:?}: {end}");
    }
}

#[tokio::test]
async fn c143_progress_after_a_question_has_the_token_of_the_request_that_waits_now() {
    let steps = [Step::Progress(1), ask("elicitation/create", FORM), Step::Progress(2), Step::Told];
    for child in LEGACY {
        let play = child.play("", does(&steps)).await;
        let first = all_of(&play, "", ALL_ABILITIES, "first").await;
        assert_eq!(first.len(), 2, "{child:?}: {first:?}");
        assert!(first[0].contains(r#""progressToken":"first","progress":1"#), "{first:?}");
        let answers = format!(r#"{{"q1":{}}}"#, willing("elicitation/create", ""));
        let back = back(&first[1], &answers);
        let second = all_of(&play, &back, ALL_ABILITIES, "second").await;
        assert_eq!(second.len(), 2, "{child:?}: {second:?}");
        assert!(second[0].contains(r#""progressToken":"second","progress":2"#), "{second:?}");
    }
}

#[tokio::test]
async fn c143_progress_of_a_call_that_is_sent_anew_rises_over_all_its_rounds() {
    let steps = [
        Step::Progress(5),
        ask("elicitation/create", FORM),
        Step::Progress(3),
        Step::Progress(9),
        Step::Told,
    ];
    for child in MODERN {
        let play = child.play("", does(&steps)).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            if client.is_modern() {
                continue;
            }
            let call = r#"{"name":"m_t","_meta":{"progressToken":"p"}}"#;
            let talked = client.talk("tools/call", call, willing).await;
            let which = format!("{child:?}, {}: {talked:?}", client.kind());
            let told = talked.told.iter().filter_map(|told| at(told, &["params", "progress"]));
            // The child begins anew at each round; what does not rise is left out.
            let told: Vec<String> = told.collect();
            let last = told.last().map(String::as_str);
            assert_eq!((told.first().map(String::as_str), last), (Some("5"), Some("9")), "{which}");
            let numbers: Vec<u32> = told.iter().map(|told| told.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "{which}");
        }
    }
}

#[tokio::test]
async fn c106_a_page_that_a_client_cannot_visit_is_refused_to_its_child() {
    for child in LEGACY {
        let play = child.play("", does(&[ask("elicitation/create", PAGE), Step::Told])).await;
        let only_forms = r#"{"elicitation":{"form":{}},"sampling":{},"roots":{}}"#;
        for mut client in Able::everywhere(&play.running, only_forms).await {
            let times = play.director("m").count(What::Response, "").await;
            let talked = client.talk("tools/call", CALL, willing).await;
            assert!(talked.asked.is_empty(), "{child:?}, {}: {talked:?}", client.kind());
            let told = play.director("m").saw_times(times + 1, What::Response, "").await;
            assert!(told.params.contains("-32602"), "{child:?}, {}: {told:?}", client.kind());
        }
    }
}
