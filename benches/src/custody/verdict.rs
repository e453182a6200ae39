//! What the cycles have shown: survivors, open files, memory.

use serde::Serialize;

use super::gateways::Cycles;
use super::respawn::Respawns;
use crate::args::CustodyArgs;
use crate::fault::Fault;
use crate::kernel::Machine;

/// Memory may grow by so much from the second quarter of the samples to the last one.
const GROWTH_MAX: f64 = 1.25;
/// A sample may be taken while one child ends and another begins.
const FILES_MORE_MAX: u64 = 16;

/// All that is kept.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    machine: Machine,
    note: String,
    cycles: Cycles,
    respawns: Respawns,
    growth: f64,
    files_more: u64,
}

impl Verdict {
    pub(super) fn new(args: &CustodyArgs, cycles: Cycles, respawns: Respawns) -> Self {
        let growth = quarters(&respawns.memory_bytes, mean);
        let (second, last) = (quarter(&respawns.files, 1), quarter(&respawns.files, 3));
        let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
        Self {
            machine: Machine::here(),
            note: args.kept.note.clone(),
            growth,
            files_more: most(last).saturating_sub(most(second)),
            cycles,
            respawns,
        }
    }

    /// # Errors
    /// Names every promise that was broken.
    pub(super) fn hold(&self) -> Result<(), Fault> {
        let broken = [
            (self.cycles.survivors > 0, "processes survived their gateway"),
            (self.cycles.badly_ended > 0, "a gateway ended badly after SIGTERM"),
            (self.respawns.left > 0, "processes of dead children are left"),
            (self.growth > GROWTH_MAX, "memory grew"),
            (self.files_more > FILES_MORE_MAX, "open files grew"),
        ];
        let broken: Vec<_> = broken.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        match broken.is_empty() {
            true => Ok(()),
            false => {
                Err(Fault(format!("{}; {:?}", broken.join("; "), self.cycles.survivors_first)))
            }
        }
    }

    /// The page for people.
    pub(super) fn page(&self) -> String {
        let (cycles, respawns) = (&self.cycles, &self.respawns);
        let at = |all: &[u64], of: usize| all.get(all.len().saturating_sub(1) * of / 4).copied();
        let kib = |of: usize| at(&respawns.memory_bytes, of).unwrap_or(0) >> 10;
        let files = |of: usize| at(&respawns.files, of).unwrap_or(0);
        format!(
            "# Custody\n\nEach child is a server behind a shell that waits for it, with a detached \
             grandchild in a session of its own that is deaf to signals. {}\n\n\
             Machine: {}, {} cores.\n\n\
             | gateways started and killed | {} |\n|---|---|\n\
             | by SIGTERM, by `kill -9` | {}, {} |\n\
             | of these in the middle of their start | {} |\n\
             | processes below them at that moment, in all | {} |\n\
             | **survivors** | {} |\n\
             | SIGTERM and not exit code 0 | {} |\n\
             | from the signal to nothing left: half of them, the longest | {} ms, {} ms |\n\
             | in all | {} s |\n\n\
             | one gateway: deaths of its child, each with a new one after it | {} |\n|---|---|\n\
             | processes left of those before | {} |\n\
             | memory at the start, half-way, at the end | {} KiB, {} KiB, {} KiB |\n\
             | last quarter to second quarter | {:.2} |\n\
             | open files at the start, half-way, at the end | {}, {}, {} |\n\
             | in all | {} s |\n",
            self.note,
            self.machine.processor,
            self.machine.cores,
            cycles.cycles,
            cycles.terminated,
            cycles.killed,
            cycles.early,
            cycles.processes,
            cycles.survivors,
            cycles.badly_ended,
            cycles.gone_ms_p50,
            cycles.gone_ms_max,
            cycles.seconds,
            respawns.deaths,
            respawns.left,
            kib(0),
            kib(2),
            kib(4),
            self.growth,
            files(0),
            files(2),
            files(4),
            respawns.seconds,
        )
    }
}

fn quarter(all: &[u64], number: usize) -> &[u64] {
    let length = all.len() / 4;
    let end = if number == 3 { all.len() } else { (number + 1) * length };
    all.get(number * length..end).unwrap_or_default()
}

/// The last quarter as a multiple of the second: the first one warms up.
fn quarters(all: &[u64], figure: fn(&[u64]) -> f64) -> f64 {
    figure(quarter(all, 3)) / figure(quarter(all, 1)).max(1.0)
}

fn mean(part: &[u64]) -> f64 {
    part.iter().sum::<u64>() as f64 / part.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_after_the_first_quarter() {
        assert!((quarters(&[1, 100, 100, 120], mean) - 1.2).abs() < 1e-9);
        assert!(quarters(&[], mean) < 1.0);
        assert_eq!(quarter(&[1, 2, 3, 4, 5], 3), [4, 5]);
    }
}
