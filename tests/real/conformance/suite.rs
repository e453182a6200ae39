//! Runs the official suite and reads what it found, check by check.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::programs::{node_22, script};

/// Far above what a loaded machine needs for one run of the suite.
const RUN_WAIT_MAX: Duration = Duration::from_secs(600);
/// What the suite itself allows one scenario, in milliseconds.
const SCENARIO_MS: &str = "120000";

/// What one run found: by scenario, then by check, each time the check was made.
pub(super) type Found = BTreeMap<String, BTreeMap<String, Vec<Check>>>;

/// One check as it was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Check {
    /// `SUCCESS`, `FAILURE`, `WARNING`, `INFO`, `SKIPPED`.
    pub(super) status: String,
    /// What went wrong.
    pub(super) text: String,
    /// What the server answered, as far as it says the same each time.
    pub(super) answer: Value,
}

/// Which scenarios of the server suite are run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// One, of an extension.
    Only(&'static str),
    /// All that a revision knows.
    All,
    /// Exactly what a revision requires.
    Required,
}

/// Runs the scenarios of a revision against the server at `url`.
pub(super) async fn server(url: &str, revision: &str, which: Which, folder: &Path) -> Found {
    let mut args = vec!["server", "--url", url, "--timeout", SCENARIO_MS];
    match which {
        Which::Only(scenario) => {
            // An extension is of no revision: the suite skips it unless forced.
            args.extend(["--scenario", scenario, "--spec-version", revision, "--force"]);
        }
        Which::All => args.extend(["--suite", "all", "--spec-version", revision]),
        Which::Required => args.extend(["--requirements", revision]),
    }
    run(&args, folder).await;
    read(folder, "server-")
}

/// Runs one client scenario with `command`, which gets the URL of the test server.
pub(super) async fn client(
    command: &str,
    scenario: &str,
    revision: &str,
    folder: &Path,
) -> BTreeMap<String, Vec<Check>> {
    let args = [
        "client",
        "--command",
        command,
        "--scenario",
        scenario,
        "--spec-version",
        revision,
        "--timeout",
        SCENARIO_MS,
    ];
    run(&args, folder).await;
    read(folder, "").remove(scenario).unwrap_or_default()
}

async fn run(args: &[&str], folder: &Path) {
    let program = script("js/node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let mut command = Command::new(node_22());
    command.arg(program).args(args).arg("--output-dir").arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    // Its status says only that something failed; what failed stands in the folder.
    let ended = timeout(RUN_WAIT_MAX, command.status()).await;
    assert!(
        matches!(ended, Ok(Ok(_))),
        "the suite does not run or does not end: {ended:?} {args:?}"
    );
}

/// Reads the folders that the suite wrote, `PREFIX SCENARIO-TIME/checks.json` each.
fn read(folder: &Path, prefix: &str) -> Found {
    let mut found = Found::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(scenario) = name.strip_prefix(prefix).and_then(without_time) else { continue };
        let text = std::fs::read_to_string(entry.path().join("checks.json")).unwrap_or_default();
        let Ok(Value::Array(checks)) = serde_json::from_str(&text) else { continue };
        let by_id = found.entry(scenario.to_owned()).or_default();
        for check in checks {
            let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            let answer = stable(&check["details"]);
            let one = Check { status: text("status"), text: text("errorMessage"), answer };
            by_id.entry(text("id")).or_default().push(one);
        }
    }
    found
}

/// `tools-list` of `tools-list-2026-11-28T22-02-31-516Z`.
fn without_time(name: &str) -> Option<&str> {
    let end = name.len().checked_sub("-2026-11-28T22-02-31-516Z".len())?;
    name.get(end..).filter(|time| time.contains('T') && time.ends_with('Z'))?;
    name.get(..end)
}

/// What of a check's details must be the same however the server is reached: results and lists,
/// without what says who answered, how long it keeps, and states that are sealed anew each time.
fn stable(details: &Value) -> Value {
    const COMPARED: [&str; 14] = [
        "result",
        "tools",
        "toolCount",
        "prompts",
        "promptCount",
        "resources",
        "resourceCount",
        // of tasks
        "resultType",
        "hasTaskId",
        "hasResult",
        "contentLength",
        "pollIntervalMs",
        "cancelAck",
        "statusAfterCancel",
    ];
    let details = details.as_object().into_iter().flatten();
    let kept = details.filter(|(key, _)| COMPARED.contains(&key.as_str()));
    Value::Object(kept.map(|(key, value)| (key.clone(), plain(value))).collect())
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "requestState"
                        | "ttlMs"
                        | "cacheScope"
                        | "resultType"
                        | "io.modelcontextprotocol/serverInfo"
                )
            });
            let kept = kept.map(|(key, value)| (key.clone(), plain(value)));
            Value::Object(kept.filter(|(key, value)| key != "_meta" || !is_empty(value)).collect())
        }
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.iter().map(plain).collect();
            // The gateway lists names in an order of its own.
            if elements.iter().all(Value::is_string) {
                elements.sort_by_key(Value::to_string);
            }
            Value::Array(elements)
        }
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}
