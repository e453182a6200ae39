//! What operators see of the mounts: `/mounts`, `gateway check --connect`, the lines at start.

use serde::Serialize;
use serde_json::Value;

use crate::call::Withheld;
use crate::mount::{Mount, Position, ReplicaReport, Status};
use crate::route::{Mounted, Snapshot};

/// One mount, as `/mounts` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountReport {
    /// The name in the file.
    pub name: String,
    /// The prefix; empty for none.
    pub prefix: String,
    /// What is dialled, without secrets.
    pub address: String,
    /// The health state.
    pub state: &'static str,
    /// When that began, seconds since 1970.
    pub since: u64,
    /// Why; absent when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Milliseconds until the child is dialled again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Era and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks: Option<String>,
    /// Entries in its catalog.
    pub tools: usize,
    /// Entries in its catalog.
    pub resources: usize,
    /// Entries in its catalog.
    pub templates: usize,
    /// Entries in its catalog.
    pub prompts: usize,
    /// Calls under way.
    pub calls_in_flight: u64,
    /// Calls that wait for a place.
    pub calls_queued: u64,
    /// Bytes of answers that those who called have not taken yet; short ones are not counted.
    pub answer_bytes: usize,
    /// Calls so far.
    pub calls: u64,
    /// Calls that failed at the child, its own errors not counted.
    pub faults: u64,
    /// Calls that may be sent again before the budget is used up.
    pub retry_budget: u64,
    /// Whether calls are let through: `open`, `shut`, or `probing` while the child is tried; of
    /// several replicas the most open one.
    pub gate: &'static str,
    /// Each of several equal children; absent for one alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaShown>,
    /// Entries that are not shown, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldReport>,
    /// The last lines of a child process's standard error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_words: Vec<String>,
    /// What a compiled-in child tells of itself: pools and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Value>,
}

/// One of several equal children.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaShown {
    /// What is dialled, without secrets.
    pub address: String,
    /// The health state.
    pub state: &'static str,
    /// When that began, seconds since 1970.
    pub since: u64,
    /// Why; absent when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Milliseconds until the child is dialled again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Calls under way.
    pub calls_in_flight: u64,
    /// Calls so far.
    pub calls: u64,
    /// Calls that failed at the child, its own errors not counted.
    pub faults: u64,
    /// Whether calls are let through: `open`, `shut`, or `probing` while the child is tried.
    pub gate: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// Whether it offers something else than the mount shows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub differs: bool,
}

impl ReplicaShown {
    fn of(report: ReplicaReport) -> Self {
        let ReplicaReport { address, status, counts, differs, gate, failures } = report;
        let [calls_in_flight, calls, faults] = counts;
        Self {
            address,
            state: status.state.as_str(),
            since: status.since,
            retry_after_ms: millis(&status),
            reason: status.reason,
            calls_in_flight,
            calls,
            faults,
            gate: gate.as_str(),
            failures,
            differs,
        }
    }
}

fn millis(status: &Status) -> Option<u64> {
    let after = status.retry_after()?;
    Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
}

/// One entry that is not shown.
#[derive(Debug, Clone, Serialize)]
pub struct WithheldReport {
    /// The list, such as `tools/list`.
    pub list: &'static str,
    /// Name or URI.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl WithheldReport {
    fn of(withheld: &Withheld) -> Self {
        let Withheld { list, key, reason } = withheld.clone();
        Self { list, key, reason }
    }
}

/// The state of one mount, with what the merge of all of them left out of it.
pub fn report(mounted: &Mounted, mount: &Mount, snapshot: &Snapshot) -> MountReport {
    let status = mount.status().borrow().clone();
    let offer = mount.offer().borrow().clone();
    let [calls_in_flight, calls, faults] = mount.counts();
    let [calls_queued, retry_budget] = mount.queued_and_budget();
    let replicas = mount.replicas();
    let stands = |position| replicas.iter().any(|one| one.gate == position);
    let gate = [Position::Open, Position::Probing].into_iter().find(|at| stands(*at));
    let gate = gate.unwrap_or(Position::Shut);
    let counts = offer.as_ref().map_or([0; 4], |offer| {
        [offer.tools.len(), offer.resources.len(), offer.templates.len(), offer.prompts.len()]
    });
    let [tools, resources, templates, prompts] = counts;
    let merged = snapshot.withheld().iter().filter(|(name, _)| *name == mounted.name);
    let own = offer.iter().flat_map(|offer| &offer.withheld);
    let withheld = own.chain(merged.map(|(_, withheld)| withheld)).map(WithheldReport::of);
    MountReport {
        name: mounted.name.to_string(),
        prefix: mounted.prefix.to_string(),
        address: mount.address(),
        state: status.state.as_str(),
        since: status.since,
        reason: status.reason.clone(),
        retry_after_ms: millis(&status),
        speaks: offer.as_ref().map(|offer| offer.about.speaks.clone()),
        tools,
        resources,
        templates,
        prompts,
        calls_in_flight,
        calls,
        faults,
        calls_queued,
        answer_bytes: mount.answer_bytes(),
        retry_budget,
        gate: gate.as_str(),
        replicas: match replicas.len() {
            0 | 1 => Vec::new(),
            _ => replicas.into_iter().map(ReplicaShown::of).collect(),
        },
        withheld: withheld.collect(),
        last_words: mount.last_words(),
        figures: mount.figures().and_then(|raw| raw.read().ok()),
    }
}
