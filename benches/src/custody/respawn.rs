//! One gateway whose child is killed again and again: each time all of it goes, and another comes.

use rustix::process::Signal;
use serde::Serialize;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::marked::{self, Marked};
use crate::args::CustodyArgs;
use crate::compare::Process;
use crate::fault::Fault;
use crate::kernel::{Memory, descendants};

/// Quick to come back: what is measured is many deaths.
const HEALTH: &str = "health = { pause = \"1ms\", pause_max = \"5ms\" }\n";
/// The longest wait for the next child.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The gateway is looked at so often in all.
const SAMPLES: u64 = 100;
/// Warden, shell, server and fugitive of the child that runs at the end.
const FAMILY_MAX: usize = 4;

/// What became of the deaths.
#[derive(Debug, Default, Serialize)]
pub(super) struct Respawns {
    pub(super) deaths: u64,
    /// Below the gateway at the end, beyond the one family that runs.
    pub(super) left: u64,
    /// Bytes and open files of the gateway, over time.
    pub(super) memory_bytes: Vec<u64>,
    pub(super) files: Vec<u64>,
    pub(super) seconds: u64,
}

pub(super) async fn respawns(args: &CustodyArgs) -> Result<Respawns, Fault> {
    let folder = tempfile::Builder::new().prefix("benches-").tempdir();
    let folder = folder.map_err(Fault::during("making a folder"))?;
    let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
    // It stands in the environment of the gateway, and so in that of the warden.
    let mark = folder.path().join("mark");
    std::fs::create_dir(&mark).map_err(Fault::during(mark.display()))?;
    let routing = folder.path().join("routing.toml");
    let text = marked::routing(&me, &mark, HEALTH);
    std::fs::write(&routing, text).map_err(Fault::during(routing.display()))?;
    let mut gateway = Process::gateway(args.kept.gateway.as_deref(), &routing, &mark).await?;
    let began = Instant::now();
    let mut all = Respawns::default();
    let every = (args.deaths / SAMPLES).max(1);
    let mut before = 0;
    while all.deaths < args.deaths {
        gateway.still_runs()?;
        let waited = timeout(PATIENCE, family(&mark, before)).await;
        let family = waited.map_err(|late| gateway.blame(Fault(format!("a new child: {late}"))))?;
        let server = family.iter().find(|one| one.is_server() && one.pid != before);
        before = server.map_or(0, |one| one.pid);
        let victim = family.iter().find(|one| match all.deaths % 3 {
            0 => one.pid == before,
            1 => one.is_wrapper(),
            _ => one.command.contains("--warden"),
        });
        if let Some(victim) = victim {
            victim.kill();
        }
        all.deaths += 1;
        if all.deaths.is_multiple_of(every) {
            all.memory_bytes.push(Memory::of(gateway.pid)?.now_bytes);
            let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid));
            all.files.push(files.map_or(0, Iterator::count) as u64);
        }
    }
    // The last one is there whole, and those before are gone.
    let settled = async {
        family(&mark, before).await;
        while descendants(gateway.pid).len() > FAMILY_MAX {
            sleep(LOOK_EVERY).await;
        }
    };
    let _late = timeout(PATIENCE, settled).await;
    all.left = descendants(gateway.pid).len().saturating_sub(FAMILY_MAX) as u64;
    all.seconds = began.elapsed().as_secs();
    marked::signal(gateway.pid, Signal::TERM);
    gateway.stop().await;
    Ok(all)
}

/// Waits for a child whose server is another one than `before`, with all that it starts.
async fn family(mark: &std::path::Path, before: u32) -> Vec<Marked> {
    loop {
        let all = Marked::all(mark);
        let is_new = all.iter().any(|one| one.is_server() && one.pid != before);
        let has = |part: fn(&Marked) -> bool| all.iter().any(part);
        if is_new && has(Marked::is_wrapper) && has(Marked::is_fugitive) {
            return all;
        }
        sleep(LOOK_EVERY).await;
    }
}
