//! A process that the comparison started: it says where it listens, and it never outlives us.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use http::Uri;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use crate::fault::Fault;

/// Longest wait for the line that names the endpoint.
const ENDPOINT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Most lines read while waiting for it.
const ENDPOINT_LINES_MAX: usize = 1_000;

/// How much of the standard error of a process a fault shows, in bytes.
const STDERR_SHOWN_BYTES: usize = 2_000;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    label: &'static str,
    child: Child,
    stderr: PathBuf,
    pub(crate) pid: u32,
    pub(crate) endpoint: Uri,
    /// Reads what it prints, so that it never waits for a reader.
    _drain: JoinSet<()>,
}

impl Process {
    /// Starts `command` and waits for its line `endpoint   URL`. Standard error goes to a file in
    /// `folder`; standard input is held open until the process is stopped.
    ///
    /// # Errors
    /// The program cannot be started, ends, or names no endpoint in time.
    pub(crate) async fn start(
        label: &'static str,
        command: &mut Command,
        folder: &Path,
    ) -> Result<Self, Fault> {
        let stderr = folder.join(format!("{label}.stderr"));
        let file = File::create(&stderr).map_err(Fault::during(stderr.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .map_err(Fault::during(format_args!("starting {label}")))?;
        let (Some(pid), Some(stdout)) = (child.id(), child.stdout.take()) else {
            return Err(Fault(format!("starting {label}: it ended at once")));
        };
        let mut lines = BufReader::new(stdout).lines();
        let waited = timeout(ENDPOINT_WAIT_MAX, find_endpoint(&mut lines)).await;
        let found = waited.unwrap_or_else(|late| Err(Fault(late.to_string())));
        let endpoint = found.map_err(|fault| blame(label, &stderr, fault))?;
        let mut drain = JoinSet::new();
        drain.spawn(async move { while let Ok(Some(_line)) = lines.next_line().await {} });
        Ok(Self { label, child, stderr, pid, endpoint, _drain: drain })
    }

    /// Starts the program `gateway`, the one beside this program unless another is given. What it
    /// keeps is in `folder`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) async fn gateway(
        program: Option<&Path>,
        routing: &Path,
        folder: &Path,
    ) -> Result<Self, Fault> {
        let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
        let program = program.map_or_else(|| me.with_file_name("gateway"), Path::to_owned);
        let mut command = Command::new(program);
        command.arg("run").arg(routing).current_dir(folder);
        for kept in ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(kept, folder);
        }
        Self::start("gateway", &mut command, folder).await
    }

    /// The fault, with the last words of this process.
    pub(crate) fn blame(&self, fault: Fault) -> Fault {
        blame(self.label, &self.stderr, fault)
    }

    /// # Errors
    /// The process has ended.
    pub(crate) fn still_runs(&mut self) -> Result<(), Fault> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.blame(Fault(format!("{} ended: {status}", self.label)))),
            Err(fault) => Err(Fault(format!("asking for {}: {fault}", self.label))),
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill().await;
    }
}

async fn find_endpoint(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Uri, Fault> {
    for _ in 0..ENDPOINT_LINES_MAX {
        let line = lines.next_line().await.map_err(Fault::during("standard output"))?;
        let Some(line) = line else { break };
        let mut words = line.split_whitespace();
        if let (Some("endpoint"), Some(url)) = (words.next(), words.next()) {
            return url.parse().map_err(Fault::during(format_args!("endpoint `{url}`")));
        }
    }
    Err(Fault("expected a line `endpoint   URL` on standard output, got none".to_owned()))
}

fn blame(label: &str, stderr: &Path, fault: Fault) -> Fault {
    let said = std::fs::read(stderr).unwrap_or_default();
    let last = said.get(said.len().saturating_sub(STDERR_SHOWN_BYTES)..).unwrap_or_default();
    let last = String::from_utf8_lossy(last);
    if last.trim().is_empty() {
        return Fault(format!("{label}: {fault}"));
    }
    Fault(format!("{label}: {fault}\nits standard error ends with:\n{last}"))
}
