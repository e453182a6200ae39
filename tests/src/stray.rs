//! Processes that a gateway started, found in the kernel's own list, and the wait for their end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// An orderly end waits some seconds before it kills; this only keeps a hang from lasting for ever.
const END_WAIT_MAX: Duration = Duration::from_secs(60);

/// A process, held so that its number cannot come to mean another one.
#[derive(Debug)]
pub struct Stray {
    handle: OwnedFd,
    id: u32,
    command: String,
}

impl Stray {
    /// Every process but this one with `path` among its arguments or in its environment.
    pub fn all(path: &Path) -> Vec<Self> {
        let wanted = path.as_os_str().as_bytes();
        let holds = |file: String| {
            let bytes = fs::read(file).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        };
        let others = ids().into_iter().filter(|id| *id != std::process::id());
        let marked = others.filter(|id| {
            holds(format!("/proc/{id}/cmdline")) || holds(format!("/proc/{id}/environ"))
        });
        marked.filter_map(Self::hold).collect()
    }

    /// Every process below `root` in the tree, `root` itself not among them.
    pub fn below(root: u32) -> Vec<Self> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for id in ids() {
            children.entry(parent(id)).or_default().push(id);
        }
        let mut found = Vec::new();
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            let below = children.get(&id).cloned().unwrap_or_default();
            open.extend(&below);
            found.extend(below.into_iter().filter_map(Self::hold));
        }
        found
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The short name that the kernel shows for it.
    pub fn name(&self) -> String {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.id)).unwrap_or_default();
        name.trim_end().to_owned()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(why) => panic!("{self:?} cannot be signalled: {why}"),
        }
    }

    /// Its words, for telling what it is.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Waits for its end, which the kernel tells.
    pub async fn ended(self) {
        let waited = tokio::task::spawn_blocking(move || {
            let seconds = i64::try_from(END_WAIT_MAX.as_secs()).unwrap_or(i64::MAX);
            let most = Timespec { tv_sec: seconds, tv_nsec: 0 };
            let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
            let ready = poll(&mut ended, Some(&most)).expect("a process can be waited for");
            assert!(ready > 0, "process {} is still there: {}", self.id, self.command);
        });
        waited.await.expect("an end");
    }

    /// `None` if it has ended already.
    fn hold(id: u32) -> Option<Self> {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&words).replace('\0', " ");
        Some(Self { handle, id, command })
    }
}

fn ids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The second number after the name in parentheses, which may hold anything.
fn parent(id: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}
