//! The load generator: connections that each call one tool again and again, every answer checked.

mod check;
mod client;
pub(crate) mod latency;
mod round;

pub(crate) use client::{Client, Endpoint, message};
pub(crate) use round::{Outcome, Plan, Ready};

use serde_json::json;

use crate::args::LoadArgs;
use crate::fault::Fault;
use crate::say;

/// One round against an endpoint that is already there; prints what was measured.
///
/// # Errors
/// The endpoint cannot be reached, or any answer was wrong.
pub(crate) async fn run(args: LoadArgs) -> Result<(), Fault> {
    let plan = Plan {
        endpoint: Endpoint::parse(&args.to)?,
        era: args.era,
        tool: args.tool.clone(),
        text_bytes: args.bytes,
        connections: args.connections,
        length: args.length,
    };
    let ready = Ready::connect(&plan).await?;
    let outcome = ready.run().await;
    report(&args, &outcome);
    outcome.right()
}

fn report(args: &LoadArgs, outcome: &Outcome) {
    let at = |q: f64| outcome.latencies.quantile_us(q);
    let (calls, rate) = (outcome.calls(), outcome.rate());
    if args.json {
        let figures = json!({
            "era": args.era, "bytes": args.bytes, "connections": args.connections,
            "calls": calls, "wrong": outcome.wrong_count, "wrong_first": outcome.wrong_first,
            "seconds": outcome.wall.as_secs_f64(), "calls_per_s": rate,
            "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "max_us": at(1.0),
        });
        say(&figures.to_string());
        return;
    }
    let times = format!(
        "p50 {:.1} µs, p90 {:.1} µs, p99 {:.1} µs, max {:.1} µs",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    say(&format!("{calls} calls, {rate:.0}/s, {times}, {} wrong", outcome.wrong_count));
}

#[cfg(test)]
mod tests;
