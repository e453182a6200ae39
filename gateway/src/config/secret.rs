//! A text that is handed to whom it is meant for and shown to nobody else.

use std::fmt;
use std::sync::Arc;

/// A text that must not reach a log, a fault or a page: neither `Debug` nor `Display` shows it.
///
/// Cheap to clone. Two secrets are equal when their texts are, so that a reload can see what
/// changed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Holds a text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself: only where it leaves towards the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
