//! A child process: started clean, listened to on all its pipes, ended with all it started.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::custody::{self, Held, Hold};
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
/// How long the last lines of standard error are waited for after the process ended.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);

/// A running process and all that it starts. Dropping it kills them at once.
pub(super) struct Process {
    id: u32,
    hold: Hold,
    end: watch::Receiver<End>,
    closing: CancellationToken,
    _tasks: JoinSet<()>,
}

/// How far the end of a process is.
#[derive(Debug, Clone, Default)]
struct End {
    /// How the process itself ended.
    how: Option<String>,
    /// Nothing that it started is left either.
    gone: bool,
}

/// The ends of a process's pipes.
pub(super) struct Pipes {
    /// What it reads.
    pub(super) stdin: pipe::Sender,
    /// What it writes.
    pub(super) stdout: pipe::Receiver,
}

impl Process {
    /// Starts the command in custody.
    ///
    /// # Errors
    /// [`crate::call::Kind::Unreachable`] with the command's name and what to do.
    pub(super) async fn start(
        settings: &StdioSettings,
        words: Arc<LastWords>,
    ) -> Result<(Self, Pipes), Fault> {
        let fault = |why: io::Error| not_started(settings, &why);
        let (pipes, stderr, theirs) = open_pipes().map_err(fault)?;
        let (hold, held) = custody::start(command(settings), theirs).await.map_err(fault)?;
        let id = held.child();
        tracing::info!(
            target: "child", mount = &*settings.mount, command = settings.command, pid = id,
            "started"
        );
        let (report, end) = watch::channel(End::default());
        let closing = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let watched = Watched { hold: hold.clone(), held, report, closing: closing.clone() };
        tasks.spawn(watched.watch(stderr, settings.mount.clone(), words));
        Ok((Self { id, hold, end, closing, _tasks: tasks }, pipes))
    }

    /// Resolves with how the process ended, once it has.
    pub(super) fn obituary(&self) -> impl Future<Output = String> + Send + use<> {
        let mut end = self.end.clone();
        async move {
            let end = end.wait_for(|end| end.how.is_some()).await;
            let how = end.ok().and_then(|end| end.how.clone());
            how.unwrap_or_else(|| "its process is no longer watched".to_owned())
        }
    }

    /// How the process ended, once it has.
    pub(super) fn how_ended(&self) -> Option<String> {
        self.end.borrow().how.clone()
    }

    /// Waits for the end of the process and all that it started, its input being closed already;
    /// then SIGTERM, then SIGKILL. Returns when nothing is left, or nothing more helps.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.hold.close();
        if self.ends_within(CLOSED_WAIT).await {
            return;
        }
        self.hold.terminate();
        if self.ends_within(TERMINATED_WAIT).await {
            return;
        }
        self.hold.kill();
        if !self.ends_within(KILLED_WAIT).await {
            tracing::warn!(target: "child", pid = self.id, "still there after SIGKILL");
        }
    }

    async fn ends_within(&self, wait: Duration) -> bool {
        let mut end = self.end.clone();
        timeout(wait, end.wait_for(|end| end.gone)).await.is_ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.hold.kill();
    }
}

/// Our ends of a child's pipes, its standard error, and its own three ends.
fn open_pipes() -> io::Result<(Pipes, pipe::Receiver, [OwnedFd; 3])> {
    let (stdin, to_child) = io::pipe()?;
    let (from_child, stdout) = io::pipe()?;
    let (complaints, stderr) = io::pipe()?;
    let pipes = Pipes {
        stdin: pipe::Sender::from_owned_fd(to_child.into())?,
        stdout: pipe::Receiver::from_owned_fd(from_child.into())?,
    };
    let complaints = pipe::Receiver::from_owned_fd(complaints.into())?;
    Ok((pipes, complaints, [stdin.into(), stdout.into(), stderr.into()]))
}

struct Watched {
    hold: Hold,
    held: Held,
    report: watch::Sender<End>,
    closing: CancellationToken,
}

impl Watched {
    /// Waits for the end of the process, reading its standard error all the while.
    async fn watch(mut self, stderr: pipe::Receiver, mount: Arc<str>, words: Arc<LastWords>) {
        let mut listening = JoinSet::new();
        let heard = mount.clone();
        listening.spawn(async move { words.listen(&heard, stderr).await });
        let how = self.held.ended().await;
        tracing::info!(target: "child", mount = &*mount, "{how}");
        if !self.closing.is_cancelled() {
            // Nobody is left who would end what it started.
            self.hold.kill();
        }
        let rest = listening.join_next();
        let _silent = timeout(LAST_WORDS_WAIT, rest).await;
        self.report.send_modify(|end| end.how = Some(how));
        self.held.gone().await;
        self.report.send_modify(|end| end.gone = true);
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
