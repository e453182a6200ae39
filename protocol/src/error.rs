//! JSON-RPC error objects and the codes of MCP (digest 1.7, 1.20).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Raw;
use crate::json::Members;

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

/// The end of the codes that are kept for the protocol, which begin at [`HEADER_MISMATCH`].
const PROTOCOL_CODE_MIN: i64 = -32099;

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

    /// The error of a server as it may be said to the server's clients by who stands between: codes
    /// that only one era knows, or that would say something of the wrong hop, are replaced
    /// (check 12), all else is the server's own.
    #[must_use]
    pub fn relayed(mut self) -> Self {
        self.code = match self.code {
            RESOURCE_NOT_FOUND_LEGACY | URL_ELICITATION_REQUIRED_LEGACY => INVALID_PARAMS,
            // What a client lacks, it lacks on each hop, if it is said what that is.
            MISSING_CLIENT_CAPABILITY if self.names_capabilities() => MISSING_CLIENT_CAPABILITY,
            // The headers and the version that were refused are those of the hop behind; of the
            // others none has a meaning that a client could know. A client that is told that its
            // headers were wrong sends the call again.
            PROTOCOL_CODE_MIN..=HEADER_MISMATCH => INTERNAL_ERROR,
            own => own,
        };
        self
    }

    /// The error of a server in a handshake session, in which the modern codes mean something else:
    /// whatever it says by one is its own affair, but for capabilities that it names as missing.
    #[must_use]
    pub fn of_legacy(mut self) -> Self {
        self.code = match self.code {
            // Data that name capabilities leave no doubt: servers of both eras say so in either.
            MISSING_CLIENT_CAPABILITY if self.names_capabilities() => MISSING_CLIENT_CAPABILITY,
            UNSUPPORTED_VERSION..=HEADER_MISMATCH => INTERNAL_ERROR,
            own => own,
        };
        self
    }

    /// Whether `data` says which capabilities are missing.
    fn names_capabilities(&self) -> bool {
        let members = self.data.as_ref().and_then(|data| Members::read(data).ok());
        let required = members.as_ref().and_then(|members| members.get("requiredCapabilities"));
        required.is_some_and(|text| text.starts_with('{'))
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn c012_a_code_is_passed_on_only_where_it_means_the_same_one_hop_further() {
        let needs = r#"{"requiredCapabilities":{"roots":{}}}"#;
        let mut shown = String::new();
        for (code, data) in [
            (HEADER_MISMATCH, None),
            (MISSING_CLIENT_CAPABILITY, Some(needs)),
            (MISSING_CLIENT_CAPABILITY, Some(r#"{"requiredCapabilities":["roots"]}"#)),
            (MISSING_CLIENT_CAPABILITY, Some("7")),
            (MISSING_CLIENT_CAPABILITY, None),
            (UNSUPPORTED_VERSION, Some(needs)),
            (PROTOCOL_CODE_MIN, None),
            (PROTOCOL_CODE_MIN - 1, None),
            (HEADER_MISMATCH + 1, None),
            (URL_ELICITATION_REQUIRED_LEGACY, None),
            (RESOURCE_NOT_FOUND_LEGACY, None),
            (METHOD_NOT_FOUND, None),
        ] {
            let error =
                ErrorObject { data: data.map(Raw::from_static), ..ErrorObject::new(code, "m") };
            let [modern, legacy] =
                [error.clone(), error.clone().of_legacy()].map(ErrorObject::relayed);
            assert_eq!((&modern.message, &modern.data), (&error.message, &error.data));
            shown.push_str(&format!("{code} {data:?}: {} {}\n", modern.code, legacy.code));
        }
        expect![[r#"
            -32020 None: -32603 -32603
            -32021 Some("{\"requiredCapabilities\":{\"roots\":{}}}"): -32021 -32021
            -32021 Some("{\"requiredCapabilities\":[\"roots\"]}"): -32603 -32603
            -32021 Some("7"): -32603 -32603
            -32021 None: -32603 -32603
            -32022 Some("{\"requiredCapabilities\":{\"roots\":{}}}"): -32603 -32603
            -32099 None: -32603 -32603
            -32100 None: -32100 -32100
            -32019 None: -32019 -32019
            -32042 None: -32602 -32602
            -32002 None: -32602 -32602
            -32601 None: -32601 -32601
        "#]]
        .assert_eq(&shown);
    }
}
