//! What a healthy mount costs its callers beside one that floods, hangs, drips, or answers without
//! end, against the same mount in the same gateway before anybody calls that one.

mod callers;

use std::fmt::Write;

use crate::args::{BesideArgs, Harm, RoundArgs};
use crate::compare::{Process, keep_as};
use crate::fault::Fault;
use crate::kernel::{Machine, Memory};
use crate::load::{Endpoint, Outcome, Plan, Ready};
use crate::say;
use crate::wire::Era;
use callers::Callers;
use serde::Serialize;
use serde_json::json;

/// Length of the healthy mount's results.
const TEXT_BYTES: u64 = 300;
/// Calls of one round at most; its seconds are what ends it.
const CALLS_MAX: u64 = 1_000_000;

/// All that is kept.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    note: String,
    callers: u64,
    harms: Vec<Harmed>,
}

/// The rounds beside one kind of harm.
#[derive(Debug, Serialize)]
struct Harmed {
    harm: Harm,
    alone: Vec<Figures>,
    beside: Vec<Figures>,
    /// Calls that were made of the sick mount meanwhile.
    sick_calls: u64,
    /// The most memory that the gateway ever had.
    peak_bytes: u64,
}

/// One round.
#[derive(Debug, Clone, Copy, Serialize)]
struct Figures {
    calls: u64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// Measures beside each kind of harm, prints the table and keeps it.
///
/// # Errors
/// A program cannot be started, or the healthy mount gave a wrong answer.
pub(crate) async fn run(args: BesideArgs) -> Result<(), Fault> {
    let mut harms = Vec::new();
    for harm in [Harm::Hang, Harm::Drip, Harm::Flood, Harm::Huge] {
        harms.push(harmed(&args, harm).await?);
    }
    let (machine, note) = (Machine::here(), args.kept.note.clone());
    let report = Report { machine, note, callers: args.callers, harms };
    let page = report.page();
    say(&page);
    let path = keep_as(&args.kept.out, &args.what, &report, &page)?;
    say(&format!("kept in {}", path.display()));
    Ok(())
}

async fn harmed(args: &BesideArgs, harm: Harm) -> Result<Harmed, Fault> {
    let folder = tempfile::Builder::new().prefix("benches-").tempdir();
    let folder = folder.map_err(Fault::during("making a folder"))?;
    let routing = folder.path().join("routing.toml");
    std::fs::write(&routing, routing_text(harm)?).map_err(Fault::during(routing.display()))?;
    let (mut alone, mut beside, mut sick_calls) = (Vec::new(), Vec::new(), 0);
    let mut peak_bytes = 0;
    for _ in 0..args.rounds {
        // A new one each time: the sick child still works on calls that were given up.
        let mut gateway =
            Process::gateway(args.kept.gateway.as_deref(), &routing, folder.path()).await?;
        let endpoint = Endpoint::parse(&gateway.endpoint)?;
        callers::until_listed(&endpoint).await?;
        alone.push(round(&endpoint, args.seconds).await?);
        let callers = Callers::start(&endpoint, args.callers);
        callers.all_called().await;
        beside.push(round(&endpoint, args.seconds).await?);
        sick_calls += callers.stop().await;
        gateway.still_runs()?;
        peak_bytes = peak_bytes.max(Memory::of(gateway.pid)?.peak_bytes);
        gateway.stop().await;
    }
    Ok(Harmed { harm, alone, beside, sick_calls, peak_bytes })
}

fn routing_text(harm: Harm) -> Result<String, Fault> {
    let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
    let me = json!(me.to_string_lossy());
    let harm = json!(["sick", "--harm", harm]);
    Ok(format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n\n[mounts.well]\ncommand = {me}\n\
         args = [\"child\", \"--stdio\", \"--era\", \"modern\"]\n\n[mounts.sick]\ncommand = {me}\n\
         args = {harm}\nera = \"legacy\"\n"
    ))
}

async fn round(endpoint: &Endpoint, seconds: u64) -> Result<Figures, Fault> {
    let plan = Plan {
        endpoint: endpoint.clone(),
        era: Era::Modern,
        tool: "well_echo".to_owned(),
        text_bytes: TEXT_BYTES,
        connections: 1,
        length: RoundArgs { calls: CALLS_MAX, seconds, warmup: 100 },
    };
    let outcome = Ready::connect(&plan).await?.run().await;
    outcome.right()?;
    let figures = Figures::of(&outcome);
    outcome.part().await;
    Ok(figures)
}

impl Figures {
    fn of(outcome: &Outcome) -> Self {
        let at = |q: f64| outcome.latencies.quantile_us(q);
        let calls = outcome.calls() as u64;
        Self { calls, p50_us: at(0.5), p99_us: at(0.99), max_us: at(1.0) }
    }
}

impl Report {
    fn page(&self) -> String {
        let mut page = format!(
            "# Beside a sick mount\n\nOne caller of a healthy mount, alone and beside {} callers \
             of a sick one in the same gateway, in turn; the median of the rounds. {}\n\n\
             Machine: {}, {} cores, {:.1} processes wanted to run before.\n\n\
             | the sick mount | its calls | p50 alone | p50 beside | p99 alone | p99 beside | \
             longest beside | peak memory |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
            self.callers,
            self.note,
            self.machine.processor,
            self.machine.cores,
            self.machine.load_before,
        );
        for one in &self.harms {
            let alone = |figure: fn(&Figures) -> f64| median(&one.alone, figure);
            let beside = |figure: fn(&Figures) -> f64| median(&one.beside, figure);
            let longest = one.beside.iter().map(|round| round.max_us).fold(0.0, f64::max);
            let _written = writeln!(
                page,
                "| {} | {} | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs | {:.1} ms | {} MiB |",
                one.harm.words(),
                one.sick_calls,
                alone(|round| round.p50_us),
                beside(|round| round.p50_us),
                alone(|round| round.p99_us),
                beside(|round| round.p99_us),
                longest / 1000.0,
                one.peak_bytes >> 20,
            );
        }
        page
    }
}

fn median(rounds: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(figure).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
