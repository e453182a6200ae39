//! Compares runs of the suite, check by check, and writes the table of them.

use std::collections::{BTreeMap, BTreeSet};

use super::exceptions::{Exceptions, Place};
use super::suite::Check;

/// The checks of one scenario.
pub(super) type Checks = BTreeMap<String, Vec<Check>>;

/// What all comparisons found.
pub(super) struct Verdicts<'a> {
    exceptions: &'a Exceptions,
    /// What nothing excuses.
    pub(super) problems: Vec<String>,
    /// The numbers of the exceptions that were needed.
    pub(super) needed: BTreeSet<usize>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn new(exceptions: &'a Exceptions) -> Self {
        Self { exceptions, problems: Vec::new(), needed: BTreeSet::new() }
    }

    /// Compares a scenario through the gateway with the same directly; its cell of the table.
    pub(super) fn compare(
        &mut self,
        revision: &str,
        child: &str,
        scenario: &str,
        [direct, through]: [&Checks; 2],
    ) -> String {
        let mut numbers = BTreeSet::new();
        for (check, made) in direct {
            let Some(problem) = differs(made, through.get(check)) else { continue };
            let number = self.exceptions.number(Place { revision, child, scenario, check });
            numbers.extend(number);
            if number.is_none() {
                let place = format!("{revision}, {child} child, {scenario}, {check}");
                self.problems.push(format!("{place}: {problem}"));
            }
        }
        self.needed.extend(&numbers);
        let numbers: Vec<String> = numbers.iter().map(|number| format!("({number})")).collect();
        match (alone(direct), numbers.is_empty()) {
            (PASSES, true) => PASSES.to_owned(),
            (PASSES, false) => numbers.join(" "),
            _ => "–".to_owned(),
        }
    }
}

const PASSES: &str = "passes";

/// The word for a scenario on its own.
pub(super) fn alone(checks: &Checks) -> &'static str {
    let any = |status: &str| checks.values().flatten().any(|check| check.status == status);
    match (any("FAILURE"), any("SUCCESS")) {
        (true, _) => "fails",
        (false, true) => PASSES,
        (false, false) => "not checked",
    }
}

/// What is worse through the gateway than directly, if anything.
fn differs(direct: &[Check], through: Option<&Vec<Check>>) -> Option<String> {
    let good = |checks: &[Check]| checks.iter().filter(|check| check.status == "SUCCESS").count();
    let wanted = good(direct);
    if wanted == 0 {
        return None;
    }
    let Some(through) = through else { return Some("it is not made".to_owned()) };
    if good(through) < wanted {
        let bad = through.iter().find(|check| check.status != "SUCCESS");
        let bad = bad.map(|check| format!("{}: {:.300}", check.status, check.text));
        return Some(bad.unwrap_or_else(|| "it is made less often".to_owned()));
    }
    let answers = |checks: &[Check]| -> Vec<String> {
        checks.iter().map(|check| check.answer.to_string()).collect()
    };
    let (direct, through) = (answers(direct), answers(through));
    let other = direct.iter().zip(&through).find(|(direct, through)| direct != through)?;
    Some(format!("another answer: {:.600} directly, {:.600} through the gateway", other.0, other.1))
}
