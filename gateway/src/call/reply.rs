//! The result of a call, with what kind of result it is.

use protocol::json::{self, Members};
use protocol::{NotJson, Raw};

/// What `resultType` says (digest 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// The answer. What a legacy child says is always this.
    Complete,
    /// The child asks first; the client answers by calling again.
    InputRequired,
}

/// The result of a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The `result` object as it came. `resultType` is set anew where the client needs it.
    pub result: Raw,
    /// What it is.
    pub kind: ReplyKind,
}

impl Reply {
    /// A complete result.
    pub fn complete(result: Raw) -> Self {
        Self { result, kind: ReplyKind::Complete }
    }

    /// Reads the kind of a modern child's result; an absent one is complete.
    ///
    /// # Errors
    /// [`NotJson`] when the result is no object, or its type is none that the gateway relays
    /// (check 5): what that type demands of the client is unknown.
    pub fn read(result: Raw) -> Result<Self, NotJson> {
        let members = Members::read(&result)?;
        let kind = match members.get("resultType") {
            None => ReplyKind::Complete,
            Some(text) => match json::string(text).as_deref() {
                Some("complete") => ReplyKind::Complete,
                Some("input_required") => ReplyKind::InputRequired,
                _ => {
                    return Err(NotJson(format!(
                        "resultType: expected \"complete\" or \"input_required\", found {text:.60}"
                    )));
                }
            },
        };
        Ok(Self { result, kind })
    }
}
