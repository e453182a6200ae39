//! The comparison: every way to the child in every case, taking turns, measured from outside.

mod process;
mod way;
mod result;
mod table;
mod keep;

pub(crate) use keep::keep_as;
pub(crate) use process::Process;

use std::path::PathBuf;

use tokio::time::Duration;

use crate::args::{CompareArgs, WayName};
use crate::compare::result::{Case, CaseResult, Report, Round, WayResult};
use crate::compare::way::{Programs, Way};
use crate::fault::Fault;
use crate::kernel::{Clock, Machine, Spent, Used};
use crate::load::{Outcome, Plan, Ready};
use crate::{say, say_aside};

/// How often one round is made at most when others disturb it; the last one counts.
const TRIES_MAX: u32 = 12;

/// Pause after a disturbed round, for the others to end.
const DISTURBED_PAUSE: Duration = Duration::from_secs(5);

/// Runs all cases, prints the tables and keeps the results.
///
/// # Errors
/// A program cannot be started, an answer was wrong, or the result cannot be written. All
/// processes have ended by then.
pub(crate) async fn run(args: CompareArgs) -> Result<(), Fault> {
    let args = &args;
    let programs = programs(args)?;
    let ways = chosen(args, &programs)?;
    let machine = Machine::here();
    let clock = Clock::now();
    let mut cases = Vec::new();
    for case in list_cases(args) {
        say_aside(&format!("{case}"));
        cases.push(measure(case, &ways, &programs, args).await?);
    }
    let report = Report {
        what: args.what.clone(),
        note: args.note.clone(),
        date: keep::today(),
        machine,
        stolen_share: Clock::now().stolen_since(clock),
        rounds: args.rounds,
        others_max_percent: args.others_max,
        length: args.length,
        cases,
    };
    let text = table::markdown(&report);
    say(&text);
    let kept = keep::keep(&args.out, &report, &text)?;
    say_aside(&format!("kept: {}", kept.display()));
    Ok(())
}

fn programs(args: &CompareArgs) -> Result<Programs, Fault> {
    let me = std::env::current_exe().map_err(Fault::during("looking for this program"))?;
    let gateway = match &args.gateway {
        Some(path) if path.is_file() => Some(path.clone()),
        Some(path) => {
            let path = path.display();
            return Err(Fault(format!("--gateway: expected a program, found none at {path}")));
        }
        None => {
            let beside: PathBuf = me.with_file_name("gateway");
            beside.is_file().then_some(beside)
        }
    };
    Ok(Programs { me, gateway })
}

/// The ways asked for, or all that can be gone.
fn chosen(args: &CompareArgs, programs: &Programs) -> Result<Vec<WayName>, Fault> {
    use WayName::{Direct, Floor, Gateway, GatewayStdio, InProcess, InProcessSdk};
    let needs_gateway = |way: &WayName| matches!(way, Gateway | GatewayStdio);
    let missing = programs.gateway.is_none();
    if args.ways.is_empty() && missing {
        say_aside("no program `gateway` beside this one: only ways without it (see --gateway)");
        return Ok(vec![Direct, Floor, InProcess, InProcessSdk]);
    }
    if args.ways.is_empty() {
        return Ok(vec![Direct, Floor, Gateway, GatewayStdio, InProcess, InProcessSdk]);
    }
    if missing && args.ways.iter().any(needs_gateway) {
        return Err(Fault("no program `gateway` beside this one: name it by --gateway".to_owned()));
    }
    Ok(args.ways.clone())
}

fn list_cases(args: &CompareArgs) -> Vec<Case> {
    let mut cases = Vec::new();
    for &era in &args.eras {
        for &bytes in &args.bytes {
            for &connections in &args.connections {
                let child_era = args.child_era.for_client(era);
                cases.push(Case { era, child_era, bytes, connections });
            }
        }
    }
    cases
}

/// Starts every way of one case, gives each its rounds in turn, and ends them.
async fn measure(
    case: Case,
    names: &[WayName],
    programs: &Programs,
    args: &CompareArgs,
) -> Result<CaseResult, Fault> {
    let mut ways = Vec::new();
    let mut results = Vec::new();
    for &name in names {
        let way = Way::start(name, programs, case).await?;
        results.push(WayResult { idle: way.memory()?, ..WayResult::empty(name) });
        ways.push(way);
    }
    let mut repeated = 0;
    for round in 0..args.rounds {
        let mut seen = turns(&ways, round, case, args).await?;
        let mut tries = 1;
        while disturbed(&seen, args) && tries < TRIES_MAX {
            tokio::time::sleep(DISTURBED_PAUSE).await;
            seen = turns(&ways, round, case, args).await?;
            tries += 1;
            repeated += 1;
        }
        for ((way, result), round) in ways.iter().zip(&mut results).zip(seen) {
            result.rounds.push(round);
            result.loaded = way.memory()?;
        }
    }
    for way in ways {
        way.stop().await;
    }
    Ok(CaseResult { case, repeated, ways: results })
}

/// One round of every way; the rounds stand in the order of the ways.
async fn turns(
    ways: &[Way],
    round: u64,
    case: Case,
    args: &CompareArgs,
) -> Result<Vec<Round>, Fault> {
    let count = ways.len();
    let mut seen = Vec::with_capacity(count);
    // Another way begins each round, so that none is always the one after a quiet moment.
    let first = usize::try_from(round).unwrap_or(0) % count.max(1);
    for (at, way) in ways.iter().enumerate().cycle().skip(first).take(count) {
        let round = one_round(way, case, args).await;
        seen.push((at, round.map_err(Fault::during(format_args!("{case}, {}", way.label())))?));
    }
    seen.sort_by_key(|(at, _)| *at);
    Ok(seen.into_iter().map(|(_, round)| round).collect())
}

/// Whether others took too much of the processor. What was measured has no say in it: leaving
/// out rounds by their figures would be choosing the result.
fn disturbed(seen: &[Round], args: &CompareArgs) -> bool {
    seen.iter().any(|round| round.others_share * 100.0 > args.others_max as f64)
}

async fn one_round(way: &Way, case: Case, args: &CompareArgs) -> Result<Round, Fault> {
    let plan = Plan {
        endpoint: way.endpoint.clone(),
        era: case.era,
        tool: way.tool.to_owned(),
        text_bytes: case.bytes,
        connections: case.connections,
        length: args.length,
    };
    let me = std::process::id();
    let ready = Ready::connect(&plan).await.map_err(|fault| way.blame(fault))?;
    let (clock, before, load_before) = (Clock::now(), way.used()?, Used::by(me)?);
    let outcome = ready.run().await;
    let (after, load_after) = (way.used()?, Used::by(me)?);
    let clock_after = Clock::now();
    outcome.right().map_err(|fault| way.blame(fault))?;
    let (tested, child) = after.since(&before);
    let load = load_after.since(&load_before);
    let ours_ns = tested.and(child).and(load).total_ns;
    let others_share = clock_after.taken_by_others(clock, ours_ns);
    let round = Round { others_share, ..figures(&outcome, tested, child, load) };
    outcome.part().await;
    Ok(round)
}

fn figures(outcome: &Outcome, tested: Spent, child: Spent, load: Spent) -> Round {
    let calls = outcome.calls() as f64;
    let per_call_us = |spent: Spent| spent.total_ns as f64 / 1e3 / calls.max(1.0);
    Round {
        calls: outcome.calls(),
        seconds: outcome.wall.as_secs_f64(),
        calls_per_s: outcome.rate(),
        cpu_us: per_call_us(tested),
        cpu_system_share: tested.system_share,
        child_cpu_us: per_call_us(child),
        load_cpu_us: per_call_us(load),
        others_share: 0.0,
        p50_us: outcome.latencies.quantile_us(0.5),
        p90_us: outcome.latencies.quantile_us(0.9),
        p99_us: outcome.latencies.quantile_us(0.99),
        max_us: outcome.latencies.quantile_us(1.0),
    }
}
