//! A call that needs a web page visited first: an error of 2025-11-25, a question in the modern era
//! (digest 2.3, row 11).

use protocol::json::{self, Members};
use protocol::question::{Input, InputRequired, Question, Request};
use protocol::{Raw, error};

use crate::call::{Call, Fault, Kind, Reply, ReplyKind};

/// The state of such a question before it is sealed.
const STATE: &str = "\"again\"";
/// Pages that one error may name.
const PAGES_MAX: usize = 64;

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
        let (key, question) = (format!("page{}", at + 1), Question::Elicitation);
        by_page.then(|| Request { key, question, params: data.slice(page) })
    };
    let requests = pages.into_iter().enumerate().map(request).collect::<Option<_>>()?;
    let asks = InputRequired { requests, state: Some(Raw::from_static(STATE)) };
    Some(Reply::of(asks.to_raw(), ReplyKind::InputRequired))
}

/// The call as it is sent again, where its client comes back from such a question: that call was
/// over, so the child gets it as a new one.
///
/// # Errors
/// [`Kind::Unanswered`] when the person did not go there.
pub(super) fn again(mut call: Call, input: &Input) -> Result<Call, Fault> {
    for (_, answer) in &input.responses {
        let action = Members::read(answer).ok();
        let action = action.as_ref().and_then(|answer| answer.get_string("action"));
        if action.as_deref() != Some("accept") {
            let text = "the page that the server wants visited first was declined";
            return Err(Fault::new(Kind::Unanswered, text));
        }
    }
    call.params = Input::default().put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    Ok(call)
}
