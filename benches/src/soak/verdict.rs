//! What a soak has shown: the promises one by one, and the figures.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde::Serialize;

use super::callers::{STEADY, Tally};
use crate::args::SoakArgs;
use crate::fault::Fault;
use crate::kernel::Machine;

/// Memory may grow by so much from the second quarter of the samples to the last one.
const GROWTH_MAX: f64 = 1.25;

/// One look at the gateway.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Sample {
    pub(super) memory_bytes: u64,
    pub(super) files: u64,
}

/// All that is kept.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    machine: Machine,
    note: String,
    seconds: u64,
    callers: u64,
    deaths: u64,
    calls: u64,
    by_mount: BTreeMap<String, BTreeMap<String, u64>>,
    executed: u64,
    /// Calls that were executed more than once.
    twice: u64,
    /// Calls that were answered and not executed.
    invented: u64,
    /// Calls that were said not to have reached a child, and were executed.
    denied: u64,
    /// Neither an answer nor an explained fault.
    odd: u64,
    odd_first: Vec<String>,
    /// Calls to the mount whose child nobody killed that were not answered.
    others_hurt: u64,
    /// Until all mounts answered again after the last death.
    back_ms: u64,
    growth: f64,
    samples: Vec<Sample>,
}

impl Verdict {
    pub(super) fn new(
        args: &SoakArgs,
        tally: &Tally,
        executed: &[String],
        samples: Vec<Sample>,
        deaths: u64,
        back_ms: u64,
    ) -> Self {
        let mut times: HashMap<&str, u64> = HashMap::new();
        for key in executed {
            *times.entry(key).or_default() += 1;
        }
        let done = |key: &String| times.contains_key(key.as_str());
        let by_mount = tally.by_mount.clone();
        let counts = by_mount.values().flat_map(BTreeMap::values);
        let steady = by_mount.get(STEADY).into_iter().flatten();
        Self {
            machine: Machine::here(),
            note: args.kept.note.clone(),
            seconds: args.seconds,
            callers: args.callers,
            deaths,
            calls: counts.sum(),
            executed: executed.len() as u64,
            twice: times.values().filter(|count| **count > 1).count() as u64,
            invented: tally.answered.iter().filter(|key| !done(key)).count() as u64,
            denied: tally.unsent.iter().filter(|key| done(key)).count() as u64,
            odd: tally.odd,
            odd_first: tally.odd_first.clone(),
            others_hurt: steady.filter(|(what, _)| *what != "ok").map(|(_, count)| count).sum(),
            back_ms,
            growth: growth(&samples),
            samples,
            by_mount,
        }
    }

    /// # Errors
    /// Names every promise that was broken.
    pub(super) fn hold(&self) -> Result<(), Fault> {
        let broken = [
            (self.twice > 0, "calls were executed twice"),
            (self.invented > 0, "calls were answered and not executed"),
            (self.denied > 0, "calls were executed although the fault said not"),
            (self.odd > 0, "answers were neither right nor explained"),
            (self.others_hurt > 0, "calls to the healthy mount failed"),
            (self.growth > GROWTH_MAX, "memory grew"),
            (self.calls == 0, "nothing was called"),
        ];
        let broken: Vec<_> = broken.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        match broken.is_empty() {
            true => Ok(()),
            false => Err(Fault(format!("{}; {:?}", broken.join("; "), self.odd_first))),
        }
    }

    /// The page for people.
    pub(super) fn page(&self) -> String {
        let mut page = format!(
            "# Soak\n\n{} callers of both eras called {} times in {} s, while {} children were \
             killed. {}\n\nMachine: {}, {} cores.\n\n",
            self.callers,
            self.calls,
            self.seconds,
            self.deaths,
            self.note,
            self.machine.processor,
            self.machine.cores,
        );
        page.push_str("| mount | what became of the calls |\n|---|---|\n");
        for (mount, counts) in &self.by_mount {
            let counts: Vec<_> = counts.iter().map(|(what, n)| format!("{what} {n}")).collect();
            let _written = writeln!(page, "| {mount} | {} |", counts.join(", "));
        }
        let memory = |at: usize| self.samples.get(at).map_or(0, |sample| sample.memory_bytes >> 10);
        let files = |at: usize| self.samples.get(at).map_or(0, |sample| sample.files);
        let (half, last) = (self.samples.len() / 2, self.samples.len().saturating_sub(1));
        let _written = writeln!(
            page,
            "\n| promise | broken |\n|---|---|\n\
             | no call is executed twice | {} |\n\
             | what was answered was executed | {} |\n\
             | what was said not to have reached a child was not executed | {} |\n\
             | every call has an answer or an explained fault | {} |\n\
             | the mount whose child nobody kills answers every call | {} |\n\n\
             All mounts answered again {} ms after the last death. Memory of the gateway: {} KiB \
             after a second, {} KiB half-way, {} KiB at the end; the last quarter has {:.2} times \
             the second one. Open files: {}, {}, {}.",
            self.twice,
            self.invented,
            self.denied,
            self.odd,
            self.others_hurt,
            self.back_ms,
            memory(1),
            memory(half),
            memory(last),
            self.growth,
            files(1),
            files(half),
            files(last),
        );
        page
    }
}

/// The memory of the last quarter of the samples, as a multiple of that of the second one: the
/// first one warms up.
fn growth(samples: &[Sample]) -> f64 {
    let quarter = samples.len() / 4;
    let mean = |part: &[Sample]| {
        let sum: u64 = part.iter().map(|sample| sample.memory_bytes).sum();
        sum as f64 / part.len().max(1) as f64
    };
    let second = samples.get(quarter..2 * quarter).unwrap_or_default();
    let last = samples.get(3 * quarter..).unwrap_or_default();
    mean(last) / mean(second).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::{Sample, growth};

    #[test]
    fn growth_is_that_after_the_first_quarter() {
        let at = |memory_bytes: u64| Sample { memory_bytes, files: 1 };
        let samples = [1, 100, 100, 120].map(at);
        assert!((growth(&samples) - 1.2).abs() < 1e-9);
        assert!(growth(&[]) < 1.0);
    }
}
