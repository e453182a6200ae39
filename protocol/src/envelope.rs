//! JSON-RPC messages: the envelope is read, the payload stays raw (digest 1.1).

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::{self, ErrorObject};
use crate::json::{self, ObjectWriter, kind_of};
use crate::{NotJson, Raw};

/// One message of either direction.
#[derive(Debug, Clone)]
pub enum Message {
    /// Asks for an answer.
    Request {
        /// A string or an integer, as it came.
        id: Raw,
        /// The method.
        method: String,
        /// An object; `{}` when absent.
        params: Raw,
    },
    /// Asks for nothing.
    Notification {
        /// The method.
        method: String,
        /// An object; `{}` when absent.
        params: Raw,
    },
    /// Answers a request of ours.
    Response {
        /// The id of the request; `None` when the peer could not read it.
        id: Option<Raw>,
        /// The result, or the error.
        outcome: Result<Raw, ErrorObject>,
    },
}

/// A body: one message, or the batch that only `2025-03-26` knows.
#[derive(Debug, Clone)]
pub enum Body {
    /// One message.
    One(Message),
    /// An array; each element is a message or why it is none.
    Batch(Vec<Result<Message, Malformed>>),
}

/// Why a text is no message, with the id when it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The id of the request, to answer it.
    pub id: Option<Raw>,
    /// `-32700` or `-32600`.
    pub error: ErrorObject,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

fn even_null<'de: 'a, 'a, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// The most messages one batch may have.
pub const BATCH_MESSAGES_MAX: usize = 100;

impl Body {
    /// Reads a body; blanks around it are allowed.
    ///
    /// # Errors
    /// [`Malformed`] when it is no JSON or no message; a batch that is empty or longer than
    /// [`BATCH_MESSAGES_MAX`] is malformed as a whole.
    pub fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let text = ByteString::try_from(bytes)
            .map_err(|_| parse_error(&NotJson("the body is not valid UTF-8".to_owned())))?;
        let trimmed = text.trim_ascii();
        if !trimmed.starts_with('[') {
            return Message::read_text(&text.slice_ref(trimmed)).map(Self::One);
        }
        let parts: Vec<&RawValue> = serde_json::from_str(trimmed)
            .map_err(|fault| parse_error(&NotJson(fault.to_string())))?;
        if parts.is_empty() || parts.len() > BATCH_MESSAGES_MAX {
            return Err(invalid(
                None,
                format!("a batch has 1 to {BATCH_MESSAGES_MAX} messages, this one {}", parts.len()),
            ));
        }
        let read = |part: &&RawValue| Message::read_text(&text.slice_ref(part.get()));
        Ok(Self::Batch(parts.iter().map(read).collect()))
    }
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// [`Malformed`] with what was expected and what came.
    pub fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let text = ByteString::try_from(bytes)
            .map_err(|_| parse_error(&NotJson("the message is not valid UTF-8".to_owned())))?;
        Self::read_text(&text.slice_ref(text.trim_ascii()))
    }

    fn read_text(text: &ByteString) -> Result<Self, Malformed> {
        if !text.starts_with('{') {
            serde_json::from_str::<&RawValue>(text)
                .map_err(|fault| parse_error(&NotJson(fault.to_string())))?;
            let came = kind_of(text);
            return Err(invalid(None, format!("a message is an object, this is {came}")));
        }
        let head: Head<'_> =
            serde_json::from_str(text).map_err(|fault| match fault.classify() {
                serde_json::error::Category::Data => invalid(None, fault.to_string()),
                _ => parse_error(&NotJson(fault.to_string())),
            })?;
        let raw = |value: &RawValue| Raw::from_checked(text.slice_ref(value.get()));
        let id = head.id.map(|id| id.get());
        let good_id = match id {
            Some(text) if is_id(text) => head.id.map(raw),
            _ => None,
        };
        if head.jsonrpc.and_then(|text| json::string(text.get())).as_deref() != Some("2.0") {
            return Err(invalid(good_id, "expected \"jsonrpc\": \"2.0\"".to_owned()));
        }
        let Some(method) = head.method else {
            return response(&head, good_id, raw);
        };
        let Some(method) = json::string(method.get()).map(Cow::into_owned) else {
            let came = kind_of(method.get());
            return Err(invalid(good_id, format!("method: expected a string, found {came}")));
        };
        let params = match head.params {
            None => Raw::default(),
            Some(params) if params.get().starts_with('{') => raw(params),
            Some(params) => {
                let came = kind_of(params.get());
                return Err(invalid(good_id, format!("params: expected an object, found {came}")));
            }
        };
        match (id, good_id) {
            (None, _) => Ok(Self::Notification { method, params }),
            (_, Some(id)) => Ok(Self::Request { id, method, params }),
            (Some(id), None) => {
                let came = kind_of(id);
                Err(invalid(None, format!("id: expected a string or an integer, found {came}")))
            }
        }
    }
}

fn response(
    head: &Head<'_>,
    id: Option<Raw>,
    raw: impl Fn(&RawValue) -> Raw,
) -> Result<Message, Malformed> {
    match (head.result, head.error) {
        (Some(result), None) => Ok(Message::Response { id, outcome: Ok(raw(result)) }),
        (None, Some(error)) => {
            Ok(Message::Response { id, outcome: Err(ErrorObject::read(&raw(error))) })
        }
        (Some(_), Some(_)) => Err(invalid(id, "both `result` and `error` are given".to_owned())),
        (None, None) => Err(invalid(
            id,
            "a message has `method`, `result` or `error`; this has none".to_owned(),
        )),
    }
}

fn parse_error(fault: &NotJson) -> Malformed {
    Malformed {
        id: None,
        error: ErrorObject::new(error::PARSE_ERROR, format!("not JSON: {fault}")),
    }
}

fn invalid(id: Option<Raw>, text: String) -> Malformed {
    let text = format!("not a JSON-RPC message: {text}");
    Malformed { id, error: ErrorObject::new(error::INVALID_REQUEST, text) }
}

/// Whether `text` is a legal id or progress token: a string or an integer.
pub fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.starts_with('"') || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A request.
pub fn request(id: &str, method: &str, params: &Raw) -> Bytes {
    let message = ObjectWriter::new().string("jsonrpc", "2.0").raw("id", id);
    message.string("method", method).raw("params", params).finish().into_bytes()
}

/// A notification.
pub fn notification(method: &str, params: &Raw) -> Bytes {
    let message = ObjectWriter::new().string("jsonrpc", "2.0").string("method", method);
    let params = Some(params.as_str()).filter(|text| *text != "{}");
    message.optional("params", params).finish().into_bytes()
}

/// A response that carries a result.
pub fn result(id: &str, result: &Raw) -> Bytes {
    let message = ObjectWriter::new().string("jsonrpc", "2.0").raw("id", id);
    message.raw("result", result).finish().into_bytes()
}

/// A response that carries an error; without an id where that of the request could not be read.
pub fn error(id: Option<&str>, error: &ErrorObject) -> Bytes {
    let message = ObjectWriter::new().string("jsonrpc", "2.0").optional("id", id);
    message.raw("error", &error.to_raw()).finish().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(body: &[u8], expected: &Expect) {
        let shown = match Body::read(Bytes::copy_from_slice(body)) {
            Ok(Body::One(message)) => format!("{message:?}"),
            Ok(Body::Batch(list)) => format!("batch of {}: {list:?}", list.len()),
            Err(fault) => {
                let id = fault.id.map_or("-".to_owned(), |id| id.to_string());
                format!("{} {} (id {id})", fault.error.code, fault.error.message)
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn c001_ids_are_strings_or_integers() {
        let with = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        for id in ["1", "-7", "0", "\"\"", "\"a\\u0062\"", "123456789012345678901234567890"] {
            let body = Body::read(with(id).into()).unwrap();
            let Body::One(Message::Request { id: read, .. }) = body else { panic!("{body:?}") };
            assert_eq!(read.as_str(), id, "kept in value and type");
        }
        check(
            with("null").as_bytes(),
            &expect![
                "-32600 not a JSON-RPC message: id: expected a string or an integer, found null (id -)"
            ],
        );
        check(
            with("1.5").as_bytes(),
            &expect![
                "-32600 not a JSON-RPC message: id: expected a string or an integer, found a number (id -)"
            ],
        );
        check(
            with("[1]").as_bytes(),
            &expect![
                "-32600 not a JSON-RPC message: id: expected a string or an integer, found an array (id -)"
            ],
        );
    }

    #[test]
    fn malformed_messages_say_where() {
        check(
            b"",
            &expect!["-32700 not JSON: EOF while parsing a value at line 1 column 0 (id -)"],
        );
        check(
            b"{\"jsonrpc\":",
            &expect!["-32700 not JSON: EOF while parsing a value at line 1 column 11 (id -)"],
        );
        check(b"\xff\xfe{}", &expect!["-32700 not JSON: the body is not valid UTF-8 (id -)"]);
        check(
            b"7",
            &expect![
                "-32600 not a JSON-RPC message: a message is an object, this is a number (id -)"
            ],
        );
        check(
            b"[]",
            &expect![
                "-32600 not a JSON-RPC message: a batch has 1 to 100 messages, this one 0 (id -)"
            ],
        );
        check(
            br#"{"id":3,"method":"ping"}"#,
            &expect![[r#"-32600 not a JSON-RPC message: expected "jsonrpc": "2.0" (id 3)"#]],
        );
        check(
            br#"{"jsonrpc":"2.0","id":3,"method":7}"#,
            &expect![
                "-32600 not a JSON-RPC message: method: expected a string, found a number (id 3)"
            ],
        );
        check(
            br#"{"jsonrpc":"2.0","id":3,"method":"x","params":[1]}"#,
            &expect![
                "-32600 not a JSON-RPC message: params: expected an object, found an array (id 3)"
            ],
        );
        check(
            br#"{"jsonrpc":"2.0","id":3,"id":4,"method":"x"}"#,
            &expect![
                "-32600 not a JSON-RPC message: duplicate field `id` at line 1 column 28 (id -)"
            ],
        );
        check(
            br#"{"jsonrpc":"2.0","id":3}"#,
            &expect![
                "-32600 not a JSON-RPC message: a message has `method`, `result` or `error`; this has none (id 3)"
            ],
        );
    }
}
