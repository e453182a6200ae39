//! Why the `data` child could not do what it was asked: a code for programs, a sentence for people.

use std::fmt;

pub(super) use crate::Code;
use crate::Fault;

/// A code, what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) text: String,
    /// Whether the same may go well in a moment: the other side was not reached.
    pub(super) is_passing: bool,
}

impl Trouble {
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), is_passing: false }
    }

    /// Trouble that passes by itself.
    pub(super) fn passing(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), is_passing: true }
    }

    /// Whether the server went away: what only reads may be asked again.
    pub(super) fn is_lost_server(&self) -> bool {
        self.is_passing && self.code == Code::Connection
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.code, trouble.text)
    }
}
