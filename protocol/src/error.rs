//! JSON-RPC error objects and the codes of MCP (digest 1.7, 1.20).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Raw;

/// The text is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is not a request this endpoint takes.
pub const INVALID_REQUEST: i64 = -32600;
/// The method is unknown, or its feature is not offered.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// An argument, name, URI, cursor or required `_meta` member is wrong.
pub const INVALID_PARAMS: i64 = -32602;
/// Something broke that is not the caller's doing.
pub const INTERNAL_ERROR: i64 = -32603;
/// Resource not found, until 2025-11-25; taken from legacy children, never sent to modern clients.
pub const RESOURCE_NOT_FOUND_LEGACY: i64 = -32002;
/// A header and the body disagree (2026-07-28).
pub const HEADER_MISMATCH: i64 = -32020;
/// The request needs a client capability that it did not declare (2026-07-28).
pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
/// The request names a version that is not implemented (2026-07-28).
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// A URL elicitation must come first (2025-11-25 only).
pub const URL_ELICITATION_REQUIRED_LEGACY: i64 = -32042;

/// The `error` member of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorObject {
    /// The code.
    pub code: i64,
    /// One sentence for people.
    pub message: String,
    /// Anything more, as it came.
    pub data: Option<Raw>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct WireOut<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

impl ErrorObject {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same error with `data`.
    #[must_use]
    pub fn with_data(mut self, data: Raw) -> Self {
        self.data = Some(data);
        self
    }

    /// Reads an `error` member; one that is not an object with an integer code is kept as text in
    /// the message, since a child's bad error is still an error.
    pub fn read(raw: &Raw) -> Self {
        match raw.read::<Wire<'_>>() {
            Ok(wire) if raw.is_object() => Self {
                code: wire.code,
                message: wire.message,
                data: wire.data.map(|data| raw.slice(data.get())),
            },
            _ => Self::new(INTERNAL_ERROR, format!("malformed error object: {raw:?}")),
        }
    }

    /// The `error` member as JSON.
    pub fn to_raw(&self) -> Raw {
        let data = self.data.as_ref().and_then(|data| data.read::<&RawValue>().ok());
        Raw::of(&WireOut { code: self.code, message: &self.message, data })
    }
}
