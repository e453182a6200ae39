//! The gateway of a soak and its children: processes of its own, and remote ones that we start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::callers::STEADY;
use crate::args::SoakArgs;
use crate::compare::Process;
use crate::fault::Fault;
use crate::kernel::descendants;
use crate::load::Endpoint;

/// Quick to come back: the soak is to see many deaths.
const HEALTH: &str = "health = { pause = \"50ms\", pause_max = \"500ms\", \
    probe_every = \"500ms\", dials_per_hour = 100000 }\n";

/// Everything that runs.
pub(super) struct Scene {
    pub(super) endpoint: Endpoint,
    gateway: Process,
    /// The replicas of `remote`: killed and started anew at the same address.
    remote: Vec<Process>,
    steady: Process,
    me: PathBuf,
    folder: TempDir,
    deaths: u64,
}

impl Scene {
    pub(super) async fn start(args: &SoakArgs) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir();
        let folder = folder.map_err(Fault::during("making a folder"))?;
        let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut remote = Vec::new();
        for _ in 0..2 {
            remote.push(start_child(&me, folder.path(), anywhere).await?);
        }
        let steady = start_child(&me, folder.path(), anywhere).await?;
        let routing = folder.path().join("routing.toml");
        let text = routing_text(&me, &ledger(folder.path()), &remote, &steady);
        std::fs::write(&routing, text).map_err(Fault::during(routing.display()))?;
        let program = args.kept.gateway.as_deref();
        let gateway = Process::gateway(program, &routing, folder.path()).await?;
        let endpoint = Endpoint::parse(&gateway.endpoint)?;
        let scene = Self { endpoint, gateway, remote, steady, me, folder, deaths: 0 };
        super::callers::until_all_answer(&scene.endpoint, "first").await;
        Ok(scene)
    }

    pub(super) fn gateway_pid(&self) -> u32 {
        self.gateway.pid
    }

    /// # Errors
    /// The gateway or the child that nobody kills has ended.
    pub(super) fn still_runs(&mut self) -> Result<(), Fault> {
        self.gateway.still_runs()?;
        self.steady.still_runs()
    }

    /// Kills one child by chance, as `kill -9` does; whether one was there.
    pub(super) async fn kill_one(&mut self) -> Result<bool, Fault> {
        self.deaths += 1;
        // Every fourth death is that of a remote child, which comes back at its address.
        if self.deaths.is_multiple_of(4) {
            let place = rand::random_range(0..self.remote.len());
            let address = self.remote[place].endpoint.authority().map(ToString::to_string);
            let address = address.unwrap_or_default().parse();
            let address: SocketAddr = address.map_err(Fault::during("an address"))?;
            let victim = self.remote.remove(place);
            victim.stop().await;
            let again = start_child(&self.me, self.folder.path(), address).await?;
            self.remote.insert(place, again);
            return Ok(true);
        }
        let below: Vec<u32> =
            descendants(self.gateway.pid).into_iter().filter(|pid| is_child(*pid)).collect();
        if below.is_empty() {
            return Ok(false);
        }
        let victim = below[rand::random_range(0..below.len())];
        let pid = i32::try_from(victim).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        Ok(pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()))
    }

    /// The keys of all calls that any child executed, as often as it did.
    pub(super) fn executed(&self) -> Result<Vec<String>, Fault> {
        let path = ledger(self.folder.path());
        let text = std::fs::read_to_string(&path).map_err(Fault::during(path.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    pub(super) async fn stop(self) {
        self.gateway.stop().await;
        for child in self.remote {
            child.stop().await;
        }
        self.steady.stop().await;
    }
}

/// Whether this process is a child itself, rather than what watches over one.
fn is_child(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    words.get(1..3) == Some(&[b"child".as_slice(), b"--stdio"])
}

fn ledger(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

async fn start_child(me: &Path, folder: &Path, at: SocketAddr) -> Result<Process, Fault> {
    let mut command = Command::new(me);
    command.args(["child", "--http", "--tied", "--listen", &at.to_string(), "--ledger"]);
    command.arg(ledger(folder));
    Process::start("child", &mut command, folder).await
}

fn routing_text(me: &Path, ledger: &Path, remote: &[Process], steady: &Process) -> String {
    let me = json!(me.to_string_lossy());
    let process = |era: &str| {
        let ledger = ledger.to_string_lossy();
        let args = json!(["child", "--stdio", "--era", era, "--ledger", ledger]);
        format!("command = {me}\nargs = {args}\n{HEALTH}")
    };
    let urls: Vec<String> = remote.iter().map(|child| child.endpoint.to_string()).collect();
    let (urls, steady) = (json!(urls), json!(steady.endpoint.to_string()));
    let (piped, lone) = (process("modern"), process("legacy"));
    format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n\n\
         [mounts.piped]\n{piped}copies = 2\n\n[mounts.lone]\n{lone}\n\
         [mounts.remote]\nreplicas = {urls}\n{HEALTH}\n[mounts.{STEADY}]\nurl = {steady}\n"
    )
}
