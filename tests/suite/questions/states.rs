//! `requestState` that is forged, used twice, too old or somebody else's; parks and their bounds.

use harness::client::{ALL_ABILITIES, Able, modern};
use harness::scripted::{Play, Script, Step, What, at, member};
use harness::start::soon;
use protocol::meta;

use super::{ALL, FORM, LEGACY, LegacyHttp, LegacyProcess, MODERN, ModernHttp, ask, does, willing};

/// The result that asks, for a call of `m_t` with these arguments.
async fn asked(play: &Play, arguments: &str) -> String {
    let params = format!(r#"{{"name":"m_t","arguments":{arguments}}}"#);
    let answer = sent(play, &params).await;
    let result = member(&answer, "result").unwrap_or_else(|| panic!("no result: {answer}"));
    assert!(result.contains("input_required"), "{result}");
    result
}

/// The result that asks both questions of a child. The second may come when the first was put
/// already: one who comes back without any answer is asked for all that is open by then.
async fn asked_both(play: &Play) -> String {
    let mut result = asked(play, "{}").await;
    while !member(&result, "inputRequests").expect("questions").contains("q2") {
        let state = member(&result, "requestState").expect("a state");
        let nothing = format!(
            r#"{{"name":"m_t","arguments":{{}},"inputResponses":{{}},"requestState":{state}}}"#
        );
        result = member(&sent(play, &nothing).await, "result").expect("asked again");
    }
    result
}

/// The answer to a modern call of a client that can be asked anything.
async fn sent(play: &Play, params: &str) -> String {
    let ask = modern("tools/call", params).meta(meta::CLIENT_CAPABILITIES, ALL_ABILITIES);
    let mut answer = play.running.http().send(&ask).await;
    let mut last = String::new();
    while let Some(message) = answer.message().await {
        last = message.replace("{gateway}", "{}");
    }
    last
}

/// The params that come back for `result`, with these arguments.
fn back(result: &str, arguments: &str) -> String {
    let state = member(result, "requestState").expect("a state");
    let requests = member(result, "inputRequests").expect("questions");
    let key = requests.split('"').nth(1).expect("a key").to_owned();
    let said = willing("elicitation/create", "{}");
    let name = r#""name":"m_t""#;
    format!(
        r#"{{{name},"arguments":{arguments},"inputResponses":{{"{key}":{said}}},"requestState":{state}}}"#
    )
}

fn steps() -> [Step; 4] {
    [ask("elicitation/create", FORM), Step::OrFail, Step::Act("done".to_owned()), Step::Told]
}

fn code(answer: &str) -> String {
    at(answer, &["error", "code"]).unwrap_or_else(|| format!("no error: {answer}"))
}

#[tokio::test]
async fn c113_a_state_that_is_forged_or_of_another_request_is_refused_and_costs_nothing() {
    for child in ALL {
        let play = child.play("", does(&steps())).await;
        let result = asked(&play, r#"{"a":1}"#).await;
        let good = back(&result, r#"{"a":1}"#);
        let state = member(&result, "requestState").unwrap();
        let forged = format!("\"A{}", &state[1..]);
        let unknown = good.replace(&state, "\"nothing of ours\"");
        for bad in [good.replace(&state, &forged), unknown, back(&result, r#"{"a":2}"#)] {
            assert_eq!(code(&sent(&play, &bad).await), "-32602", "{child:?}: {bad}");
        }
        let other = modern("tools/call", &good.replace("m_t", "t")).at("/mcp/m");
        let other = other.meta(meta::CLIENT_CAPABILITIES, ALL_ABILITIES);
        let shown = play.running.http().shown(&other).await;
        assert!(shown.contains("-32602"), "{child:?}: {shown}");
        assert_eq!(play.director("m").count(What::Executed, "done").await, 0, "{child:?}");
        let answer = sent(&play, &good).await;
        assert!(answer.contains("said"), "{child:?}: {answer}");
        assert_eq!(play.director("m").count(What::Executed, "done").await, 1, "{child:?}");
    }
}

#[tokio::test]
async fn c114_a_parked_call_is_gone_on_with_once() {
    for child in LEGACY {
        let play = child.play("", does(&steps())).await;
        let good = back(&asked(&play, "{}").await, "{}");
        assert!(sent(&play, &good).await.contains("said"), "{child:?}");
        assert_eq!(code(&sent(&play, &good).await), "-32602", "{child:?}");
        let director = play.director("m");
        assert_eq!(director.count(What::Executed, "done").await, 1, "{child:?}");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{child:?}");
    }
}

#[tokio::test]
async fn c115_a_malformed_answer_is_refused_and_a_good_one_still_taken() {
    for child in LEGACY {
        let play = child.play("", does(&steps())).await;
        let good = back(&asked(&play, "{}").await, "{}");
        let bad = good.replace(r#""action":"accept""#, r#""action":"perhaps""#);
        assert_eq!(code(&sent(&play, &bad).await), "-32602", "{child:?}");
        assert!(sent(&play, &good).await.contains("said"), "{child:?}");
    }
}

#[tokio::test]
async fn c115_answers_that_are_missing_are_asked_for_again_and_others_ignored() {
    let both = Step::Ask(vec![
        ("elicitation/create".to_owned(), FORM.to_owned()),
        ("elicitation/create".to_owned(), FORM.to_owned()),
    ]);
    for child in LEGACY {
        let play = child.play("", does(&[both.clone(), Step::Told])).await;
        let first = soon("both questions", asked_both(&play)).await;
        let some =
            back(&first, "{}").replace(r#""inputResponses":{"#, r#""inputResponses":{"x":1,"#);
        let again = member(&sent(&play, &some).await, "result").unwrap();
        let rest = member(&again, "inputRequests").unwrap();
        assert!(rest.contains("q2") && !rest.contains("q1"), "{child:?}: {rest}");
        assert!(sent(&play, &back(&again, "{}")).await.contains("said"), "{child:?}");
        assert_eq!(play.director("m").count(What::Executed, "tools/call").await, 1);
    }
}

#[tokio::test]
async fn c116_c117_a_modern_child_gets_its_own_state_byte_for_byte_and_none_where_it_gave_none() {
    let long = "é\\\"/".repeat(20_000);
    let quoted = protocol::json::quoted(&long);
    let elicit = format!(r#"{{"method":"elicitation/create","params":{FORM}}}"#);
    let with = format!(
        r#"{{"resultType":"input_required","inputRequests":{{"k":{elicit}}},"requestState":{quoted}}}"#
    );
    let without = format!(r#"{{"resultType":"input_required","inputRequests":{{"k":{elicit}}}}}"#);
    for child in MODERN {
        for (result, state) in [(&with, Some(&quoted)), (&without, None)] {
            let script = does(&[])
                .on_each("tools/call t", &[&[Step::Answer(result.clone())], &[Step::Usual]]);
            let play = child.play("", script.clone()).await;
            for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
                play.director("m").script(script.clone());
                // It is there when the child has done all that was ordered before.
                play.director("m").seen().await;
                let call = r#"{"name":"m_t"}"#;
                let talked = client.talk("tools/call", call, willing).await;
                assert_eq!(talked.asked.len(), 1, "{child:?}, {}", client.kind());
                let requests = play.director("m").requests("tools/call").await;
                let retry = requests.last().unwrap();
                let came = member(&retry.params, "requestState");
                assert_eq!(came.as_ref(), state, "{child:?}, {}", client.kind());
                let first = &requests[requests.len() - 2];
                // In this process there are no ids.
                assert!(first.id.is_empty() || first.id != retry.id, "{child:?}: c117");
            }
        }
    }
}

#[tokio::test]
async fn c118_the_state_of_a_modern_child_is_not_what_the_client_sees() {
    let play = ModernHttp.play("", does(&steps())).await;
    let result = asked(&play, r#"{"secret":1}"#).await;
    let state = member(&result, "requestState").unwrap();
    assert_ne!(state, "\"[]\"");
    assert!(state.len() > 100, "{state}");
}

#[tokio::test]
async fn c119_parks_are_bounded_in_number_and_the_child_hears_of_one_too_many() {
    for child in LEGACY {
        let play = child.play("parked_max = 1\n", does(&steps())).await;
        let director = play.director("m");
        let first = asked(&play, "{}").await;
        if child == LegacyHttp {
            // Over HTTP the second question is known to belong to the second call.
            let answer = sent(&play, r#"{"name":"m_t"}"#).await;
            assert!(answer.contains("parked_max"), "{answer}");
            // It was called, so nobody may think that it is safe to call again.
            assert!(answer.contains("UNANSWERED"), "{answer}");
            director.saw(What::Notification, "notifications/cancelled").await;
        }
        assert!(sent(&play, &back(&first, "{}")).await.contains("said"), "{child:?}");
    }
}

#[tokio::test]
async fn c119_a_park_whose_client_never_comes_back_ends_and_cancels_the_call() {
    for child in LEGACY {
        let gateway = "[gateway.limits]\nquestion_wait = \"200ms\"\n";
        let play = child.play_with(gateway, "", does(&steps())).await;
        let result = asked(&play, "{}").await;
        let director = play.director("m");
        let call = director.requests("tools/call").await.remove(0);
        let told = director.saw(What::Notification, "notifications/cancelled").await;
        assert_eq!(member(&told.params, "requestId"), Some(call.id), "{child:?}");
        let answered = director.saw(What::Response, "").await;
        assert!(answered.params.contains(r#""action":"cancel""#), "{answered:?}");
        assert_eq!(code(&sent(&play, &back(&result, "{}")).await), "-32602", "{child:?}");
        assert_eq!(director.count(What::Executed, "done").await, 0, "{child:?}");
    }
}

#[tokio::test]
async fn c119_a_child_that_is_lost_fails_the_retry_with_a_clear_fault() {
    let play = LegacyProcess.play("", does(&steps())).await;
    let result = asked(&play, "{}").await;
    play.director("m").exit(1);
    play.director("m").saw(What::Ended, "").await;
    let answer = sent(&play, &back(&result, "{}")).await;
    // Before the loss is seen, while the child is down, or after it came back.
    let clear = ["OUTCOME_UNKNOWN", "CONNECTION_ERROR", "-32602"];
    assert!(clear.iter().any(|code| answer.contains(code)), "{answer}");
    assert_eq!(play.director("m").count(What::Executed, "tools/call").await, 1);
}

#[tokio::test]
async fn answers_without_a_state_do_not_call_a_legacy_child_again() {
    for child in LEGACY {
        let play = child.play("", does(&steps())).await;
        let result = asked(&play, "{}").await;
        let good = back(&result, "{}");
        let state = member(&result, "requestState").unwrap();
        let without = good.replace(&format!(",\"requestState\":{state}"), "");
        assert_eq!(code(&sent(&play, &without).await), "-32602", "{child:?}");
        assert_eq!(play.director("m").count(What::Executed, "tools/call").await, 1, "{child:?}");
        assert!(sent(&play, &good).await.contains("said"), "{child:?}");
    }
}

#[tokio::test]
async fn c111_c112_what_a_modern_child_may_not_ask_is_not_passed_on() {
    let results = [
        r#"{"resultType":"input_required"}"#,
        r#"{"resultType":"input_required","inputRequests":{}}"#,
        r#"{"resultType":"input_required","inputRequests":{"k":{"method":"ping"}}}"#,
        r#"{"resultType":"input_required","requestState":null}"#,
        &format!(r#"{{"resultType":"input_required","requestState":"{}"}}"#, "x".repeat(320 << 10)),
    ];
    for child in MODERN {
        for result in results {
            let play = child.play("", does(&[Step::Answer(result.to_owned())])).await;
            for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
                let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
                let which = format!("{child:?}: {talked:?}");
                assert!(talked.answer.contains(r#""code":"BAD_ANSWER","mount":"m""#), "{which}");
                assert!(talked.answer.contains("the server behind `m`"), "{which}");
            }
        }
    }
}

#[tokio::test]
async fn c110_only_calls_prompts_and_reads_may_be_answered_by_a_question() {
    let result = r#"{"resultType":"input_required","requestState":"s"}"#.to_owned();
    let params = r#"{"ref":{"type":"ref/prompt","name":"m_p"},"argument":{"name":"a","value":""}}"#;
    for child in MODERN {
        let script = Script::modern().prompt("p");
        let script = script.on("completion/complete", &[Step::Answer(result.clone())]);
        let play = child.play("", script).await;
        let answer = play.ask("completion/complete", params).await;
        assert!(answer.contains("BAD_ANSWER"), "{child:?}: {answer}");
    }
}

#[tokio::test]
async fn c123_a_round_that_only_has_a_state_is_sent_again() {
    let again = r#"{"resultType":"input_required","requestState":"later"}"#.to_owned();
    let script = does(&[])
        .on_each("tools/call t", &[&[Step::Answer(again)], &[Step::Act("done".to_owned())]]);
    for child in MODERN {
        let play = child.play("", script.clone()).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
        assert!(talked.answer.contains("content"), "{child:?}: {talked:?}");
        let retry = play.director("m").requests("tools/call").await.remove(1);
        assert_eq!(member(&retry.params, "requestState").as_deref(), Some("\"later\""));
        assert_eq!(member(&retry.params, "inputResponses"), None);
    }
}

#[tokio::test]
async fn c121_a_child_that_asks_without_end_is_cut_off() {
    let elicit = format!(r#"{{"method":"elicitation/create","params":{FORM}}}"#);
    let result = format!(
        r#"{{"resultType":"input_required","inputRequests":{{"k":{elicit}}},"requestState":"s"}}"#
    );
    let gateway = "[gateway.limits]\nrounds_max = 3\n";
    for child in MODERN {
        let play = child.play_with(gateway, "", does(&[Step::Answer(result.clone())])).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
        assert_eq!(talked.asked.len(), 3, "{child:?}");
        assert!(talked.answer.contains("rounds_max"), "{child:?}: {talked:?}");
    }
    let many = vec![ask("elicitation/create", FORM); 101];
    for child in LEGACY {
        for is_modern in [true, false] {
            // A call that was given up may ask on there: each client has a child of its own.
            let play = child.play_with(gateway, "", does(&many)).await;
            let mut client = match is_modern {
                true => Able::modern_http(&play.running, ALL_ABILITIES),
                false => Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await,
            };
            let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
            assert!(talked.answer.contains("UNANSWERED"), "{child:?}: {talked:?}");
            assert_eq!(talked.asked.len(), 100, "{child:?}, {}", client.kind());
        }
    }
}

#[tokio::test]
async fn c121_what_counts_as_a_round_is_a_question_for_which_the_call_is_sent_anew() {
    let gateway = "[gateway.limits]\nrounds_max = 1\n";
    let mut wizard = vec![ask("elicitation/create", FORM); 20];
    wizard.push(Step::Told);
    for child in LEGACY {
        let play = child.play_with(gateway, "", does(&wizard)).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
        assert_eq!(talked.asked.len(), 20, "{child:?}: {talked:?}");
        assert!(talked.answer.contains("content"), "{child:?}: {talked:?}");
    }
    let again = r#"{"resultType":"input_required","requestState":"later"}"#.to_owned();
    let again = [Step::Answer(again)];
    let script = does(&[])
        .on_each("tools/call t", &[&again, &again, &again, &[Step::Act("done".to_owned())]]);
    for child in MODERN {
        let play = child.play_with(gateway, "", script.clone()).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
        assert!(talked.answer.contains("content"), "{child:?}: {talked:?}");
    }
}
