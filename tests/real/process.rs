//! Spawned programs: their output by lines, their errors in a file, their end with the test.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::programs::Program;

/// Far above what a loaded machine needs: it only keeps a hang from lasting for ever.
const LINE_WAIT_MAX: Duration = Duration::from_secs(90);
/// How much of a program's standard error a failure shows.
const ERRORS_SHOWN_MAX: usize = 6_000;

/// A running program; it is killed when this value goes.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: PathBuf,
}

impl Running {
    /// Starts `program`, its standard error into the file `errors`.
    pub(crate) fn start(program: &Program, errors: &Path) -> Self {
        let name = program.command.display().to_string();
        let log = std::fs::File::create(errors).expect("a file for standard error");
        let mut child = Command::new(&program.command)
            .args(&program.args)
            .envs(&program.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = child.stdout.take().expect("standard output is piped");
        let lines = BufReader::new(stdout).lines();
        Self { name, child, lines, errors: errors.to_owned() }
    }

    /// The process id, while it runs.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("{} has ended\n{}", self.name, self.errors()))
    }

    /// The next line of standard output, `None` at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        match timeout(LINE_WAIT_MAX, self.lines.next_line()).await {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => panic!("{}: {error}\n{}", self.name, self.errors()),
            Err(_) => panic!("{} says nothing\n{}", self.name, self.errors()),
        }
    }

    /// What follows `word` on the first line that begins with it.
    pub(crate) async fn line_after(&mut self, word: &str) -> String {
        let mut before = String::new();
        while let Some(line) = self.line().await {
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
            before.push_str(&line);
            before.push('\n');
        }
        panic!("{} ended before a line `{word}…`:\n{before}{}", self.name, self.errors());
    }

    /// Waits for the program's own end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match timeout(LINE_WAIT_MAX, self.child.wait()).await {
            Ok(status) => status.expect("an exit status"),
            Err(_) => panic!("{} does not end\n{}", self.name, self.errors()),
        }
    }

    /// The end of what it wrote to standard error, for a failure's text.
    pub(crate) fn errors(&self) -> String {
        tail(&self.errors)
    }
}

/// The last part of a file of errors.
pub(crate) fn tail(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    let from = bytes.len().saturating_sub(ERRORS_SHOWN_MAX);
    format!("its standard error:\n{}", String::from_utf8_lossy(bytes.get(from..).unwrap_or(&[])))
}
