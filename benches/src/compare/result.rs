//! What a comparison found: raw rounds, and the medians and ratios drawn from them.

use std::fmt;

use serde::Serialize;

use crate::args::{RoundArgs, Speaks, WayName};
use crate::kernel::{Machine, Memory};
use crate::wire::Era;

/// Everything that is kept.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) what: String,
    pub(super) note: String,
    /// `YYYY-MM-DD`, UTC.
    pub(super) date: String,
    pub(super) machine: Machine,
    /// Processor time that the host gave to other machines during the run, 0 to 1.
    pub(super) stolen_share: f64,
    pub(super) rounds: u64,
    /// Rounds in which others took more were repeated.
    pub(super) others_max_percent: u64,
    /// Calls, seconds and warm-up of each round.
    pub(super) length: RoundArgs,
    pub(super) cases: Vec<CaseResult>,
}

/// What is the same for all ways that are compared.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Case {
    /// Of the client, and of the child of `direct` and `floor`.
    pub(super) era: Era,
    /// Of the child behind the gateway.
    pub(super) child_era: Speaks,
    /// Length of the text in each result.
    pub(super) bytes: u64,
    pub(super) connections: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct CaseResult {
    #[serde(flatten)]
    pub(super) case: Case,
    /// How many rounds of all ways were left out because others disturbed them.
    pub(super) repeated: u32,
    pub(super) ways: Vec<WayResult>,
}

/// One way in one case. The process under test is the child for `direct`, else the hop.
#[derive(Debug, Serialize)]
pub(super) struct WayResult {
    pub(super) way: WayName,
    /// Memory of the process under test before the first round.
    pub(super) idle: Memory,
    /// The same after the last round.
    pub(super) loaded: Memory,
    pub(super) rounds: Vec<Round>,
}

/// One round of calls. Times are per call unless they say otherwise.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    pub(super) calls: usize,
    /// Of the whole round.
    pub(super) seconds: f64,
    pub(super) calls_per_s: f64,
    /// Processor time of the process under test.
    pub(super) cpu_us: f64,
    /// How much of it was spent in the kernel, 0 to 1; rough.
    pub(super) cpu_system_share: f64,
    /// Processor time of the child behind the process under test; zero for `direct`.
    pub(super) child_cpu_us: f64,
    /// Processor time of the load generator.
    pub(super) load_cpu_us: f64,
    /// Processor time that neither we nor the idle loop used, of all in the round, 0 to 1; rough.
    pub(super) others_share: f64,
    pub(super) p50_us: f64,
    pub(super) p90_us: f64,
    pub(super) p99_us: f64,
    pub(super) max_us: f64,
}

/// Median, least and greatest of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (era, child) = (self.era.version(), self.child_era);
        write!(f, "{era}, ")?;
        if child != self.era.into() {
            write!(f, "child {child:?}, ")?;
        }
        let plural = if self.connections == 1 { "" } else { "s" };
        write!(f, "{}, {} connection{plural}", size(self.bytes), self.connections)
    }
}

impl Report {
    /// How much of the processor others used, over all rounds.
    pub(super) fn others(&self) -> Option<Spread> {
        let ways = self.cases.iter().flat_map(|case| &case.ways);
        let rounds = ways.flat_map(|way| &way.rounds);
        Spread::over(rounds.map(|round| round.others_share).collect())
    }
}

impl CaseResult {
    pub(super) fn way(&self, name: WayName) -> Option<&WayResult> {
        self.ways.iter().find(|result| result.way == name)
    }
}

impl WayResult {
    pub(super) fn empty(way: WayName) -> Self {
        let none = Memory::default();
        Self { way, idle: none, loaded: none, rounds: Vec::new() }
    }

    /// One figure over all rounds; none without rounds.
    pub(super) fn spread(&self, of: fn(&Round) -> f64) -> Option<Spread> {
        Spread::over(self.rounds.iter().map(of).collect())
    }

    /// One figure as a multiple of the same figure of `base`: the two of each round are divided,
    /// since they were measured next to each other, then the median is taken.
    pub(super) fn ratio(&self, base: &Self, of: fn(&Round) -> f64) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&base.rounds);
        let ratios = pairs.map(|(mine, theirs)| of(mine) / of(theirs));
        Spread::over(ratios.filter(|ratio| ratio.is_finite()).collect())
    }
}

impl Spread {
    fn over(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let upper = values.len() / 2;
        let lower = values.len().saturating_sub(1) / 2;
        let median = (values.get(lower)? + values.get(upper)?) / 2.0;
        Some(Self { median, least, most })
    }
}

/// A length as people write it.
pub(super) fn size(bytes: u64) -> String {
    /// Bytes of one KiB.
    const KIB: u64 = 1024;
    if bytes >= KIB && bytes.is_multiple_of(KIB) {
        format!("{} KiB", bytes / KIB)
    } else {
        format!("{bytes} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(cpu: &[f64]) -> WayResult {
        let round = |cpu_us: &f64| Round {
            calls: 1,
            seconds: 1.0,
            calls_per_s: 1.0,
            cpu_us: *cpu_us,
            cpu_system_share: 0.5,
            child_cpu_us: 0.0,
            load_cpu_us: 1.0,
            others_share: 0.0,
            p50_us: 1.0,
            p90_us: 1.0,
            p99_us: 1.0,
            max_us: 1.0,
        };
        let rounds = cpu.iter().map(round).collect();
        WayResult { rounds, ..WayResult::empty(WayName::Floor) }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let (mine, floor) = (rounds(&[20.0, 60.0, 33.0]), rounds(&[10.0, 30.0, 11.0]));
        let ratio = mine.ratio(&floor, |round| round.cpu_us);
        assert_eq!(ratio, Some(Spread { median: 2.0, least: 2.0, most: 3.0 }));
    }

    #[test]
    fn a_ratio_to_nothing_is_left_out() {
        assert_eq!(rounds(&[1.0]).ratio(&rounds(&[0.0]), |round| round.cpu_us), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let spread = rounds(&[4.0, 1.0, 2.0, 3.0]).spread(|round| round.cpu_us);
        assert_eq!(spread, Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!((size(300), size(65_536)), ("300 B".to_owned(), "64 KiB".to_owned()));
    }
}
