//! A gateway in a process of its own: what only the whole program does shows there.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::client::Http;
use crate::start::soon;

/// A running program that serves a gateway; it is killed when this value goes.
pub struct Apart {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    errors: PathBuf,
    /// Where `/mcp` is.
    pub mcp: SocketAddr,
    /// Where the admin endpoints are.
    pub admin: Option<SocketAddr>,
}

impl Apart {
    /// Runs the program `gateway`, which cargo built beside this test, on `file`.
    pub async fn start(file: &Path) -> Self {
        Self::run(&program(), &["run", &file.display().to_string()], file).await
    }

    /// Runs a program that says on standard output where its gateway listens. It works in the
    /// folder of `file`, where its errors are and what it keeps between two runs.
    pub async fn run(program: &Path, args: &[&str], file: &Path) -> Self {
        let folder = file.parent().expect("a folder of the test's own");
        let errors = folder.join("errors.txt");
        let mut child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().append(true).create(true).open(&errors).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|why| panic!("{} does not start: {why}", program.display()));
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let lines = BufReader::new(stdout.expect("a pipe")).lines();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut apart = Self { child, stdin, lines, errors, mcp: nowhere, admin: None };
        apart.mcp = address(&apart.line_with("endpoint").await);
        let file = std::fs::read_to_string(file).unwrap_or_default();
        if file.contains("admin = \"127") {
            apart.admin = Some(address(&apart.line_with("admin").await));
        }
        apart
    }

    /// The next line of its standard output that begins with `word`.
    pub async fn line_with(&mut self, word: &str) -> String {
        loop {
            let line = soon(&format!("a line `{word}…`"), self.lines.next_line()).await;
            match line.expect("text") {
                Some(line) if line.starts_with(word) => return line,
                Some(_) => {}
                None => panic!("it ended before a line `{word}…`:\n{}", self.errors()),
            }
        }
    }

    /// Writes a line to its standard input.
    pub async fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its standard input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// An HTTP client of `/mcp`.
    pub fn http(&self) -> Http {
        Http::new(self.mcp)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("it has ended:\n{}", self.errors()))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("it can be signalled");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        soon("the program's end", self.child.wait()).await.expect("a status")
    }

    /// What it wrote to standard error.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

fn address(line: &str) -> SocketAddr {
    let after = line.split_once("http://").map_or("", |(_, after)| after);
    let place = after.split('/').next().unwrap_or_default();
    place.parse().unwrap_or_else(|why| panic!("expected an address in {line:?}: {why}"))
}

/// The program that cargo built beside this test.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().and_then(Path::parent).expect("target/debug/deps/suite-…");
    let program = folder.join(format!("gateway{}", std::env::consts::EXE_SUFFIX));
    let found = program.exists();
    assert!(found, "no {}: run `cargo build --workspace --bins` first", program.display());
    program
}
