//! How many calls a mount may repeat: a part of all calls, and a few in any case.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Repetitions that may be saved up beside the floor.
const SAVED_MAX: f64 = 100.0;
const SECONDS_A_MINUTE: f64 = 60.0;

/// What is left for repetitions: without it, a sick child gets the load of all calls twice over.
#[derive(Debug)]
pub(super) struct Budget {
    left: Mutex<Left>,
    part: f64,
    floor: f64,
}

#[derive(Debug)]
struct Left {
    count: f64,
    at: Option<Instant>,
}

impl Budget {
    /// `percent` of the calls, and `floor` a minute.
    pub(super) fn new(percent: usize, floor: usize) -> Self {
        let (part, floor) = (percent as f64 / 100.0, floor as f64);
        Self { left: Mutex::new(Left { count: floor, at: None }), part, floor }
    }

    /// A call is made for the first time.
    pub(super) fn earn(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.count = (left.count + self.part).min(self.floor + SAVED_MAX);
    }

    /// Whether one may be repeated; that is taken off.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = left.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        left.at = Some(now);
        let regained = passed * self.floor / SECONDS_A_MINUTE;
        left.count = (left.count + regained).min(self.floor + SAVED_MAX);
        let enough = left.count >= 1.0;
        if enough {
            left.count -= 1.0;
        }
        enough
    }

    /// Repetitions that are left.
    pub(super) fn left(&self) -> u64 {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.count as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Budget, SAVED_MAX};

    #[test]
    fn it_pays_for_a_part_of_the_calls_and_a_few_in_any_case() {
        let (budget, now) = (Budget::new(20, 2), Instant::now());
        assert!(budget.take(now) && budget.take(now));
        assert!(!budget.take(now), "the floor is used up");
        for _ in 0..5 {
            budget.earn();
        }
        assert!(budget.take(now) && !budget.take(now), "a fifth of five calls");
        assert!(!budget.take(now + Duration::from_secs(29)));
        assert!(budget.take(now + Duration::from_secs(31)), "two a minute come back");
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let budget = Budget::new(100, 0);
        for _ in 0..1000 {
            budget.earn();
        }
        assert_eq!(budget.left(), SAVED_MAX as u64);
    }

    #[test]
    fn nothing_is_repeated_without_any() {
        let budget = Budget::new(0, 0);
        budget.earn();
        assert!(!budget.take(Instant::now() + Duration::from_secs(3600)));
    }
}
