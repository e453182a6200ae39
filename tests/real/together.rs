//! One gateway for many: all clients at once, and each mount at its own endpoint.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Era};
use crate::compare::Differences;
use crate::expected::direct;
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};
use crate::naming;
use crate::plan::{self, LISTS, Mount};
use crate::programs::everything_http;
use crate::served::Served;
use crate::through::mounts;

/// Steps that change what other clients of the same child see.
const ALONE: [&str; 3] = ["memory: create", "memory: read the graph", "memory: resource"];

/// Several clients watch through one switch of one child.
fn is_for_many(step: &Value) -> bool {
    let label = step["step"].as_str().unwrap_or_default();
    step["do"] != "watch" && !ALONE.contains(&label)
}

#[tokio::test]
async fn all_clients_at_once_see_what_each_sees_alone() {
    let fixture = Arc::new(Fixture::new());
    let http = Served::start(&everything_http(), &fixture.path().join("http.txt")).await;
    let gateway = Gateway::start(&fixture, &mounts(&fixture, &http)).await;
    let mut plan = plan::merged(&Mount::ALL, &fixture);
    plan["steps"].as_array_mut().expect("steps").retain(is_for_many);

    let mut clients = JoinSet::new();
    for (client, era) in Client::ALL {
        let (target, plan, fixture) = (gateway.merged(), plan.clone(), fixture.clone());
        clients
            .spawn(async move { (client, era, client.play(era, &target, &plan, &fixture).await) });
    }
    let reports = clients.join_all().await;
    gateway.stop(&fixture).await;

    for (client, era, report) in reports {
        let direct = direct(client, era).await.only(|label| report.has(label) || is_list(label));
        let mut differences = Differences::default();
        differences.merged(&Mount::ALL, &direct, &report);
        differences.assert_none(&format!("{client:?} ({}) among others", era.name()));
    }
}

fn is_list(label: &str) -> bool {
    label.rsplit_once(": ").is_some_and(|(_, step)| LISTS.contains(&step))
}

/// At `/mcp/<prefix>` a client sees the child as if there were no gateway, names and all.
async fn own_endpoints(client: Client, era: Era) {
    let fixture = Fixture::new();
    let http = Served::start(&everything_http(), &fixture.path().join("http.txt")).await;
    let gateway = Gateway::start(&fixture, &mounts(&fixture, &http)).await;
    let mut seen = Vec::new();
    for mount in Mount::ALL {
        let mut plan = plan::direct(mount, &fixture);
        plan["steps"][0]["until"] = json!([""]);
        let target = gateway.mount(mount.prefix());
        seen.push((mount, client.play(era, &target, &plan, &fixture).await));
    }
    gateway.stop(&fixture).await;

    let direct = direct(client, era).await;
    let mut differences = Differences::default();
    for (mount, report) in &seen {
        differences.own(*mount, &direct, report);
    }
    differences.assert_none(&format!("{client:?} ({}) at the mounts' own endpoints", era.name()));
}

#[tokio::test]
async fn a_mounts_own_endpoint_renames_nothing_for_legacy_clients() {
    own_endpoints(Client::Py2, Era::Legacy).await;
}

#[tokio::test]
async fn a_mounts_own_endpoint_renames_nothing_for_modern_clients() {
    own_endpoints(Client::Ts2, Era::Modern).await;
}

/// Lists, and reads every resource listed; `own` gives the names to ask for, as `merged` has them.
async fn notes(client: Client, era: Era) {
    let fixture = Fixture::new();
    let gateway = Gateway::start(&fixture, &[("notes", Source::InProcess("notes"))]).await;
    let mut lists: Vec<Value> =
        LISTS.iter().map(|list| json!({"step": list, "do": list})).collect();
    lists[0]["until"] = json!([""]);
    let (alone, merged) = (gateway.mount("notes"), gateway.merged());
    let lists = plan::plan(lists);
    let alone_listed = client.play(era, &alone, &lists, &fixture).await;
    let merged_listed = client.play(era, &merged, &lists, &fixture).await;
    let mut differences = Differences::default();
    for list in LISTS {
        let (own, all) = (alone_listed.list(list), merged_listed.list(list));
        differences.list("notes", list, own, all);
    }

    let uris = alone_listed.list("resources").iter().filter_map(|item| item["uri"].as_str());
    let read = |uri: &str| json!({"step": uri, "do": "read", "uri": uri});
    let reads: Vec<Value> = uris.map(read).collect();
    assert!(!reads.is_empty(), "the compiled-in notes offer something to read");
    let asked = reads.iter().map(|step| naming::ask("notes", step)).collect();
    let alone_read = client.play(era, &alone, &plan::plan(reads), &fixture).await;
    let merged_read = client.play(era, &merged, &plan::plan(asked), &fixture).await;
    gateway.stop(&fixture).await;
    for (label, outcome) in alone_read.steps().filter(|(label, _)| label.contains("://")) {
        differences.expect(label, &naming::answer("notes", outcome), merged_read.step(label));
    }
    differences.assert_none("the compiled-in notes, merged and alone");
}

#[tokio::test]
async fn a_compiled_in_mount_reads_the_same_merged_and_alone_for_legacy_clients() {
    notes(Client::Ts1, Era::Legacy).await;
}

#[tokio::test]
async fn a_compiled_in_mount_reads_the_same_merged_and_alone_for_modern_clients() {
    notes(Client::Rmcp, Era::Modern).await;
}
