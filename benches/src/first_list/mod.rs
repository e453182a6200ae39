//! The first complete list after a start, with children of which some are dead and some hang: from
//! the catalogs that were kept.

mod scene;

use std::fmt::Write;

use serde::Serialize;
use tokio::time::{Duration, Instant, timeout};

use crate::args::FirstListArgs;
use crate::compare::keep_as;
use crate::fault::Fault;
use crate::kernel::Machine;
use crate::load::{Client, Endpoint};
use crate::say;
use crate::wire::Era;
use scene::Scene;

/// From the listening socket to the whole list, in milliseconds.
const FIRST_LIST_MS_MAX: f64 = 100.0;
/// A list that is not whole by then never is.
const PATIENCE: Duration = Duration::from_secs(60);

/// All that is kept.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    note: String,
    children: u64,
    dead: u64,
    hanging: u64,
    starts: Vec<Start>,
}

/// One start, in milliseconds.
#[derive(Debug, Serialize)]
struct Start {
    /// From the start of the process to its listening socket.
    listening_ms: f64,
    /// From there to the first complete list: connection and `server/discover` included.
    list_ms: f64,
    /// Lists that were not complete before.
    incomplete: u64,
}

/// Learns the catalogs, spoils some children, and starts again and again.
///
/// # Errors
/// A program cannot be started, or a list came too late.
pub(crate) async fn run(args: FirstListArgs) -> Result<(), Fault> {
    let scene = Scene::new(&args)?;
    let expected = scene.learn().await?;
    scene.spoil(args.dead, args.hanging)?;
    let mut starts = Vec::new();
    for _ in 0..args.starts {
        let began = Instant::now();
        let gateway = scene.start().await?;
        let listening = Instant::now();
        let endpoint = Endpoint::parse(&gateway.endpoint)?;
        let incomplete = timeout(PATIENCE, until_complete(&endpoint, &expected)).await;
        let incomplete = incomplete.map_err(Fault::during("waiting for the whole list"))??;
        starts.push(Start {
            listening_ms: millis(listening - began),
            list_ms: millis(listening.elapsed()),
            incomplete,
        });
        gateway.stop().await;
    }
    let report = Report {
        machine: Machine::here(),
        note: args.kept.note.clone(),
        children: args.children,
        dead: args.dead,
        hanging: args.hanging,
        starts,
    };
    let page = report.page();
    say(&page);
    let path = keep_as(&args.kept.out, &args.what, &report, &page)?;
    say(&format!("kept in {}", path.display()));
    report.hold()
}

/// Asks for the list until it is the expected one; how often it was not.
async fn until_complete(endpoint: &Endpoint, expected: &[String]) -> Result<u64, Fault> {
    let mut client = Client::open(endpoint, Era::Modern).await?;
    let mut incomplete = 0;
    while client.tools().await? != expected {
        incomplete += 1;
    }
    Ok(incomplete)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Report {
    /// # Errors
    /// A list came too late.
    fn hold(&self) -> Result<(), Fault> {
        match self.starts.iter().map(|start| start.list_ms).max_by(f64::total_cmp) {
            Some(worst) if worst <= FIRST_LIST_MS_MAX => Ok(()),
            Some(worst) => Err(Fault(format!(
                "the whole list came after {worst:.1} ms; expected {FIRST_LIST_MS_MAX} at most"
            ))),
            None => Err(Fault("nothing was started".to_owned())),
        }
    }

    fn page(&self) -> String {
        let mut page = format!(
            "# The first list\n\n{} children, of which {} are dead and {} hang; their catalogs \
             were kept by an earlier run. {} starts. {}\n\nMachine: {}, {} cores, {:.1} \
             processes wanted to run before.\n\n\
             | milliseconds | least | half of them | most |\n|---|---|---|---|\n",
            self.children,
            self.dead,
            self.hanging,
            self.starts.len(),
            self.note,
            self.machine.processor,
            self.machine.cores,
            self.machine.load_before,
        );
        let listening = self.starts.iter().map(|start| start.listening_ms).collect();
        let listed = self.starts.iter().map(|start| start.list_ms).collect();
        let rows: [(&str, Vec<f64>); 2] = [
            ("from the start of the process to the listening socket", listening),
            ("from the listening socket to the first complete list", listed),
        ];
        for (name, mut all) in rows {
            all.sort_by(f64::total_cmp);
            let at = |index: usize| all.get(index).copied().unwrap_or(0.0);
            let (half, last) = (at(all.len() / 2), at(all.len().saturating_sub(1)));
            let _written = writeln!(page, "| {name} | {:.1} | {half:.1} | {last:.1} |", at(0));
        }
        let incomplete: u64 = self.starts.iter().map(|start| start.incomplete).sum();
        let _written = writeln!(page, "\nLists that were not complete before: {incomplete}.");
        page
    }
}
