//! What the kernel says about the machine: its names, and who else uses it.

use std::fs;

use serde::Serialize;

use super::process::TICK_NS;

/// The machine that a result was measured on. Whatever cannot be found out is left empty.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// The cores that this run may use, as the kernel lists them: `0-1`, `3`.
    pub(crate) cores_used: String,
    pub(crate) kernel: String,
    pub(crate) memory_bytes: u64,
    /// Processes that wanted to run, over the last minute, before the run began.
    pub(crate) load_before: f64,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let processors = text("/proc/cpuinfo");
        let named = |line: &str| line.strip_prefix("model name")?.split(':').nth(1).map(own);
        let memory = text("/proc/meminfo");
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        let load = text("/proc/loadavg");
        Self {
            processor: processors.lines().find_map(named).unwrap_or_default(),
            cores: processors.lines().filter(|line| line.starts_with("processor")).count(),
            cores_used: cores_used(),
            kernel: own(&text("/proc/sys/kernel/osrelease")),
            memory_bytes: kib.unwrap_or(0) * 1024,
            load_before: load.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0),
        }
    }
}

/// Time of the cores that this run may use, in ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    all: u64,
    idle: u64,
    stolen: u64,
}

impl Clock {
    pub(crate) fn now() -> Self {
        Self::parse(&text("/proc/stat"), &cores_used())
    }

    fn parse(stat: &str, cores: &str) -> Self {
        let mut clock = Self::default();
        for line in stat.lines() {
            let mut words = line.split_whitespace();
            let core = words.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok());
            if !core.is_some_and(|core| lists(cores, core)) {
                continue;
            }
            // user, nice, system, idle, iowait, irq, softirq, steal; then parts of these again.
            let ticks: Vec<u64> = words.take(8).filter_map(|word| word.parse().ok()).collect();
            let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
            clock.all += ticks.iter().sum::<u64>();
            clock.idle += at(3) + at(4);
            clock.stolen += at(7);
        }
        clock
    }

    /// The share of processor time since `before` that was neither idle nor ours, 0 to 1: other
    /// processes here and, on a virtual machine, other guests of the host. Rough: whole ticks.
    pub(crate) fn taken_by_others(self, before: Self, ours_ns: u64) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1) as f64;
        let busy = all - self.idle.saturating_sub(before.idle) as f64;
        ((busy - ours_ns as f64 / TICK_NS as f64) / all).clamp(0.0, 1.0)
    }

    /// The share of processor time since `before` that the host gave to other guests, 0 to 1.
    pub(crate) fn stolen_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.stolen.saturating_sub(before.stolen) as f64 / all as f64
    }
}

fn cores_used() -> String {
    let status = text("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.map(own).unwrap_or_default()
}

/// Whether a list like `0-1,3` names this core.
fn lists(cores: &str, core: u32) -> bool {
    cores.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&core),
            _ => false,
        }
    })
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn own(text: &str) -> String {
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu 9 9 9 9 9 9 9 9\ncpu0 10 0 10 70 10 0 0 0\ncpu1 5 0 5 90 0 0 0 0\n";
    const AFTER: &str = "cpu 9 9 9 9 9 9 9 9\ncpu0 40 0 30 100 10 0 0 20\ncpu1 9 0 9 99 0 0 0 0\n";

    #[test]
    fn only_the_cores_of_this_run_count() {
        let [before, after] = [BEFORE, AFTER].map(|stat| Clock::parse(stat, "0"));
        // Of 100 ticks 30 were idle, 40 ours, 20 stolen, 10 somebody's.
        assert_eq!(after.taken_by_others(before, 40 * TICK_NS), 0.3);
        assert_eq!(after.stolen_since(before), 0.2);
    }

    #[test]
    fn lists_of_cores_are_understood() {
        assert!(lists("0-2,5", 1) && lists("0-2,5", 5));
        assert!(!lists("0-2,5", 4) && !lists("", 0));
    }

    #[test]
    fn this_machine_has_cores() {
        assert!(Machine::here().cores > 0);
    }
}
