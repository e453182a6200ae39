//! A child process: started clean, listened to on all its pipes, ended with all it started.

use std::future::Future;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stdio::StdioSettings;
use super::unreachable::unreachable;
use super::wire::LastWords;
use crate::call::Fault;

/// What a child gets of the gateway's own environment: enough to find programs, its home and its
/// language. Everything else, secrets above all, only if `env` of the mount gives it (check 204).
const ENVIRONMENT_INHERITED: [&str; 9] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TERM", "SHELL", "TMPDIR", "TZ"];

/// How long a child may take to end by itself after its input is closed.
const CLOSED_WAIT: Duration = Duration::from_secs(2);
/// How long it may take after SIGTERM.
const TERMINATED_WAIT: Duration = Duration::from_secs(3);
/// How long the kernel may take after SIGKILL.
const KILLED_WAIT: Duration = Duration::from_secs(1);
/// How often a group is looked at while its end is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the last lines of standard error are waited for after the process ended.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);

/// A running process and its group. Dropping it kills the group at once.
pub(super) struct Process {
    group: Group,
    ended: watch::Receiver<Option<String>>,
    closing: CancellationToken,
    _tasks: JoinSet<()>,
}

/// The ends of a process's pipes.
pub(super) struct Pipes {
    /// What it reads.
    pub(super) stdin: ChildStdin,
    /// What it writes.
    pub(super) stdout: ChildStdout,
}

impl Process {
    /// Starts the command in a group of its own.
    ///
    /// # Errors
    /// [`crate::call::Kind::Unreachable`] with the command's name and what to do.
    pub(super) fn start(
        settings: &StdioSettings,
        words: Arc<LastWords>,
    ) -> Result<(Self, Pipes), Fault> {
        let mut child = command(settings).spawn().map_err(|why| not_started(settings, &why))?;
        tracing::info!(
            target: "child", mount = &*settings.mount, command = settings.command,
            pid = child.id(), "started"
        );
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(pid), (Some(stdin), Some(stdout), Some(stderr))) = (pid, pipes) else {
            return Err(unreachable(&settings.mount, "it ended while it was started"));
        };
        let group = Group { leader: pid, gone: Arc::default() };
        let (report, ended) = watch::channel(None);
        let closing = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let watched = Watched { group: group.clone(), report, closing: closing.clone() };
        tasks.spawn(watched.watch(child, stderr, settings.mount.clone(), words));
        Ok((Self { group, ended, closing, _tasks: tasks }, Pipes { stdin, stdout }))
    }

    /// Resolves with how the process ended, once it has.
    pub(super) fn obituary(&self) -> impl Future<Output = String> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            why.unwrap_or_else(|| "its process is no longer watched".to_owned())
        }
    }

    /// How the process ended, once it has.
    pub(super) fn how_ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits for the end of the process and its group, its input being closed already; then
    /// SIGTERM, then SIGKILL. Returns when nothing of the group is left, or nothing more helps.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        if self.ends_within(CLOSED_WAIT).await {
            return;
        }
        self.group.signal(Signal::TERM);
        if self.ends_within(TERMINATED_WAIT).await {
            return;
        }
        self.group.signal(Signal::KILL);
        if !self.ends_within(KILLED_WAIT).await {
            let group = self.group.leader.as_raw_pid();
            tracing::warn!(target: "child", group, "still there after SIGKILL");
        }
    }

    async fn ends_within(&self, wait: Duration) -> bool {
        let end = async {
            self.obituary().await;
            while self.group.lives() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(wait, end).await.is_ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

/// A process group. Its number belongs to it for as long as one of its processes lives.
#[derive(Clone)]
struct Group {
    leader: Pid,
    /// Seen empty: the number may be another's by now.
    gone: Arc<AtomicBool>,
}

impl Group {
    fn lives(&self) -> bool {
        if self.gone.load(Ordering::Relaxed) {
            return false;
        }
        let lives = test_kill_process_group(self.leader) != Err(rustix::io::Errno::SRCH);
        self.gone.store(!lives, Ordering::Relaxed);
        lives
    }

    fn signal(&self, signal: Signal) {
        if self.lives() {
            // It may end between the look and the signal, which is what the signal is for.
            let _ended = kill_process_group(self.leader, signal);
        }
    }
}

struct Watched {
    group: Group,
    report: watch::Sender<Option<String>>,
    closing: CancellationToken,
}

impl Watched {
    /// Waits for the end of the process, reading its standard error all the while.
    async fn watch(
        self,
        mut child: Child,
        stderr: ChildStderr,
        mount: Arc<str>,
        words: Arc<LastWords>,
    ) {
        let mut listening = JoinSet::new();
        let heard = mount.clone();
        listening.spawn(async move { words.listen(&heard, stderr).await });
        let how = match child.wait().await {
            Ok(status) => format!("its process ended ({status})"),
            Err(fault) => format!("its process cannot be waited for ({fault})"),
        };
        tracing::info!(target: "child", mount = &*mount, "{how}");
        if !self.closing.is_cancelled() {
            // Nobody is left who would end what it started.
            self.group.signal(Signal::KILL);
        }
        let rest = listening.join_next();
        let _silent = tokio::time::timeout(LAST_WORDS_WAIT, rest).await;
        self.report.send_replace(Some(how));
        // A straggler of an orderly end may still write.
        listening.join_next().await;
    }
}

fn command(settings: &StdioSettings) -> Command {
    let mut command = Command::new(&settings.command);
    command.args(&settings.args).env_clear();
    let inherited = ENVIRONMENT_INHERITED.iter();
    command.envs(inherited.filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(settings.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &settings.cwd {
        command.current_dir(folder);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    command
}

fn not_started(settings: &StdioSettings, why: &io::Error) -> Fault {
    let command = &settings.command;
    let folder = settings.cwd.as_ref().filter(|folder| !folder.is_dir());
    let text = match (folder, why.kind()) {
        (Some(folder), _) => {
            format!("its folder `{}` is not there: correct `cwd`", folder.display())
        }
        (None, io::ErrorKind::NotFound) => {
            format!("no program `{command}` is found: install it or give its path in `command`")
        }
        (None, io::ErrorKind::PermissionDenied) => {
            format!("`{command}` may not be run: make it executable or correct `command`")
        }
        _ => format!("`{command}` does not start: {why}"),
    };
    unreachable(&settings.mount, &text).with_log(format!("{why}; PATH is that of the gateway"))
}
