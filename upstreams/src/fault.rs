//! Why a child does not do what it was asked, with a code that programs can tell apart.

use std::fmt;

use protocol::Violation;
use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ErrorCode, MetaObject};
use serde_json::{Map, Value, json};

/// The member of a result's `_meta` that holds the code and the violations of a failed tool.
pub const ERROR_META: &str = "gateway/error";
/// The same in the `data` of a JSON-RPC error, as the gateway's own faults have it.
const ERROR_DATA: &str = "gateway";
/// Violations that one fault tells; a caller that made more mends these first.
const VIOLATIONS_MAX: usize = 50;

/// Defines the codes and their spelling on the wire.
macro_rules! codes {
    ($($(#[$about:meta])* $code:ident = $wire:literal;)*) => {
        /// What kind of fault it is. Closed: whoever reads a code knows all there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$about])* $code,)* }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// As it stands in `code`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $wire,)* }
            }
        }
    };
}

codes! {
    /// An argument is not what the schema or the description says.
    Validation = "VALIDATION_ERROR";
    /// What was asked for is not there.
    NotFound = "NOT_FOUND";
    /// Something that the child needs cannot be reached.
    Connection = "CONNECTION_ERROR";
    /// It took longer than it may.
    Timeout = "TIMEOUT";
    /// More than the child takes: bytes, rows, calls at a time.
    Limited = "LIMITED";
    /// The caller lacks a scope.
    Forbidden = "FORBIDDEN";
    /// The caller ended the call.
    Cancelled = "CANCELLED";
    /// What the caller gave cannot be read as what it is said to be.
    Unreadable = "UNREADABLE";
    /// A source that is no text.
    Binary = "BINARY_SOURCE";
    /// A source that is packed: what is inside may be of any size.
    Compressed = "COMPRESSED_SOURCE";
    /// A source whose rows do not have the columns of its head.
    Ragged = "RAGGED_SOURCE";
    /// A path that leaves the folders which the child may read.
    OutsideRoots = "OUTSIDE_ROOTS";
    /// What the caller wants done is not understood, or refused, by the database.
    Query = "QUERY_ERROR";
    /// A change, where only reading is allowed.
    ReadOnly = "READ_ONLY";
    /// A rule of the data forbids it, or somebody else changed the same.
    Conflict = "CONFLICT";
    /// Whoever runs the gateway has not set what this needs.
    Unconfigured = "NOT_CONFIGURED";
    /// What is said to be a token is none.
    TokenMalformed = "TOKEN_MALFORMED";
    /// A token that nobody signed.
    TokenUnsecured = "TOKEN_UNSECURED";
    /// A token signed in a way that its key is not for.
    TokenWrongAlgorithm = "TOKEN_WRONG_ALGORITHM";
    /// A token that names a key which is not known.
    TokenUnknownKey = "TOKEN_UNKNOWN_KEY";
    /// A token that was not signed by a known key, or changed since.
    TokenBadSignature = "TOKEN_BAD_SIGNATURE";
    /// A token whose time is over.
    TokenExpired = "TOKEN_EXPIRED";
    /// A token whose time has not come.
    TokenNotYetValid = "TOKEN_NOT_YET_VALID";
    /// A token of somebody else.
    TokenWrongIssuer = "TOKEN_WRONG_ISSUER";
    /// A token for somebody else.
    TokenWrongAudience = "TOKEN_WRONG_AUDIENCE";
    /// A token that leaves out what it has to say.
    TokenIncomplete = "TOKEN_INCOMPLETE";
    /// The child's own mistake.
    Internal = "INTERNAL_ERROR";
}

/// Why a child has no result. A tool returns it in `Err`, and the model reads it as the tool's
/// answer; a resource or prompt returns it as a JSON-RPC error by [`Fault::into_error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault.
    pub code: Code,
    /// What is wrong, and what to do; without the code. The caller may read all of it.
    pub text: String,
    /// Each argument that is wrong, for [`Code::Validation`].
    pub violations: Vec<Violation>,
}

impl Fault {
    /// A fault with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), violations: Vec::new() }
    }

    /// Nothing is at that name.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(Code::NotFound, text)
    }

    /// Arguments that are wrong, all of them; at least one.
    pub fn invalid(mut violations: Vec<Violation>) -> Self {
        let count = violations.len();
        violations.truncate(VIOLATIONS_MAX);
        let text = match violations.as_slice() {
            [one] => one.to_string(),
            all => {
                let lines: String = all.iter().map(|one| format!("\n- {one}")).collect();
                let more = match count - all.len() {
                    0 => String::new(),
                    more => format!("\n- and {more} more"),
                };
                format!("{count} things are wrong:{lines}{more}")
            }
        };
        Self { code: Code::Validation, text, violations }
    }

    /// As an error of the protocol: for resources, prompts and completions, which have no result
    /// that could say it.
    pub fn into_error(self) -> ErrorData {
        self.into_error_of(None)
    }

    /// The same for a resource, whose URI the error then carries.
    pub fn into_error_of(self, uri: Option<&str>) -> ErrorData {
        let code = match self.code {
            Code::Validation | Code::NotFound | Code::Forbidden | Code::OutsideRoots => {
                ErrorCode::INVALID_PARAMS
            }
            _ => ErrorCode::INTERNAL_ERROR,
        };
        let mut data = Map::new();
        if let Some(uri) = uri {
            data.insert("uri".to_owned(), uri.into());
        }
        data.insert(ERROR_DATA.to_owned(), self.details());
        ErrorData::new(code, self.text, Some(Value::Object(data)))
    }

    fn details(&self) -> Value {
        let mut details = json!({ "code": self.code.as_str() });
        if !self.violations.is_empty() {
            let violations = self.violations.iter().map(
                |one| json!({ "path": one.place(), "expected": one.expected, "came": one.came }),
            );
            details["violations"] = violations.collect();
        }
        details
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.text)
    }
}

impl std::error::Error for Fault {}

/// A sentence about an argument.
impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::new(Code::Validation, text)
    }
}

impl From<Fault> for ErrorData {
    fn from(fault: Fault) -> Self {
        fault.into_error()
    }
}

impl IntoCallToolResult for Fault {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let mut meta = MetaObject::default();
        meta.insert(ERROR_META.to_owned(), self.details());
        let mut result = CallToolResult::error(vec![ContentBlock::text(self.to_string())]);
        result.meta = Some(meta);
        Ok(result.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Place;

    #[test]
    fn each_code_is_spelled_once() {
        let mut all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Code::ALL.len());
    }

    #[test]
    fn one_violation_is_a_line_and_several_are_a_list() {
        let wrong = |name: &str, came: &str| Violation {
            path: vec![Place::Member(name.to_owned()), Place::Element(2)],
            expected: "a text".to_owned(),
            came: came.to_owned(),
        };
        let one = Fault::invalid(vec![wrong("a", "7")]);
        assert_eq!(one.to_string(), "VALIDATION_ERROR: a[2]: expected a text, came 7");
        let two = Fault::invalid(vec![wrong("a", "7"), wrong("b", "nothing")]);
        let told = "2 things are wrong:\n- a[2]: expected a text, came 7\n\
                    - b[2]: expected a text, came nothing";
        assert_eq!(two.text, told);
        let many = Fault::invalid(vec![wrong("a", "7"); VIOLATIONS_MAX + 3]);
        assert!(many.text.ends_with("\n- and 3 more"));
    }
}
