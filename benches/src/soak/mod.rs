//! A soak: mixed calls at load while children die at random; nothing is lost that was promised.

mod callers;
mod scene;
mod verdict;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::args::SoakArgs;
use crate::compare::keep_as;
use crate::fault::Fault;
use crate::kernel::Memory;
use crate::say;
use callers::{Caller, Tally};
use scene::Scene;
use verdict::{Sample, Verdict};

/// How long the mounts may take to be back after the last death.
const BACK_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often memory and open files are looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Runs the soak, prints what came of it and keeps the figures.
///
/// # Errors
/// A program cannot be started, or a promise was broken.
pub(crate) async fn run(args: SoakArgs) -> Result<(), Fault> {
    let mut scene = Scene::start(&args).await?;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut calling = JoinSet::new();
    for number in 0..args.callers {
        let caller = Caller::new(&scene.endpoint, number);
        calling.spawn(caller.call_until(end));
    }
    let mut samples = Vec::new();
    let pid = scene.gateway_pid();
    let deaths = tokio::select! {
        outcome = deaths(&mut scene, &args, end) => outcome?,
        () = sample(pid, &mut samples) => 0,
    };
    let mut tally = Tally::default();
    for part in calling.join_all().await {
        tally.add(part);
    }
    let back = scene.endpoint.clone();
    let waited = timeout(BACK_WAIT_MAX, callers::until_all_answer(&back, "back")).await;
    let back_ms = waited.map_err(Fault::during("waiting for all mounts to answer again"))?;
    scene.still_runs()?;
    let verdict = Verdict::new(&args, &tally, &scene.executed()?, samples, deaths, back_ms);
    scene.stop().await;
    let page = verdict.page();
    say(&page);
    let path = keep_as(&args.kept.out, &args.what, &verdict, &page)?;
    say(&format!("kept in {}", path.display()));
    verdict.hold()
}

/// Kills a child now and then; how many died.
async fn deaths(scene: &mut Scene, args: &SoakArgs, end: Instant) -> Result<u64, Fault> {
    let mut ticks = interval(Duration::from_millis(args.kill_every_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut deaths = 0;
    while Instant::now() < end {
        ticks.tick().await;
        scene.still_runs()?;
        deaths += u64::from(scene.kill_one().await?);
    }
    Ok(deaths)
}

async fn sample(pid: u32, samples: &mut Vec<Sample>) {
    let mut ticks = interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        if let Ok(memory) = Memory::of(pid) {
            samples.push(Sample { memory_bytes: memory.now_bytes, files: files as u64 });
        }
    }
}
