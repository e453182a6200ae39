//! The scenarios of tasks, which the other fixture does not implement.

use futures_util::StreamExt;
use futures_util::stream::iter;

use super::suite::{self, Which};
use super::table::{Checks, Verdicts, alone};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};
use crate::programs::{Program, script};
use crate::served::Served;
use crate::tasks_server;

const REVISION: &str = "2026-07-28";

/// The scenarios, all of the extension.
const SCENARIOS: [&str; 10] = [
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
];

/// Scenarios that run at once: most of the time they wait.
const AT_ONCE: usize = 3;

const HEAD: &str = "\
## Server scenarios of tasks, 2026-07-28

These run against a fixture of ours on the Rust SDK `rmcp` 3.11.0 (`tests/real/tasks_server.rs`), which implements the
extension: directly, and mounted as a modern child. The extension is declared request by request, so a handshake session
has none; what it can have is the experiment of 2025-11-25. The legacy child is therefore the same tools on the
TypeScript SDK 1.32.2 (`tests/real/js/tasks1.mjs`), which has that: the suite cannot run it itself, and through the
gateway it is a server of the extension. In `tasks-status-notifications` the suite has no check yet.

| scenario | directly | modern child | legacy child |
| --- | --- | --- | --- |
";

/// Whether a scenario is one of these.
pub(super) fn has(scenario: &str) -> bool {
    scenario.starts_with("tasks-")
}

/// The scenarios directly, through a gateway to the same server, and to one of the experiment.
pub(super) async fn section(verdicts: &mut Verdicts<'_>) -> String {
    let fixture = Fixture::new();
    let server = tasks_server::start().await;
    let experiment = Program::new("node", &[&script("js/tasks1.mjs")]);
    let experiment = Served::start(&experiment, &fixture.path().join("experiment.txt")).await;
    let mut urls = vec![("directly", server.url.clone())];
    let mut gateways = Vec::new();
    for (era, url) in [("modern", &server.url), ("legacy", &experiment.url)] {
        let fixture = Fixture::new();
        let gateway = Gateway::start_bare(&fixture, Source::Url(url.clone()), era).await;
        urls.push((era, gateway.url().to_owned()));
        gateways.push((fixture, gateway));
    }
    let place = fixture.path();
    let runs = SCENARIOS.iter().map(|scenario| {
        let (urls, place) = (&urls, &place);
        async move {
            let mut found: Vec<Checks> = Vec::new();
            for (way, url) in urls {
                let folder = place.join(format!("{scenario}-{way}"));
                let mut made = suite::server(url, REVISION, Which::Only(scenario), &folder).await;
                found.push(made.remove(*scenario).unwrap_or_default());
            }
            (*scenario, found)
        }
    });
    let done: Vec<_> = iter(runs).buffered(AT_ONCE).collect().await;
    let mut text = HEAD.to_owned();
    for (scenario, found) in &done {
        let [direct, modern, legacy] = &**found else { unreachable!("three ways") };
        assert!(!direct.is_empty(), "the suite ran nothing of {scenario}");
        let modern = verdicts.compare(REVISION, "modern", scenario, [direct, modern]);
        let legacy = verdicts.compare(REVISION, "legacy", scenario, [direct, legacy]);
        text.push_str(&format!("| {scenario} | {} | {modern} | {legacy} |\n", alone(direct)));
    }
    text.push('\n');
    for (fixture, gateway) in gateways {
        gateway.stop(&fixture).await;
    }
    text
}
