//! One question in the words of either era, and what counts as its answer.

use super::Question;
use crate::json::{self, Members, ObjectEdit};
use crate::{Raw, Version};

/// The member that only `2025-11-25` has: what a web page's question is called.
const ELICITATION_ID: &str = "elicitationId";

/// A question of a child, without what belongs to the hop it came on.
///
/// `includeContext` would let a child see what others said: it is not passed on (digest 1.17).
pub fn for_child(question: Question, params: &Raw) -> Raw {
    let Ok(members) = Members::read(params) else { return Raw::default() };
    let mut edit = ObjectEdit::new(&members);
    edit.remove("_meta").remove("task");
    let context = members.get("includeContext").filter(|text| *text != "\"none\"");
    if question == Question::Sampling && context.is_some() {
        edit.set("includeContext", "\"none\"");
    }
    if edit.is_empty() { params.clone() } else { edit.finish_raw() }
}

/// A question as a modern client takes it.
pub fn for_modern(question: Question, params: &Raw) -> Raw {
    let Ok(members) = Members::read(params) else { return Raw::default() };
    let mut edit = ObjectEdit::new(&members);
    if question == Question::Elicitation {
        edit.remove(ELICITATION_ID);
    }
    if edit.is_empty() { params.clone() } else { edit.finish_raw() }
}

/// A question as a client takes it that agreed on `version`. `id` is what a question by a web page
/// is called if its child did not say.
pub fn for_legacy(question: Question, params: &Raw, version: Version, id: &str) -> Raw {
    let Ok(members) = Members::read(params) else { return Raw::default() };
    let mut edit = ObjectEdit::new(&members);
    if question == Question::Elicitation {
        let by_page = members.get_string("mode").as_deref() == Some("url");
        if version < Version::V2025_11_25 {
            edit.remove("mode").remove(ELICITATION_ID);
        } else if by_page && members.get(ELICITATION_ID).is_none() {
            edit.set(ELICITATION_ID, json::quoted(id));
        }
    }
    if edit.is_empty() { params.clone() } else { edit.finish_raw() }
}

/// Looks whether `answer` has the shape of an answer to `question`.
///
/// # Errors
/// A text that says what was expected and what came.
pub fn check_answer(question: Question, answer: &Raw) -> Result<(), String> {
    let members = Members::read(answer).map_err(|fault| fault.0)?;
    let object = |key: &str, must: bool| match members.get(key) {
        None if !must => Ok(()),
        Some(text) if text.starts_with('{') => Ok(()),
        came => Err(format!("{key}: expected an object, found {}", kind(came))),
    };
    let string = |key: &str| match members.get_string(key) {
        Some(_) => Ok(()),
        None => Err(format!("{key}: expected a string, found {}", kind(members.get(key)))),
    };
    match question {
        Question::Elicitation => {
            let action = members.get_string("action");
            if !matches!(action.as_deref(), Some("accept" | "decline" | "cancel")) {
                let came = members.get("action").unwrap_or("nothing");
                let text = "action: expected accept, decline or cancel";
                return Err(format!("{text}, found {came:.40}"));
            }
            object("content", false)
        }
        Question::Sampling => {
            string("role")?;
            string("model")?;
            match members.get("content") {
                Some(text) if text.starts_with(['{', '[']) => Ok(()),
                came => Err(format!("content: expected an object or array, found {}", kind(came))),
            }
        }
        Question::Roots => {
            let roots = members.get("roots").and_then(json::elements);
            let Some(roots) = roots else {
                let came = kind(members.get("roots"));
                return Err(format!("roots: expected an array, found {came}"));
            };
            let has_uri = |root: &&str| {
                Members::read(root).is_ok_and(|root| root.get_string("uri").is_some())
            };
            match roots.iter().position(|root| !has_uri(root)) {
                None => Ok(()),
                Some(at) => Err(format!("roots[{at}]: expected an object with a uri")),
            }
        }
    }
}

fn kind(text: Option<&str>) -> &'static str {
    json::kind_of(text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_question_loses_what_the_other_era_does_not_have() {
        let url = Raw::from_static(r#"{"mode":"url","message":"m","url":"u"}"#);
        let ask = Question::Elicitation;
        let mut shown = vec![
            for_legacy(ask, &url, Version::V2025_11_25, "e1"),
            for_legacy(ask, &url, Version::V2025_06_18, "e1"),
        ];
        let own = for_legacy(ask, &shown[0], Version::V2025_11_25, "e2");
        assert_eq!(own, shown[0], "a child's own name for it stays");
        shown.push(for_modern(ask, &own));
        let sample = Raw::from_static(
            r#"{"messages":[],"includeContext":"allServers","_meta":{"progressToken":1},"x":1}"#,
        );
        shown.push(for_child(Question::Sampling, &sample));
        let shown: Vec<&str> = shown.iter().map(Raw::as_str).collect();
        expect![[r#"
            {"mode":"url","message":"m","url":"u","elicitationId":"e1"}
            {"message":"m","url":"u"}
            {"mode":"url","message":"m","url":"u"}
            {"messages":[],"includeContext":"none","x":1}"#]]
        .assert_eq(&shown.join("\n"));
    }

    #[test]
    fn c115_an_answer_of_another_shape_is_no_answer() {
        let check = |question, text| {
            check_answer(question, &Raw::from_static(text)).err().unwrap_or("good".to_owned())
        };
        let shown = [
            check(Question::Elicitation, r#"{"action":"accept","content":{"a":1}}"#),
            check(Question::Elicitation, r#"{"action":"maybe"}"#),
            check(Question::Elicitation, r#"{"action":"accept","content":[]}"#),
            check(Question::Sampling, r#"{"role":"assistant","model":"m","content":[]}"#),
            check(Question::Sampling, r#"{"role":"assistant","content":{}}"#),
            check(Question::Roots, r#"{"roots":[{"uri":"file:///a"}]}"#),
            check(Question::Roots, r#"{"roots":[{"uri":"file:///a"},{}]}"#),
            check(Question::Roots, "{}"),
        ];
        expect![[r#"
            good
            action: expected accept, decline or cancel, found "maybe"
            content: expected an object, found an array
            good
            model: expected a string, found nothing
            good
            roots[1]: expected an object with a uri
            roots: expected an array, found nothing"#]]
        .assert_eq(&shown.join("\n"));
    }
}
