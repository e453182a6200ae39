//! The gateway under test: its file of mounts, its process, its two ways in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Target;
use crate::fixture::Fixture;
use crate::process::Running;
use crate::programs::Program;

/// What a mount is made of.
pub(crate) enum Source {
    Command(Program),
    /// A command, pinned to an era.
    Pinned(Program, &'static str),
    Url(String),
    /// A URL, pinned to an era.
    PinnedUrl(String, &'static str),
    InProcess(&'static str),
    /// Compiled in, with options.
    WithOptions(&'static str, Value),
}

/// A running gateway that listens on a free port.
pub(crate) struct Gateway {
    running: Running,
    url: String,
}

impl Gateway {
    /// Starts the gateway on `mounts` and waits until it says where it listens.
    pub(crate) async fn start(fixture: &Fixture, mounts: &[(&str, Source)]) -> Self {
        Self::start_with(fixture, &routing(fixture, mounts)).await
    }

    /// Starts it with other lines at the beginning of the file, in `[gateway]`.
    pub(crate) async fn start_fronted(
        fixture: &Fixture,
        front: &str,
        mounts: &[(&str, Source)],
    ) -> Self {
        let text = format!("[gateway]\nadmin = \"127.0.0.1:0\"\n{front}\n");
        Self::start_with(fixture, &(text + &children(fixture, mounts))).await
    }

    async fn start_with(fixture: &Fixture, routing: &str) -> Self {
        let file = fixture.write("routing.toml", routing);
        let program = program(fixture, &["run", &file.display().to_string()]);
        let mut running = Running::start(&program, &fixture.path().join("gateway.txt"));
        let url = running.line_after("endpoint").await;
        let local = url.starts_with("http://127.0.0.1:") || url.starts_with("unix:");
        assert!(local, "an endpoint on this machine alone: {url}");
        Self { running, url }
    }

    /// Starts it with one child without a prefix, pinned to an era.
    pub(crate) async fn start_bare(fixture: &Fixture, source: Source, era: &str) -> Self {
        let mut text = routing(fixture, &[("child", source)]);
        text.push_str(&format!("prefix = \"\"\nera = \"{era}\"\n"));
        Self::start_with(fixture, &text).await
    }

    /// The address of the merged endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where all mounts are merged.
    pub(crate) fn merged(&self) -> Target {
        Target::Url(self.url.clone())
    }

    /// Where one mount is served under its own names.
    pub(crate) fn mount(&self, prefix: &str) -> Target {
        Target::Url(format!("{}/{prefix}", self.url))
    }

    /// The gateway's process.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// Sends a signal and waits for the end; whether the program called it a success.
    pub(crate) async fn end(mut self, signal: Signal) -> bool {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("the gateway can be signalled");
        let status = self.running.ended().await;
        assert!(
            signal == Signal::KILL || status.success(),
            "the gateway ended with {status}\n{}",
            self.running.errors()
        );
        status.success()
    }

    /// Ends it as a service manager would, and makes sure that nothing of it is left.
    pub(crate) async fn stop(self, fixture: &Fixture) {
        self.end(Signal::TERM).await;
        fixture.assert_quiet().await;
    }
}

/// A gateway that a client starts for itself and speaks to over standard input and output.
pub(crate) fn on_stdio(fixture: &Fixture, mounts: &[(&str, Source)]) -> Target {
    let file = fixture.write("routing.toml", &routing(fixture, mounts));
    Target::Spawned(program(fixture, &["run", &file.display().to_string(), "--stdio"]))
}

fn program(fixture: &Fixture, args: &[&str]) -> Program {
    // What the gateway keeps on disk stays within the test, and so do signs of who started what.
    let state = fixture.path().join("state").display().to_string();
    ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"]
        .iter()
        .fold(Program::new(binary(), args), |program, name| program.env(name, &state))
}

/// The program that cargo built beside this test.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().and_then(Path::parent).expect("target/debug/deps/real-…");
    let binary = folder.join(format!("gateway{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.exists(),
        "expected the gateway at {}, found nothing: run `cargo build -p gateway` (or ./test.sh) first",
        binary.display()
    );
    binary
}

/// A file of mounts. JSON's strings and arrays of strings are TOML too.
fn routing(fixture: &Fixture, mounts: &[(&str, Source)]) -> String {
    let front = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
    front.to_owned() + &children(fixture, mounts)
}

/// The part of it that is about the mounts.
fn children(fixture: &Fixture, mounts: &[(&str, Source)]) -> String {
    let mut text = String::new();
    for (prefix, source) in mounts {
        text.push_str(&format!("\n[mounts.{prefix}]\n"));
        text.push_str(&match source {
            Source::InProcess(name) => format!("in_process = {}\n", json!(name)),
            Source::WithOptions(name, options) => {
                let options = options.as_object().into_iter().flatten();
                let options: Vec<String> =
                    options.map(|(name, value)| format!("{name} = {value}")).collect();
                format!("in_process = {}\noptions = {{ {} }}\n", json!(name), options.join(", "))
            }
            Source::Url(url) => format!("url = {}\n", json!(url)),
            Source::PinnedUrl(url, era) => {
                format!("url = {}\nera = {}\n", json!(url), json!(era))
            }
            Source::Command(program) => command(program, fixture),
            Source::Pinned(program, era) => {
                format!("{}era = {}\n", command(program, fixture), json!(era))
            }
        });
    }
    text
}

fn command(program: &Program, fixture: &Fixture) -> String {
    let mut env: BTreeMap<&str, String> =
        program.env.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    env.insert(Fixture::MARK, fixture.path().display().to_string());
    let env: Vec<String> =
        env.iter().map(|(name, value)| format!("{name} = {}", json!(value))).collect();
    format!(
        "command = {}\nargs = {}\nenv = {{ {} }}\n",
        json!(program.command),
        json!(program.args),
        env.join(", ")
    )
}
