//! Which processes descend from which, read from `/proc`, and signals to all of them.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The processes that have `parent` as their parent, the dead that nobody has taken note of yet
/// among them.
pub(super) fn children(parent: i32) -> Vec<i32> {
    by_parent().remove(&parent).unwrap_or_default()
}

/// Signals every process below `root`, not `root` itself. One that ends or starts meanwhile may be
/// missed, so whoever wants all of them gone looks again after each end.
pub(super) fn signal_below(root: i32, signal: Signal) {
    let mut all = by_parent();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        let below = all.remove(&parent).unwrap_or_default();
        for id in below.iter().filter_map(|id| Pid::from_raw(*id)) {
            // It may have ended, which is what most signals are for.
            let _ended = kill_process(id, signal);
        }
        open.extend(below);
    }
}

fn by_parent() -> BTreeMap<i32, Vec<i32>> {
    let mut all: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for id in ids {
        if let Some(parent) = parent(id) {
            all.entry(parent).or_default().push(id);
        }
    }
    all
}

/// The parent of a process: the second word after its name, which stands in parentheses and may
/// hold anything.
pub(super) fn parent(id: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{id}/stat")).ok()?;
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let after = std::str::from_utf8(stat.get(name_ends + 1..)?).ok()?;
    after.split_whitespace().nth(1)?.parse().ok()
}
