//! The log level of a legacy child: the most verbose that any of its callers wants (check 95).

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use protocol::Raw;
use protocol::json::ObjectWriter;
use protocol::meta::LEVELS;

/// How long a call waits until its child has taken the log level that its caller wants.
pub(super) const LEVEL_WAIT: Duration = Duration::from_secs(5);

/// The least severe level that a child was told; above all of them before that.
#[derive(Debug)]
pub(super) struct Level(AtomicU8);

impl Level {
    /// That of a child that was told none.
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(u8::MAX))
    }

    /// The params of `logging/setLevel`, where the child must be told of this level: it was not
    /// told to send as much yet.
    pub(super) fn raise(&self, level: u8) -> Option<Raw> {
        let name = LEVELS.get(usize::from(level))?;
        let known = self.0.fetch_min(level, Relaxed) <= level;
        (!known).then(|| ObjectWriter::new().string("level", name).finish())
    }
}
