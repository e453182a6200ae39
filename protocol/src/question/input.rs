//! `InputRequiredResult`, and the answers and the state with which a client comes back.

use super::Question;
use crate::json::{self, Members, ObjectEdit, ObjectWriter};
use crate::{NotJson, Raw};

/// Questions that one result may hold.
pub const REQUESTS_MAX: usize = 64;
/// The longest state that a child may give, in bytes: sealed and in a body it still fits.
pub const STATE_BYTES_MAX: usize = 320 << 10;

/// One question of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the server calls it, unique in its result.
    pub key: String,
    /// What is asked.
    pub question: Question,
    /// How.
    pub params: Raw,
}

/// A result that asks first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputRequired {
    /// The questions.
    pub requests: Vec<Request>,
    /// A JSON string that the client brings back byte for byte.
    pub state: Option<Raw>,
}

impl InputRequired {
    /// Reads a result.
    ///
    /// # Errors
    /// [`NotJson`] that says what was expected and what came.
    pub fn read(result: &Raw) -> Result<Self, NotJson> {
        let members = Members::read(result)?;
        let state = match members.get("requestState") {
            None => None,
            Some(text) if text.starts_with('"') => Some(result.slice(text)),
            Some(text) => return Err(expected("requestState", "a string", text)),
        };
        let mut requests = Vec::new();
        if let Some(text) = members.get("inputRequests") {
            let all = Members::read(text).map_err(|fault| within("inputRequests", &fault))?;
            if all.len() > REQUESTS_MAX {
                let came = all.len();
                let text = format!("inputRequests: expected at most {REQUESTS_MAX}, found {came}");
                return Err(NotJson(text));
            }
            for (key, text) in all.iter() {
                requests.push(request(result, key, text)?);
            }
        }
        if requests.is_empty() && state.is_none() {
            let text = "expected inputRequests or requestState, found neither";
            return Err(NotJson(text.to_owned()));
        }
        Ok(Self { requests, state })
    }

    /// As a result.
    pub fn to_raw(&self) -> Raw {
        let mut result = ObjectWriter::new().string("resultType", "input_required");
        if !self.requests.is_empty() {
            let all = self.requests.iter().fold(ObjectWriter::new(), |all, one| {
                let request = ObjectWriter::new().string("method", one.question.as_str());
                // Roots are asked for without any, and most servers leave them away.
                let bare = one.question == Question::Roots && &*one.params == "{}";
                let params = Some(&*one.params).filter(|_| !bare);
                all.raw(&one.key, &request.optional("params", params).finish())
            });
            result = result.raw("inputRequests", &all.finish());
        }
        result.optional("requestState", self.state.as_deref()).finish()
    }
}

fn request(result: &Raw, key: &str, text: &str) -> Result<Request, NotJson> {
    let at = format!("inputRequests[{}]", json::quoted(key));
    let members = Members::read(text).map_err(|fault| within(&at, &fault))?;
    let method = members.get_string("method").unwrap_or_default();
    let question = Question::read(&method).ok_or_else(|| {
        let known = "elicitation/create, sampling/createMessage or roots/list";
        NotJson(format!("{at}.method: expected {known}, found `{method:.60}`"))
    })?;
    let params = match members.get("params") {
        None => Raw::default(),
        Some(text) if text.starts_with('{') => result.slice(text),
        Some(text) => return Err(expected(&format!("{at}.params"), "an object", text)),
    };
    Ok(Request { key: key.to_owned(), question, params })
}

/// What a client brings when it comes back with a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// The answers by the key of their question.
    pub responses: Vec<(String, Raw)>,
    /// The state that it was given, a JSON string.
    pub state: Option<Raw>,
    /// Whether there are answers at all, be it none.
    pub answers: bool,
}

impl Input {
    /// Reads the params of a call.
    ///
    /// # Errors
    /// [`NotJson`] that says what was expected and what came.
    pub fn read(params: &Raw) -> Result<Self, NotJson> {
        let members = Members::read(params)?;
        let mut input = Self::default();
        if let Some(text) = members.get("requestState") {
            if !text.starts_with('"') {
                return Err(expected("params.requestState", "a string", text));
            }
            input.state = Some(params.slice(text));
        }
        if let Some(text) = members.get("inputResponses") {
            let all =
                Members::read(text).map_err(|fault| within("params.inputResponses", &fault))?;
            input.answers = true;
            input.responses =
                all.iter().map(|(key, text)| (key.to_owned(), params.slice(text))).collect();
        }
        Ok(input)
    }

    /// Whether the params bring anything.
    pub fn is_there(&self) -> bool {
        self.answers || self.state.is_some()
    }

    /// `params` with this in the place of what they bring.
    ///
    /// # Errors
    /// [`NotJson`] when `params` is no object.
    pub fn put(&self, params: &Raw) -> Result<Raw, NotJson> {
        let members = Members::read(params)?;
        let mut edit = ObjectEdit::new(&members);
        match &self.state {
            Some(state) => edit.set("requestState", state.to_string()),
            None => edit.remove("requestState"),
        };
        if self.answers {
            let all = self.responses.iter();
            let all = all.fold(ObjectWriter::new(), |all, (key, answer)| all.raw(key, answer));
            edit.set("inputResponses", all.finish().to_string());
        } else {
            edit.remove("inputResponses");
        }
        Ok(if edit.is_empty() { params.clone() } else { edit.finish_raw() })
    }
}

fn expected(at: &str, what: &str, came: &str) -> NotJson {
    NotJson(format!("{at}: expected {what}, found {}", json::kind_of(came)))
}

fn within(at: &str, fault: &NotJson) -> NotJson {
    NotJson(format!("{at}: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_is_written_is_read_again() {
        let request = Request {
            key: "k \"1\"".to_owned(),
            question: Question::Roots,
            params: Raw::default(),
        };
        let state = Some(Raw::from_static(r#""a\u0041\"""#));
        let asked = InputRequired { requests: vec![request], state };
        expect![[r#"{"resultType":"input_required","inputRequests":{"k \"1\"":{"method":"roots/list"}},"requestState":"a\u0041\""}"#]]
            .assert_eq(&asked.to_raw());
        assert_eq!(InputRequired::read(&asked.to_raw()), Ok(asked));
    }

    #[test]
    fn c111_a_result_that_asks_nothing_and_knows_nothing_is_refused() {
        let read = |text| InputRequired::read(&Raw::from_static(text)).unwrap_err().0;
        let shown = [
            read(r#"{"inputRequests":{}}"#),
            read(r#"{"requestState":1}"#),
            read(r#"{"inputRequests":{"k":{"method":"ping"}}}"#),
        ];
        expect![[r#"
            expected inputRequests or requestState, found neither
            requestState: expected a string, found a number
            inputRequests["k"].method: expected elicitation/create, sampling/createMessage or roots/list, found `ping`"#]]
        .assert_eq(&shown.join("\n"));
    }

    #[test]
    fn answers_are_put_in_and_taken_out_and_nothing_else_moves() {
        let params = Raw::from_static(r#"{"name":"t","arguments":{"a":1.0},"z":0}"#);
        let responses = vec![("k".to_owned(), Raw::from_static(r#"{"roots":[]}"#))];
        let state = Some(Raw::from_static(r#""s""#));
        let input = Input { responses, state, answers: true };
        let with = input.put(&params).unwrap();
        expect![[r#"{"name":"t","arguments":{"a":1.0},"z":0,"requestState":"s","inputResponses":{"k":{"roots":[]}}}"#]]
            .assert_eq(&with);
        assert_eq!(Input::read(&with), Ok(input));
        assert_eq!(Input::default().put(&with).unwrap(), params);
    }
}
