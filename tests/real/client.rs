//! The official clients: each plays a plan against a server and reports what it saw.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::fixture::Fixture;
use crate::process::tail;
use crate::programs::{Program, Venv, node_22, python, script};
use crate::report::Report;
use crate::rmcp_client;

/// A plan has some hundred steps of milliseconds; a loaded machine may take minutes to start them.
const RUN_MAX: Duration = Duration::from_secs(240);

/// An official SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// `@modelcontextprotocol/sdk` 1.x
    Ts1,
    /// `@modelcontextprotocol/client` 2.x
    Ts2,
    /// `mcp` 1.x of PyPI
    Py1,
    /// `mcp` 2.x of PyPI
    Py2,
    /// `fastmcp` 4.x
    FastMcp,
    /// `rmcp` 3.x
    Rmcp,
}

/// What both sides are to speak; every client is pinned to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// What a client connects to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Url(String),
    /// Over another transport than Streamable HTTP on TCP.
    Over(Way, String),
    Spawned(Program),
}

/// The transports of which no revision, or only the oldest one, tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// HTTP+SSE of 2024-11-05.
    Sse,
    WebSocket,
    /// Streamable HTTP on this Unix socket.
    Socket(PathBuf),
}

impl Way {
    /// What tells a client script to take it.
    fn flags(&self) -> Vec<OsString> {
        match self {
            Self::Sse => vec!["--transport".into(), "sse".into()],
            Self::WebSocket => vec!["--transport".into(), "websocket".into()],
            Self::Socket(path) => vec!["--socket".into(), path.into()],
        }
    }
}

impl Era {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }

    /// The version that a client of this era agrees on with a server that speaks all.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

impl Client {
    /// Every client in every era that it speaks.
    pub(crate) const ALL: [(Self, Era); 10] = [
        (Self::Ts1, Era::Legacy),
        (Self::Ts2, Era::Legacy),
        (Self::Ts2, Era::Modern),
        (Self::Py1, Era::Legacy),
        (Self::Py2, Era::Legacy),
        (Self::Py2, Era::Modern),
        (Self::FastMcp, Era::Legacy),
        (Self::FastMcp, Era::Modern),
        (Self::Rmcp, Era::Legacy),
        (Self::Rmcp, Era::Modern),
    ];

    /// Plays `plan` and reports every step; fails if the client does not come to its end.
    pub(crate) async fn play(
        self,
        era: Era,
        target: &Target,
        plan: &Value,
        fixture: &Fixture,
    ) -> Report {
        let lines = match self.command(target) {
            Some(command) => spawned(command, era, target, plan, fixture).await,
            None => {
                let played = rmcp_client::play(era, target, plan);
                let lines = timeout(RUN_MAX, played).await;
                lines.unwrap_or_else(|_| panic!("rmcp did not end its plan within {RUN_MAX:?}"))
            }
        };
        let report = Report::parse(lines, &fixture.path().display().to_string());
        report.step("close");
        report
    }

    /// The command of a client that is a script; `rmcp` runs inside this test.
    fn command(self, target: &Target) -> Option<Program> {
        let program = match self {
            // Its WebSocket is that of the language, which Node has since 22.
            Self::Ts1 if matches!(target, Target::Over(Way::WebSocket, _)) => {
                Program::new(node_22(), &[&script("js/ts1.mjs")])
            }
            Self::Ts1 => Program::new("node", &[&script("js/ts1.mjs")]),
            Self::Ts2 => Program::new("node", &[&script("js/ts2.mjs")]),
            Self::Py1 => Program::new(python(Venv::Mcp1, "python"), &[&script("python/py1.py")]),
            Self::Py2 => Program::new(python(Venv::Mcp2, "python"), &[&script("python/py2.py")]),
            Self::FastMcp => {
                Program::new(python(Venv::FastMcp, "python"), &[&script("python/fast.py")])
            }
            Self::Rmcp => return None,
        };
        Some(program)
    }
}

/// Runs a client script to its end; its lines.
async fn spawned(
    program: Program,
    era: Era,
    target: &Target,
    plan: &Value,
    fixture: &Fixture,
) -> Vec<String> {
    let folder = tempfile::tempdir_in(fixture.path()).expect("a folder for this run");
    let plan_file = folder.path().join("plan.json");
    std::fs::write(&plan_file, plan.to_string()).expect("a file for the plan");
    let errors = folder.path().join("errors.txt");
    let log = std::fs::File::create(&errors).expect("a file for standard error");

    let mut command = Command::new(&program.command);
    command.args(&program.args).args(["--era", era.name(), "--plan"]).arg(&plan_file);
    match target {
        Target::Url(url) => {
            command.args(["--url", url]);
        }
        Target::Over(way, url) => {
            command.args(["--url", url]).args(way.flags());
        }
        Target::Spawned(server) => {
            command.arg("--command").arg(&server.command).envs(&server.env);
            command.args(server.args.iter().map(|arg| format!("--arg={arg}")));
        }
    }
    command.stdin(Stdio::null()).stderr(log).kill_on_drop(true);
    let Ok(output) = timeout(RUN_MAX, command.output()).await else {
        panic!("{program:?} did not end its plan within {RUN_MAX:?}\n{}", tail(&errors));
    };
    let output = output.unwrap_or_else(|error| panic!("{program:?} does not start: {error}"));
    let text = String::from_utf8(output.stdout).expect("clients write UTF-8");
    assert!(
        output.status.success(),
        "{program:?} ended with {}\n{}\n{}",
        output.status,
        text.lines()
            .map(|line| line.chars().take(200).collect::<String>() + "\n")
            .collect::<String>(),
        tail(&errors)
    );
    text.lines().map(str::to_owned).collect()
}
