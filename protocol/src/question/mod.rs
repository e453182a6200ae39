//! Questions to a client: which there are, who can answer them, how they look in either era
//! (digest 1.13, 1.17).

mod abilities;
mod input;
mod words;

pub use abilities::Abilities;
pub use input::{Input, InputRequired, REQUESTS_MAX, Request, STATE_BYTES_MAX};
pub use words::{check_answer, for_child, for_legacy, for_modern};

use crate::Method;

/// What a server may ask of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// Something that a person is to tell or do.
    Elicitation,
    /// A message of a model.
    Sampling,
    /// The folders that the client works in.
    Roots,
}

impl Question {
    /// The question asked by `method`; `None` for one that is no question.
    pub fn read(method: &str) -> Option<Self> {
        match method {
            "elicitation/create" => Some(Self::Elicitation),
            "sampling/createMessage" => Some(Self::Sampling),
            "roots/list" => Some(Self::Roots),
            _ => None,
        }
    }

    /// The method on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation/create",
            Self::Sampling => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }
}

/// Whether a call of this method may be answered by a question (check 110).
pub fn may_ask(method: &Method) -> bool {
    matches!(method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead)
}
