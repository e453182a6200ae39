//! The commands of `docs/first-child.md`, run one after the other, as the page is followed.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PAGE: &str = include_str!("../docs/first-child.md");
/// The address on the page; the test's gateway has a free port instead.
const PAGE_URL: &str = "http://127.0.0.1:8808/mcp";
/// A cold build of all crates on a slow machine: it only keeps a hang from lasting for ever.
const COMMAND_MAX: Duration = Duration::from_secs(1_800);
/// Variables that cargo sets for this test and that are about its own crate.
const OWN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// A terminal: a folder, and what runs in the background.
struct Walk {
    folder: PathBuf,
    /// `target/debug` of this workspace, where the program `gateway` is.
    built: PathBuf,
    serving: Option<(Child, String)>,
}

impl Walk {
    fn new(folder: &Path) -> Self {
        let test = std::env::current_exe().expect("the path of this test");
        let built = test.parent().and_then(Path::parent).expect("target/debug/deps/first_child-…");
        assert!(
            built.join("gateway").exists(),
            "expected the gateway in {}: run `cargo build --workspace --bins` (or ./test.sh) first",
            built.display()
        );
        Self { folder: folder.to_owned(), built: built.to_owned(), serving: None }
    }

    /// A command of the page as a shell runs it.
    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        // `exec`: the process that is signalled is the program, not a shell around it.
        command.arg("-c").arg(format!("exec {line}")).current_dir(&self.folder);
        for (name, _) in std::env::vars_os() {
            if OWN.iter().any(|own| name.to_string_lossy().starts_with(own)) {
                command.env_remove(name);
            }
        }
        let path = std::env::var("PATH").expect("a PATH");
        command.env("PATH", format!("{}:{path}", self.built.display()));
        // What this workspace has built is not built again, and nothing is fetched.
        command.env("CARGO_TARGET_DIR", self.built.parent().expect("target/"));
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only").env("CARGO_NET_OFFLINE", "true");
        for key in ["LISTEN", "ADMIN"] {
            command.env(format!("GATEWAY_GATEWAY__{key}"), "127.0.0.1:0");
        }
        for name in ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(name, self.folder.join("state"));
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end: what it printed.
    async fn run(&self, line: &str) -> String {
        let line = match &self.serving {
            Some((_, url)) => line.replace(PAGE_URL, url),
            None => line.to_owned(),
        };
        let output = timeout(COMMAND_MAX, self.shell(&line).output()).await;
        let output = output.unwrap_or_else(|_| panic!("`{line}` does not end")).expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{line}`: {}\n{printed}\n{errors}", output.status);
        printed
    }

    /// Starts a command that serves until it is ended, and waits until it says where.
    async fn serve(&mut self, line: &str) {
        let mut child = self.shell(line).stdout(Stdio::piped()).spawn().expect("a shell");
        let output = child.stdout.take().expect("a pipe");
        let said = timeout(COMMAND_MAX, BufReader::new(output).lines().next_line()).await;
        let said = said.unwrap_or_else(|_| panic!("`{line}` does not serve")).expect("a line");
        let said = said.unwrap_or_else(|| panic!("`{line}` ended before it served"));
        let url = said.strip_prefix("serving ").unwrap_or_else(|| panic!("`{line}` said {said}"));
        self.serving = Some((child, url.to_owned()));
    }

    /// Ctrl-C for what serves.
    async fn stop(&mut self) {
        let (mut child, _) = self.serving.take().expect("something serves");
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("a process id"), Signal::INT).expect("it can be signalled");
        let status = timeout(COMMAND_MAX, child.wait()).await.expect("an end").expect("a status");
        assert!(status.success(), "the new gateway ended with {status}");
    }
}

/// The lines of the page's shell blocks, in order.
fn commands() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).collect()
}

#[tokio::test]
async fn every_command_of_the_page_does_what_it_says() {
    let folder = TempDir::with_prefix("gateway-first-child-").expect("a temporary folder");
    let mut walk = Walk::new(folder.path());
    let mut ran = Vec::new();
    for line in commands() {
        match line.split_once(' ') {
            Some(("cd", inside)) => walk.folder.push(inside),
            Some(("cargo", "run")) => walk.serve(line).await,
            _ => ran.push((line, walk.run(line).await)),
        }
    }
    walk.stop().await;

    let printed = |start: &str| {
        let found = ran.iter().find(|(line, _)| line.starts_with(start));
        found.unwrap_or_else(|| panic!("the page has no `{start}`")).1.as_str()
    };
    assert!(printed("gateway new child").contains("has the child `weather`"));
    assert!(printed("cargo test").contains("test result: ok. 3 passed"), "its tests ran");
    assert_eq!(printed("gateway call").trim(), r#"{"text":"Hello, Ada!"}"#);
    assert_eq!(printed("gateway read").trim(), "Hello, Ada!");
    for shown in ["gateway call", "gateway read"] {
        assert!(PAGE.contains(&format!("`{}`", printed(shown).trim())), "as the page says");
    }
}
