//! One way from the load generator to a child, as processes of its own.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Duration, Instant, sleep};

use super::process::Process;
use super::result::Case;
use crate::args::{Speaks, WayName};
use crate::fault::Fault;
use crate::kernel::{Memory, Spent, Used, descendants};
use crate::load::{Client, Endpoint};

/// Longest wait until `tools/list` shows the tool.
const TOOL_WAIT_MAX: Duration = Duration::from_secs(30);

/// Pause between two looks.
const TOOL_WAIT_STEP: Duration = Duration::from_millis(20);

/// The programs that ways are made of.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) me: PathBuf,
    pub(super) gateway: Option<PathBuf>,
}

/// Running, and its tool was seen in the list.
#[derive(Debug)]
pub(super) struct Way {
    name: WayName,
    pub(super) endpoint: Endpoint,
    pub(super) tool: &'static str,
    /// What calls reach first: the process under test.
    tested: Process,
    /// The child, where we started it ourselves and it is not the process under test.
    child: Option<Process>,
    /// Configuration, state and standard error of the processes.
    _folder: TempDir,
}

/// Processor time of a way at one moment.
#[derive(Debug)]
pub(super) struct WayUsed {
    tested: Used,
    /// By process id: the gateway may run its child below another process.
    children: Vec<(u32, Used)>,
}

impl Way {
    /// # Errors
    /// A program cannot be started or does not show the tool in time.
    pub(super) async fn start(
        name: WayName,
        programs: &Programs,
        case: Case,
    ) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir();
        let folder = folder.map_err(Fault::during("making a folder"))?;
        let at = folder.path();
        let (tested, child) = match name {
            WayName::Direct => (start_child(programs, case, case.era.into(), at).await?, None),
            WayName::Floor => {
                let child = start_child(programs, case, case.era.into(), at).await?;
                let mut command = Command::new(&programs.me);
                command.args(["floor", "--tied", "--to"]).arg(child.endpoint.to_string());
                (Process::start("floor", &mut command, at).await?, Some(child))
            }
            WayName::Gateway => {
                let child = start_child(programs, case, case.child_era, at).await?;
                let mount = format!("url = {}\n", json!(child.endpoint.to_string()));
                (start_gateway(programs, &mount, at).await?, Some(child))
            }
            WayName::GatewayStdio => {
                let (bytes, era) = (case.bytes.to_string(), speaks(case.child_era));
                let args = json!(["child", "--stdio", "--bytes", bytes, "--era", era]);
                let me = json!(programs.me.to_string_lossy());
                let mount = format!("command = {me}\nargs = {args}\n");
                (start_gateway(programs, &mount, at).await?, None)
            }
            WayName::InProcess => (start_embedded(programs, case, &[], at).await?, None),
            WayName::InProcessSdk => (start_embedded(programs, case, &["--sdk"], at).await?, None),
        };
        let endpoint = Endpoint::parse(&tested.endpoint)?;
        let tool = match name {
            WayName::Direct | WayName::Floor => "echo",
            _ => "bench_echo",
        };
        let mut way = Self { name, endpoint, tool, tested, child, _folder: folder };
        way.shows_tool(case).await.map_err(|fault| way.blame(fault))?;
        Ok(way)
    }

    async fn shows_tool(&mut self, case: Case) -> Result<(), Fault> {
        let end = Instant::now() + TOOL_WAIT_MAX;
        loop {
            self.tested.still_runs()?;
            let missing = match self.tools(case).await {
                Ok(tools) if tools.iter().any(|tool| tool == self.tool) => return Ok(()),
                Ok(tools) => format!("expected tool `{}` in the list, got {tools:?}", self.tool),
                Err(fault) => fault.0,
            };
            if Instant::now() >= end {
                return Err(Fault(format!("{missing}, after {} s", TOOL_WAIT_MAX.as_secs())));
            }
            sleep(TOOL_WAIT_STEP).await;
        }
    }

    async fn tools(&self, case: Case) -> Result<Vec<String>, Fault> {
        let mut client = Client::open(&self.endpoint, case.era).await?;
        let tools = client.tools().await;
        client.part().await;
        tools
    }

    /// What people call it.
    pub(super) fn label(&self) -> &'static str {
        self.name.label()
    }

    /// The fault, with the last words of the process under test.
    pub(super) fn blame(&self, fault: Fault) -> Fault {
        self.tested.blame(fault)
    }

    /// Memory of the process under test.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn memory(&self) -> Result<Memory, Fault> {
        Memory::of(self.tested.pid)
    }

    /// # Errors
    /// One of the processes has ended.
    pub(super) fn used(&self) -> Result<WayUsed, Fault> {
        let below = match &self.child {
            Some(child) => vec![child.pid],
            None => descendants(self.tested.pid),
        };
        let mut children = Vec::with_capacity(below.len());
        for pid in below {
            children.push((pid, Used::by(pid)?));
        }
        Ok(WayUsed { tested: Used::by(self.tested.pid)?, children })
    }

    /// Ends its processes, what calls reach first before what stands behind it.
    pub(super) async fn stop(self) {
        self.tested.stop().await;
        if let Some(child) = self.child {
            child.stop().await;
        }
    }
}

impl WayUsed {
    /// What the process under test used since `before`, and what the child behind it used.
    pub(super) fn since(&self, before: &Self) -> (Spent, Spent) {
        let of = |pid: &u32| {
            let found = before.children.iter().find(|(id, _)| id == pid);
            found.map(|(_, used)| used.clone()).unwrap_or_default()
        };
        let spent = self.children.iter().map(|(pid, used)| used.since(&of(pid)));
        (self.tested.since(&before.tested), spent.fold(Spent::default(), Spent::and))
    }
}

impl WayName {
    /// What people call it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Gateway => "gateway",
            Self::GatewayStdio => "gateway-stdio",
            Self::InProcess => "in-process",
            Self::InProcessSdk => "in-process-sdk",
        }
    }
}

async fn start_child(
    programs: &Programs,
    case: Case,
    era: Speaks,
    folder: &Path,
) -> Result<Process, Fault> {
    let mut command = Command::new(&programs.me);
    command.args(["child", "--http", "--tied", "--era", speaks(era)]);
    command.args(["--bytes", &case.bytes.to_string()]);
    Process::start("child", &mut command, folder).await
}

/// The gateway with one mount, `bench`, and everything it may keep in `folder`.
async fn start_gateway(programs: &Programs, mount: &str, folder: &Path) -> Result<Process, Fault> {
    let Some(program) = &programs.gateway else {
        return Err(Fault("no program `gateway`: name it by --gateway".to_owned()));
    };
    let routing = folder.join("routing.toml");
    let text =
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n\n[mounts.bench]\n{mount}");
    std::fs::write(&routing, text).map_err(Fault::during(routing.display()))?;
    let mut command = Command::new(program);
    command.arg("run").arg(&routing);
    Process::start("gateway", kept_in(&mut command, folder), folder).await
}

/// The gateway as a library of this program, with the child in the same process.
async fn start_embedded(
    programs: &Programs,
    case: Case,
    more: &[&str],
    folder: &Path,
) -> Result<Process, Fault> {
    let mut command = Command::new(&programs.me);
    command.args(["embed", "--tied", "--bytes", &case.bytes.to_string()]).args(more);
    Process::start("gateway", kept_in(&mut command, folder), folder).await
}

/// With everything that it may keep in `folder`.
fn kept_in<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    for kept in ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(kept, folder);
    }
    command.current_dir(folder)
}

fn speaks(era: Speaks) -> &'static str {
    match era {
        Speaks::Modern => "modern",
        Speaks::Legacy => "legacy",
        Speaks::Both => "both",
    }
}
