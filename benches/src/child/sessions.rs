//! The legacy sessions that the child has open: their ids, and no more than a bounded number.

use std::collections::HashSet;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most sessions open at once.
const SESSIONS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    begun: u64,
    ids: HashSet<String>,
}

impl Sessions {
    /// Opens one and returns its id; none when too many are open.
    pub(super) fn begin(&self) -> Option<String> {
        let mut open = self.lock();
        if open.ids.len() >= SESSIONS_MAX {
            return None;
        }
        open.begun += 1;
        let id = format!("bench-{}-{}", process::id(), open.begun);
        open.ids.insert(id.clone());
        Some(id)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.lock().ids.contains(id)
    }

    /// Whether there was such a session to end.
    pub(super) fn end(&self, id: &str) -> bool {
        self.lock().ids.remove(id)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
