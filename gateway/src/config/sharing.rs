//! How the callers of a child share the connections to it, and what it hears when it asks.

use std::time::Duration;

use super::keys::{GIVEN_UP_WAIT, INTERACTIVE, LINK_IDLE, LINKS_MAX, ROOTS, SHARE};
use super::quantity;
use super::reading::Reading;
use super::shown::quoted;
use super::table::Table;

/// How the callers of a child share the connections to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Who shares a connection. Default all.
    pub share: Share,
    /// Connections beside the first. Default 16, from 1 to 10 000.
    pub links_max: usize,
    /// One of these that nobody used for so long is closed. Default 10 min, from 100 ms to 7 d.
    pub link_idle: Duration,
    /// Whether a connection has one call at a time, so that a question is known to belong to it.
    /// Default false (0).
    pub interactive: bool,
    /// How long the next call waits there for one that was given up to be over at the child.
    /// Default 2 s, from 0 to 1 h.
    pub given_up_wait: Duration,
    /// Folders that a legacy child is told of when no client can be asked: `file:` URIs.
    pub roots: Vec<String>,
}

/// Who shares a connection to a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// Everybody.
    #[default]
    All,
    /// The calls of one principal.
    Caller,
    /// The calls of one session of a client.
    Session,
}

/// Takes the sharing out of the table of a mount.
pub(super) fn read(table: &mut Table, reading: &mut Reading<'_>) -> Sharing {
    let share = match table.choice(&SHARE, reading).map(|found| found.value) {
        Some("caller") => Share::Caller,
        Some("session") => Share::Session,
        _ => Share::All,
    };
    let links_max = table.count(&LINKS_MAX, reading);
    let idle = table.time(&LINK_IDLE, reading);
    let link_idle = quantity::duration(idle.map_or(0, |found| found.value));
    let interactive = table.count(&INTERACTIVE, reading) > 0;
    let wait = table.time(&GIVEN_UP_WAIT, reading);
    let given_up_wait = quantity::duration(wait.map_or(0, |found| found.value));
    let mut roots = Vec::new();
    for root in table.texts(&ROOTS, reading) {
        if root.value.starts_with("file://") {
            roots.push(root.value);
        } else {
            let message = format!("expected a `file://` URI, found {}", quoted(&root.value));
            reading.wrong(&root.at, message, root.at.write("\"file:///a/folder\""));
        }
    }
    Sharing { share, links_max, link_idle, interactive, given_up_wait, roots }
}
