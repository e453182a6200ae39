//! When a child process runs: from the start of the gateway or from its first use, and until when.

use std::time::Duration;

use super::keys::{START, STOP_IDLE};
use super::quantity;
use super::reading::Reading;
use super::table::Table;

/// When a child process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// When it is started. Default at once.
    pub start: Start,
    /// It is stopped when nobody used it for so long. Default never, from 1 s to 30 d.
    pub stop_idle: Option<Duration>,
}

/// When a child process is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the gateway.
    #[default]
    Eager,
    /// By the first call that needs it, or to learn its catalog when none is kept.
    Lazy,
}

/// Takes the keys out of the table of a mount.
pub(super) fn read(table: &mut Table, reading: &mut Reading<'_>) -> Running {
    let start = match table.choice(&START, reading).map(|found| found.value) {
        Some("lazy") => Start::Lazy,
        _ => Start::Eager,
    };
    let stop_idle = table.time(&STOP_IDLE, reading);
    Running { start, stop_idle: stop_idle.map(|found| quantity::duration(found.value)) }
}
