//! Cursors of the gateway's own lists: a position named by the entry before it (digest 1.16).
//!
//! A cursor names the last entry of the page before, not a number, so that a catalog that grows or
//! shrinks in the middle of a walk neither repeats nor skips the rest. It is no credential; the
//! checksum is there so that a forged or mangled one is told apart from a position.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::name;

/// The longest cursor that is looked at, in bytes.
pub const CURSOR_BYTES_MAX: usize = 8 * 1024;

/// A position in one list: behind the entry `key` of the mount `mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The list, such as `tools/list`.
    pub list: String,
    /// The mount of the last entry.
    pub mount: String,
    /// The exposed name or URI of the last entry.
    pub key: String,
}

impl Cursor {
    /// The opaque text for clients.
    pub fn write(&self) -> String {
        let text = serde_json::json!([self.list, self.mount, self.key]).to_string();
        URL_SAFE_NO_PAD.encode(format!("{:016x}{text}", name::hash(&text)))
    }

    /// Reads what [`Self::write`] wrote; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let (sum, text) = text.split_at_checked(16)?;
        if sum != format!("{:016x}", name::hash(text)) {
            return None;
        }
        let (list, mount, key) = serde_json::from_str(text).ok()?;
        Some(Self { list, mount, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c159_a_cursor_is_read_back_and_a_forged_one_refused(
            list in ".*", mount in ".*", key in ".*", forged in ".*", at in 0usize..40, with in "[A-Za-z0-9_-]",
        ) {
            let cursor = Cursor { list, mount, key };
            let text = cursor.write();
            prop_assert_eq!(Cursor::read(&text), Some(cursor));
            prop_assert_eq!(Cursor::read(&forged), None);
            let mut mangled = text.clone();
            mangled.replace_range(at..=at, &with);
            if mangled != text {
                prop_assert_eq!(Cursor::read(&mangled), None);
            }
        }
    }
}
