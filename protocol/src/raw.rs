//! JSON text kept as it came: checked once, shared by reference, never printed anew.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

/// One complete JSON value as text: valid UTF-8, no blanks around it.
///
/// Cloning and slicing share the buffer. What the gateway does not have to understand stays in
/// this form from the one socket to the other, so no member is lost and no number is rounded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Raw(ByteString);

/// Why a text is not one JSON value; the message says where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson(pub String);

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotJson {}

impl Raw {
    /// Checks that `bytes` is one JSON value in UTF-8 and keeps it without copying.
    ///
    /// # Errors
    /// [`NotJson`] with line and column of the first fault.
    pub fn parse(bytes: Bytes) -> Result<Self, NotJson> {
        let text = ByteString::try_from(bytes)
            .map_err(|_| NotJson("the text is not valid UTF-8".to_owned()))?;
        let value: &RawValue =
            serde_json::from_str(&text).map_err(|fault| NotJson(fault.to_string()))?;
        let whole = text.slice_ref(value.get());
        Ok(Self(whole))
    }

    /// Prints a value of ours.
    ///
    /// A value that cannot be printed (a map with keys that are no strings) becomes `null`; the
    /// types this crate prints all can.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()).into())
    }

    /// A text known to be JSON because this program wrote it.
    pub fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// The part of this text that `part` points to, sharing the buffer.
    ///
    /// `part` must be a slice of this very text (as `json::Members` returns them); another
    /// text is copied.
    pub fn slice(&self, part: &str) -> Self {
        let (start, end) = (self.0.as_ptr() as usize, self.0.as_ptr() as usize + self.0.len());
        let at = part.as_ptr() as usize;
        if at >= start && at + part.len() <= end && !part.is_empty() {
            Self(self.0.slice_ref(part))
        } else {
            Self(part.into())
        }
    }

    /// A text that a parser has just found to be one JSON value.
    pub(crate) fn from_checked(text: ByteString) -> Self {
        Self(text)
    }

    /// A text built by splicing texts that are JSON.
    pub(crate) fn from_spliced(text: String) -> Self {
        debug_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "not JSON: {text}");
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as shared bytes, for a body.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// [`NotJson`] that says what was expected and where.
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, NotJson> {
        serde_json::from_str(&self.0).map_err(|fault| NotJson(fault.to_string()))
    }
}

impl Deref for Raw {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self::from_static("{}")
    }
}
