//! What the kernel says about a process: processor time, memory, descendants.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use crate::fault::Fault;

/// Clock ticks a second in `/proc/PID/stat`: fixed by the kernel's interface on x86 and ARM.
const TICKS_PER_S: u64 = 100;

/// Nanoseconds of one such tick.
pub(super) const TICK_NS: u64 = 1_000_000_000 / TICKS_PER_S;

/// Processor time that a process had used up at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Of the whole process, threads that have ended included.
    user_ticks: u64,
    system_ticks: u64,
    /// Nanoseconds of each thread that is alive, by thread id.
    threads_ns: BTreeMap<u32, u64>,
}

/// Processor time used between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Spent {
    pub(crate) total_ns: u64,
    /// In the kernel, 0 to 1: sampled by its clock, so rough.
    pub(crate) system_share: f64,
}

impl Used {
    /// # Errors
    /// There is no such process any more, or this is not Linux.
    pub(crate) fn by(pid: u32) -> Result<Self, Fault> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        let fields = after_name(&stat);
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut used = Self { user_ticks: ticks(11), system_ticks: ticks(12), ..Self::default() };
        let tasks = format!("/proc/{pid}/task");
        let listed = fs::read_dir(&tasks).map_err(Fault::during(&tasks))?;
        for thread in listed.filter_map(Result::ok) {
            let Ok(id) = thread.file_name().to_string_lossy().parse() else { continue };
            // A thread may end between the listing and the reading.
            let Ok(line) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let ns = line.split_whitespace().next().and_then(|text| text.parse().ok());
            used.threads_ns.insert(id, ns.unwrap_or(0));
        }
        Ok(used)
    }

    /// What was used since `before`: to the nanosecond while all threads of then live, else to
    /// the tick, since what an ended thread used is only in the sum.
    pub(crate) fn since(&self, before: &Self) -> Spent {
        let user = self.user_ticks.saturating_sub(before.user_ticks);
        let system = self.system_ticks.saturating_sub(before.system_ticks);
        let all_live = before.threads_ns.keys().all(|id| self.threads_ns.contains_key(id));
        let by_thread = |(id, now): (&u32, &u64)| {
            now.saturating_sub(before.threads_ns.get(id).copied().unwrap_or(0))
        };
        let exact: u64 = self.threads_ns.iter().map(by_thread).sum();
        let total_ns = if all_live && exact > 0 { exact } else { (user + system) * TICK_NS };
        let system_share = system as f64 / (user + system).max(1) as f64;
        Spent { total_ns, system_share }
    }
}

impl Spent {
    /// What two processes used together.
    pub(crate) fn and(self, other: Self) -> Self {
        let total_ns = self.total_ns + other.total_ns;
        let in_kernel = |spent: Self| spent.total_ns as f64 * spent.system_share;
        let system_share = (in_kernel(self) + in_kernel(other)) / total_ns.max(1) as f64;
        Self { total_ns, system_share }
    }
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// Resident now (`VmRSS`).
    pub(crate) now_bytes: u64,
    /// The most that ever was resident (`VmHWM`).
    pub(crate) peak_bytes: u64,
}

impl Memory {
    /// # Errors
    /// There is no such process any more, or this is not Linux.
    pub(crate) fn of(pid: u32) -> Result<Self, Fault> {
        Ok(Self::parse(&read(&format!("/proc/{pid}/status"))?))
    }

    fn parse(status: &str) -> Self {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            kib.unwrap_or(0) * 1024
        };
        Self { now_bytes: bytes("VmRSS:"), peak_bytes: bytes("VmHWM:") }
    }
}

/// The processes that `pid` started, and those that they started, and so on.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = after_name(&stat).get(1).and_then(|text| text.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (id, parent)));
    }
    let mut found = Vec::new();
    let mut asked = vec![pid];
    while let Some(of) = asked.pop() {
        // A process id may be given out again while we read: nobody is counted twice.
        let new = parents.iter().filter(|(id, parent)| *parent == of && !found.contains(id));
        let new: Vec<u32> = new.map(|(id, _)| *id).collect();
        asked.extend(&new);
        found.extend(new);
    }
    found
}

/// The fields of `/proc/PID/stat` from the state on: the name before them may hold anything.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect())
}

fn read(path: &str) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(Fault::during(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(user_ticks: u64, system_ticks: u64, threads: &[(u32, u64)]) -> Used {
        Used { user_ticks, system_ticks, threads_ns: threads.iter().copied().collect() }
    }

    #[test]
    fn threads_that_live_are_counted_to_the_nanosecond() {
        let before = used(10, 10, &[(1, 5_000), (2, 7_000)]);
        let after = used(11, 13, &[(1, 6_500), (2, 7_000), (3, 400)]);
        assert_eq!(after.since(&before), Spent { total_ns: 1_900, system_share: 0.75 });
    }

    #[test]
    fn with_an_ended_thread_the_ticks_count() {
        let before = used(10, 10, &[(1, 5_000), (2, 7_000)]);
        let after = used(11, 10, &[(1, 6_500)]);
        assert_eq!(after.since(&before), Spent { total_ns: TICK_NS, system_share: 0.0 });
    }

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        assert_eq!(after_name("12 (a) b)) S 1 12"), ["S", "1", "12"]);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = Memory::parse("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n");
        assert_eq!(memory, Memory { now_bytes: 1 << 20, peak_bytes: 2 << 20 });
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let me = std::process::id();
        assert!(Used::by(me).is_ok_and(|used| !used.threads_ns.is_empty()));
        assert!(Memory::of(me).is_ok_and(|memory| memory.peak_bytes > 0));
    }
}
