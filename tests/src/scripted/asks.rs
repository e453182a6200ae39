//! What a scripted child asks the client in the middle of a call, and the answers it gets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use protocol::json::{self, Members, ObjectWriter};
use tokio::sync::oneshot;

use super::answers::string_in;
use super::stage::{Asked, Next};

/// What a legacy child has asked, by id.
#[derive(Default)]
pub(super) struct Asks {
    next: AtomicU64,
    open: Mutex<HashMap<String, oneshot::Sender<String>>>,
}

impl Asks {
    /// A question nobody waits for the answer of; the message.
    pub(super) fn pose(&self, method: &str, params: &str) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let message = ObjectWriter::new().string("jsonrpc", "2.0");
        let message = message.string("id", &format!("ask-{number}")).string("method", method);
        message.raw("params", params).finish().to_string()
    }

    /// A question, and its answer: the `result` or the `error` with the word before it.
    pub(super) fn ask(&self, method: &str, params: &str) -> (String, oneshot::Receiver<String>) {
        let message = self.pose(method, params);
        let id = string_in(&message, "id").expect("an id of ours");
        let (answer, answered) = oneshot::channel();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        (message, answered)
    }

    /// The id of the last question, a JSON text.
    pub(super) fn last(&self) -> String {
        json::quoted(&format!("ask-{}", self.next.load(Ordering::Relaxed)))
    }

    /// A response came.
    pub(super) fn answered(&self, response: &str) {
        let id = string_in(response, "id").unwrap_or_default();
        let asker = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let members = Members::read(response).expect("a response");
        let answer = match (members.get("result"), members.get("error")) {
            (Some(result), _) => result.to_owned(),
            (None, error) => format!("error {}", error.unwrap_or_default()),
        };
        if let Some(asker) = asker {
            // A call that was cancelled wants no answer.
            let _gone = asker.send(answer);
        }
    }
}

/// What has been said in one call.
pub(super) struct Said {
    arguments: String,
    /// What the client declared, where that is to be told.
    declared: Option<String>,
    pub(super) answers: Vec<String>,
    /// Questions that a modern child has put so far in its script.
    put: usize,
}

impl Said {
    /// A modern child finds in its state what was answered before, and in the request the rest.
    pub(super) fn of(asked: &Asked) -> Self {
        let members = Members::read(&asked.params).ok();
        let get = |key: &str| members.as_ref().and_then(|members| members.get(key));
        let arguments = get("arguments").unwrap_or("{}").to_owned();
        let state = get("requestState").and_then(json::string).unwrap_or_default();
        let before = json::elements(&state).unwrap_or_default();
        let mut answers: Vec<String> = before.into_iter().map(str::to_owned).collect();
        let now = get("inputResponses").and_then(|text| Members::read(text).ok());
        while let Some(answer) =
            now.as_ref().and_then(|now| now.get(&format!("k{}", answers.len())))
        {
            answers.push(answer.to_owned());
        }
        Self { arguments, declared: None, answers, put: 0 }
    }

    /// From here on, what is told begins with this, which the client declared.
    pub(super) fn tells(&mut self, declared: &str) -> Next {
        self.declared = Some(declared.to_owned());
        Next::On
    }

    /// The params of a question with the call's arguments in them.
    pub(super) fn filled(&self, params: &str) -> String {
        params.replace("\"$arguments\"", &json::quoted(&self.arguments))
    }

    /// The result by which a modern child asks; `None` when all of this is answered.
    pub(super) fn ask(&mut self, questions: &[(String, String)]) -> Option<String> {
        let first = self.put;
        self.put += questions.len();
        if self.answers.len() >= self.put {
            return None;
        }
        let mut all = ObjectWriter::new();
        for (at, (method, params)) in questions.iter().enumerate().skip(self.answers.len() - first)
        {
            let params = self.filled(params);
            let one = ObjectWriter::new().string("method", method).raw("params", &params).finish();
            all = all.raw(&format!("k{}", first + at), &one);
        }
        let state = json::array(self.answers.iter().map(String::as_str));
        let result = ObjectWriter::new().string("resultType", "input_required");
        let result = result.raw("inputRequests", &all.finish()).string("requestState", &state);
        Some(result.finish().to_string())
    }

    pub(super) fn is_accepted(&self) -> bool {
        let last = self.answers.last().map_or("", String::as_str);
        let declined = [r#""action":"cancel""#, r#""action":"decline""#];
        !last.starts_with("error") && !declined.iter().any(|action| last.contains(action))
    }

    /// A failure that says all answers.
    pub(super) fn failed(&self) -> String {
        let told = self.told();
        format!(r#"{},"isError":true}}"#, told.strip_suffix('}').unwrap_or_default())
    }

    /// A result that says all answers.
    pub(super) fn told(&self) -> String {
        let first = self.declared.as_ref().unwrap_or(&self.arguments);
        let text = format!("{first} {}", self.answers.join(" "));
        let text = json::quoted(text.trim_end());
        format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#)
    }
}
