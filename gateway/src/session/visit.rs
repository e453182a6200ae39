//! A call that needs a web page visited first: an error of 2025-11-25, a question in the modern era
//! (digest 2.3, row 11).

use protocol::json::{self, Members};
use protocol::question::{Input, InputRequired, Question, Request, check_answer};
use protocol::{Raw, error};

use crate::call::{Call, Fault, Kind, Reply, ReplyKind};

/// Pages that one error may name.
const PAGES_MAX: usize = 64;

/// What the question for the page of this place is known by, from 0.
fn key(at: usize) -> String {
    format!("page{}", at + 1)
}

/// The question that a fault is to a modern client; `None` where it is another fault.
pub(super) fn question_of(fault: &Fault) -> Option<Reply> {
    let Kind::Child(child) = &fault.kind else { return None };
    if child.code != error::URL_ELICITATION_REQUIRED_LEGACY {
        return None;
    }
    let data = child.data.as_ref()?;
    let members = Members::read(data).ok()?;
    let pages = json::elements(members.get("elicitations")?)?;
    if pages.is_empty() || pages.len() > PAGES_MAX {
        return None;
    }
    let request = |(at, page): (usize, &str)| {
        let members = Members::read(page).ok()?;
        let by_page = members.get_string("mode")? == "url" && members.get_string("url").is_some();
        let question = Question::Elicitation;
        by_page.then(|| Request { key: key(at), question, params: data.slice(page) })
    };
    let requests = pages.into_iter().enumerate().map(request).collect::<Option<Vec<_>>>()?;
    // All that is to be known when the client is back: how many there were.
    let state = Some(Raw::of(&requests.len().to_string()));
    let asks = InputRequired { requests, state };
    Some(Reply::of(asks.to_raw(), ReplyKind::InputRequired))
}

/// The call as it is sent again, where its client comes back from such a question: that call was
/// over, so the child gets it as a new one. It says again which pages it wants visited, so answers
/// that are missing are asked for again; those to what was not asked are left aside (check 115).
///
/// # Errors
/// [`Kind::Invalid`] for an answer of another shape: nothing is done, and the state stays good;
/// [`Kind::Unanswered`] when the person did not go there.
pub(super) fn again(mut call: Call, state: &Raw, input: &Input) -> Result<Call, Fault> {
    let pages = json::string(state).and_then(|pages| pages.parse().ok()).unwrap_or(PAGES_MAX);
    let keys: Vec<String> = (0..pages).map(key).collect();
    let asked = input.responses.iter().filter(|(key, _)| keys.contains(key));
    let mut declined = false;
    for (key, answer) in asked {
        check_answer(Question::Elicitation, answer).map_err(|text| {
            let key = json::quoted(key);
            Fault::invalid(format!("params.inputResponses[{key}]: {text}"))
        })?;
        let answer = Members::read(answer).ok();
        let action = answer.as_ref().and_then(|answer| answer.get_string("action"));
        declined |= action.as_deref() != Some("accept");
    }
    if declined {
        let text = "the page that the server wants visited first was declined";
        return Err(Fault::new(Kind::Unanswered, text));
    }
    call.params = Input::default().put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    Ok(call)
}
