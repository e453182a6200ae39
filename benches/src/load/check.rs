//! Whether an answer is the right one: id, completeness and length of the text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::Era;

/// What every answer must look like.
///
/// The first answer is parsed; once it was right, answers that equal it in every byte but the
/// id are known to be right at the price of a comparison. All others are parsed.
#[derive(Debug)]
pub(super) struct Expected {
    era: Era,
    text_bytes: u64,
    right: Option<Seen>,
}

/// A right answer without its id.
#[derive(Debug)]
struct Seen {
    before: Vec<u8>,
    after: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    result: Option<CallResult<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallResult<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    #[serde(rename = "isError", default)]
    is_error: bool,
    #[serde(borrow, rename = "resultType")]
    result_type: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

impl Expected {
    pub(super) fn new(era: Era, text_bytes: u64) -> Self {
        Self { era, text_bytes, right: None }
    }

    /// Checks the answer to the call `id`.
    ///
    /// # Errors
    /// What was expected and what came.
    pub(super) fn check(&mut self, id: &str, body: &[u8]) -> Result<(), String> {
        if self.right.as_ref().is_some_and(|seen| seen.fits(id, body)) {
            return Ok(());
        }
        let answer: Answer<'_> = serde_json::from_slice(body)
            .map_err(|fault| format!("expected a JSON-RPC answer, got {}: {fault}", start(body)))?;
        self.check_parsed(id, &answer).map_err(|why| format!("{why} in {}", start(body)))?;
        self.right = Seen::around(answer.id.get(), body);
        Ok(())
    }

    fn check_parsed(&self, id: &str, answer: &Answer<'_>) -> Result<(), String> {
        if answer.jsonrpc != "2.0" {
            return Err(format!("expected jsonrpc 2.0, got {}", answer.jsonrpc));
        }
        if answer.id.get() != id {
            return Err(format!("expected id {id}, got {}", answer.id));
        }
        let (Some(result), None) = (&answer.result, answer.error) else {
            return Err("expected a result, got an error".to_owned());
        };
        if result.is_error {
            return Err("expected a result, got `isError`".to_owned());
        }
        let kind = result.result_type.as_deref();
        if kind != Some("complete") && (kind.is_some() || self.era == Era::Modern) {
            return Err(format!("expected resultType `complete`, got {kind:?}"));
        }
        let texts = result.content.iter().filter_map(|block| block.text.as_deref());
        let length: usize = texts.map(str::len).sum();
        if length as u64 != self.text_bytes {
            return Err(format!("expected a text of {} bytes, got {length}", self.text_bytes));
        }
        Ok(())
    }
}

impl Seen {
    /// `id` is a slice of `body`; where it stands follows from the two addresses.
    fn around(id: &str, body: &[u8]) -> Option<Self> {
        let at = (id.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
        let before = body.get(..at)?.to_vec();
        let after = body.get(at + id.len()..)?.to_vec();
        Some(Self { before, after })
    }

    fn fits(&self, id: &str, body: &[u8]) -> bool {
        body.strip_prefix(self.before.as_slice())
            .and_then(|rest| rest.strip_prefix(id.as_bytes()))
            .is_some_and(|rest| rest == self.after)
    }
}

/// The first bytes of a body, for people.
fn start(body: &[u8]) -> String {
    /// Enough to see which message it is.
    const SHOWN_BYTES: usize = 200;
    String::from_utf8_lossy(body.get(..SHOWN_BYTES).unwrap_or(body)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete",
        "content":[{"type":"text","text":"a\nb"}]}}"#;

    fn after_a_right_one() -> Expected {
        let mut expected = Expected::new(Era::Modern, 3);
        assert_eq!(expected.check("1", RIGHT.as_bytes()), Ok(()));
        expected
    }

    #[test]
    fn the_same_answer_with_the_next_id_is_right() {
        let next = RIGHT.replace("\"id\":1", "\"id\":22");
        assert_eq!(after_a_right_one().check("22", next.as_bytes()), Ok(()));
    }

    #[test]
    fn members_may_stand_in_another_order() {
        let other = r#"{"result":{"content":[{"type":"text","text":"abc"}],
            "resultType":"complete"},"id":2,"jsonrpc":"2.0"}"#;
        assert_eq!(after_a_right_one().check("2", other.as_bytes()), Ok(()));
    }

    #[test]
    fn wrong_answers_are_told_apart() {
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"x"}}"#;
        for (wrong, why) in [
            (RIGHT.replace("\"id\":1", "\"id\":2"), "expected id 1"),
            (RIGHT.replace(r"a\nb", "a"), "expected a text of 3 bytes, got 1"),
            (RIGHT.replace("\"complete\"", "\"input_required\""), "expected resultType"),
            (RIGHT.replace("{\"resultType\"", "{\"isError\":true,\"resultType\""), "`isError`"),
            (error.to_owned(), "expected a result"),
            ("<html>".to_owned(), "expected a JSON-RPC answer"),
        ] {
            let said = after_a_right_one().check("1", wrong.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
