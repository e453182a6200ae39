//! What became of tasks of the experiment: its child is asked once, and who looks again is answered
//! from here (digest 2.6).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Raw;

/// Outcomes that are kept of one connection; the oldest goes first, and is asked for anew.
const OUTCOMES_MAX: usize = 100;
/// Their bytes together. One that is longer is not kept: its client has it, and asks seldom again.
const OUTCOMES_BYTES_MAX: usize = 4 << 20;

/// How the extension calls the end of a task, and the member and value that belong to it.
pub(super) type Outcome = (&'static str, &'static str, Raw);

/// The outcomes of one connection, by the child's own ids.
#[derive(Default)]
pub(super) struct Outcomes(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_task: HashMap<String, Outcome>,
    /// The oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

impl Outcomes {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: &str) -> Option<Outcome> {
        self.kept().by_task.get(id).cloned()
    }

    pub(super) fn keep(&self, id: &str, outcome: &Outcome) {
        let bytes = outcome.2.len();
        if bytes > OUTCOMES_BYTES_MAX {
            return;
        }
        let mut kept = self.kept();
        kept.forget(id);
        while kept.order.len() >= OUTCOMES_MAX || kept.bytes + bytes > OUTCOMES_BYTES_MAX {
            let Some(oldest) = kept.order.front().cloned() else { break };
            kept.forget(&oldest);
        }
        kept.bytes += bytes;
        kept.order.push_back(id.to_owned());
        kept.by_task.insert(id.to_owned(), outcome.clone());
    }

    /// The child does not know this task any more.
    pub(super) fn forget(&self, id: &str) {
        self.kept().forget(id);
    }
}

impl Kept {
    fn forget(&mut self, id: &str) {
        if let Some((_, _, value)) = self.by_task.remove(id) {
            self.bytes -= value.len();
            self.order.retain(|known| known != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes: usize) -> Outcome {
        let value = Raw::parse(format!(r#"{{"x":"{}"}}"#, "x".repeat(bytes - 8)).into()).unwrap();
        assert_eq!(value.len(), bytes);
        ("\"completed\"", "result", value)
    }

    #[test]
    fn outcomes_are_kept_within_bounds_and_the_oldest_goes_first() {
        let outcomes = Outcomes::default();
        for at in 0..=OUTCOMES_MAX {
            outcomes.keep(&at.to_string(), &outcome(10));
        }
        assert_eq!(outcomes.get("0"), None);
        assert_eq!(outcomes.get("1"), Some(outcome(10)));
        outcomes.keep("large", &outcome(OUTCOMES_BYTES_MAX));
        assert_eq!(outcomes.get("1"), None);
        assert_eq!(outcomes.get("large").map(|one| one.2.len()), Some(OUTCOMES_BYTES_MAX));
        outcomes.keep("larger", &outcome(OUTCOMES_BYTES_MAX + 1));
        assert_eq!(outcomes.get("larger"), None);
        outcomes.keep("large", &outcome(10));
        outcomes.keep("other", &outcome(OUTCOMES_BYTES_MAX - 10));
        assert_eq!(outcomes.get("large"), Some(outcome(10)));
        outcomes.forget("large");
        assert_eq!((outcomes.get("large"), outcomes.kept().order.len()), (None, 1));
    }
}
