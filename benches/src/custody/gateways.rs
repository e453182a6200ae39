//! Gateways that are started and killed, in order or not, when all is there or in the middle of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde::Serialize;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::marked::{self, Marked};
use crate::args::CustodyArgs;
use crate::fault::Fault;

/// The longest wait for anything that comes by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may be there after the gateway has ended; what is there then survived.
const GONE_WAIT: Duration = Duration::from_secs(20);
/// How often the processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A gateway that is killed in the middle of its start gets so many milliseconds at most.
const EARLY_MS_MAX: u64 = 150;

/// What became of the cycles.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cycles {
    pub(super) cycles: u64,
    /// Ended by SIGTERM, by `kill -9`.
    pub(super) terminated: u64,
    pub(super) killed: u64,
    /// Of both, those in the middle of their start.
    pub(super) early: u64,
    /// Processes that were there when the gateway got its signal.
    pub(super) processes: u64,
    pub(super) survivors: u64,
    pub(super) survivors_first: Vec<String>,
    /// SIGTERM when all was there, and another end than exit code 0.
    pub(super) badly_ended: u64,
    /// From the signal to nothing left, in milliseconds: half of them, and the longest.
    pub(super) gone_ms_p50: u64,
    pub(super) gone_ms_max: u64,
    pub(super) seconds: u64,
    #[serde(skip)]
    gone_ms: Vec<u64>,
}

/// One start and its end.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    number: u64,
    signal: Signal,
    early: bool,
}

impl Cycle {
    fn of(number: u64) -> Self {
        let signal = if number.is_multiple_of(2) { Signal::TERM } else { Signal::KILL };
        // Of each four two pairs; every second pair is early.
        Self { number, signal, early: number % 4 >= 2 }
    }
}

struct Ended {
    cycle: Cycle,
    processes: u64,
    survivors: Vec<String>,
    well: bool,
    gone_ms: u64,
}

pub(super) async fn cycles(args: &CustodyArgs) -> Result<Cycles, Fault> {
    let folder = tempfile::Builder::new().prefix("benches-").tempdir();
    let folder = folder.map_err(Fault::during("making a folder"))?;
    let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
    let gateway = args.kept.gateway.clone().unwrap_or_else(|| me.with_file_name("gateway"));
    let began = Instant::now();
    let mut all = Cycles::default();
    let mut running = JoinSet::new();
    for number in 0..args.cycles {
        if running.len() as u64 == args.at_once {
            all.add(joined(running.join_next().await)?);
        }
        let place = folder.path().join(format!("cycle-{number}"));
        running.spawn(cycle(Cycle::of(number), gateway.clone(), me.clone(), place));
    }
    while let Some(ended) = running.join_next().await {
        all.add(joined(Some(ended))?);
    }
    all.gone_ms.sort_unstable();
    all.gone_ms_p50 = all.gone_ms.get(all.gone_ms.len() / 2).copied().unwrap_or(0);
    all.gone_ms_max = all.gone_ms.last().copied().unwrap_or(0);
    all.seconds = began.elapsed().as_secs();
    Ok(all)
}

fn joined(
    ended: Option<Result<Result<Ended, Fault>, tokio::task::JoinError>>,
) -> Result<Ended, Fault> {
    let ended = ended.ok_or_else(|| Fault("no cycle is running".to_owned()))?;
    ended.map_err(Fault::during("a cycle"))?
}

impl Cycles {
    fn add(&mut self, ended: Ended) {
        let Ended { cycle, processes, survivors, well, gone_ms } = ended;
        self.cycles += 1;
        self.terminated += u64::from(cycle.signal == Signal::TERM);
        self.killed += u64::from(cycle.signal == Signal::KILL);
        self.early += u64::from(cycle.early);
        self.processes += processes;
        self.survivors += survivors.len() as u64;
        self.survivors_first.extend(survivors);
        self.survivors_first.truncate(5);
        self.badly_ended += u64::from(!well);
        self.gone_ms.push(gone_ms);
    }
}

async fn cycle(
    cycle: Cycle,
    gateway: PathBuf,
    me: PathBuf,
    place: PathBuf,
) -> Result<Ended, Fault> {
    std::fs::create_dir_all(&place).map_err(Fault::during(place.display()))?;
    let routing = place.join("routing.toml");
    let text = marked::routing(&me, &place, "");
    std::fs::write(&routing, text).map_err(Fault::during(routing.display()))?;
    let errors = place.join("errors");
    let errors = std::fs::File::create(&errors).map_err(Fault::during(errors.display()))?;
    let mut child = Command::new(&gateway)
        .arg("run")
        .arg(&routing)
        .env("XDG_STATE_HOME", &place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(Fault::during(format_args!("starting {}", gateway.display())))?;
    let pid = child.id().ok_or_else(|| Fault("the gateway ended at once".to_owned()))?;
    if cycle.early {
        sleep(Duration::from_millis(rand::random_range(0..EARLY_MS_MAX))).await;
    } else {
        let there = until(|| {
            let all = Marked::all(&place);
            all.iter().any(Marked::is_fugitive) && all.iter().any(Marked::is_server)
        });
        let waited = timeout(PATIENCE, there).await;
        waited.map_err(Fault::during(format_args!("cycle {}: its children", cycle.number)))?;
    }
    let processes = Marked::all(&place).len() as u64;
    let began = Instant::now();
    marked::signal(pid, cycle.signal);
    let status = timeout(PATIENCE, child.wait()).await;
    let status = status.map_err(Fault::during(format_args!("cycle {}: its end", cycle.number)))?;
    let status = status.map_err(Fault::during("waiting for a gateway"))?;
    let gone = timeout(GONE_WAIT, until(|| Marked::all(&place).is_empty())).await;
    let survivors = match gone {
        Ok(()) => Vec::new(),
        Err(_) => Marked::all(&place).into_iter().map(|one| one.command).collect(),
    };
    let well = cycle.early || cycle.signal == Signal::KILL || status.success();
    let gone_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    forget(&place);
    Ok(Ended { cycle, processes, survivors, well, gone_ms })
}

/// A thousand folders need not wait for the end.
fn forget(place: &Path) {
    let _left = std::fs::remove_dir_all(place);
}

async fn until(such: impl Fn() -> bool) {
    while !such() {
        sleep(LOOK_EVERY).await;
    }
}
