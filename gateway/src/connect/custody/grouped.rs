//! A child without a warden: a process group of its own, which is all that a library can do alone.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

/// How often a group is looked at while its end is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process group. Its number belongs to it for as long as one of its processes lives.
#[derive(Clone)]
pub(in crate::connect) struct Group {
    leader: Pid,
    /// Seen empty: the number may be another's by now.
    gone: Arc<AtomicBool>,
}

/// The leader of a group, as it is waited for.
pub(in crate::connect) struct Grouped {
    child: Child,
    group: Group,
}

/// Starts `command` on the pipes as the leader of a group.
///
/// # Errors
/// What the kernel said about the command.
pub(super) fn start(command: Command, pipes: [OwnedFd; 3]) -> io::Result<(Group, Grouped)> {
    let [stdin, stdout, stderr] = pipes.map(Stdio::from);
    let mut command = tokio::process::Command::from(command);
    command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
    let child = command.spawn()?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let leader = leader.ok_or_else(|| io::Error::other("it ended while it was started"))?;
    let group = Group { leader, gone: Arc::default() };
    Ok((group.clone(), Grouped { child, group }))
}

impl Group {
    pub(super) fn signal(&self, signal: Signal) {
        if self.lives() {
            // It may end between the look and the signal, which is what the signal is for.
            let _ended = kill_process_group(self.leader, signal);
        }
    }

    fn lives(&self) -> bool {
        if self.gone.load(Ordering::Relaxed) {
            return false;
        }
        let lives = test_kill_process_group(self.leader) != Err(rustix::io::Errno::SRCH);
        self.gone.store(!lives, Ordering::Relaxed);
        lives
    }
}

impl Grouped {
    pub(super) fn child(&self) -> u32 {
        self.group.leader.as_raw_pid().unsigned_abs()
    }

    /// Waits for the end of the leader, and says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("its process ended ({status})"),
            Err(fault) => format!("its process cannot be waited for ({fault})"),
        }
    }

    /// Waits until nothing of the group is left.
    pub(super) async fn gone(&mut self) {
        while self.group.lives() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
