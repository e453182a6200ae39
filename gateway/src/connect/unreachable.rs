//! The fault of a child that cannot be reached.

use crate::call::{Fault, Kind, unix_seconds};

/// Nothing was sent to the child behind `mount`; `text` says why and what to do.
///
/// State and time are those of this one attempt; the mount, which knows its history, puts its own.
pub(super) fn unreachable(mount: &str, text: &str) -> Fault {
    let since = unix_seconds();
    Fault::new(
        Kind::Unreachable {
            mount: mount.into(),
            state: "down",
            since,
            retry_after: None,
            unauthorized: false,
        },
        format!("the server behind `{mount}` cannot be reached: {text}"),
    )
}
