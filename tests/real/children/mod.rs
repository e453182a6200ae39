//! Every tool, prompt, template and completion of the children compiled in, called through the
//! gateway by the official clients in each era, with good and with bad input.

mod good;
mod bad;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, Era};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};
use crate::naming;
use crate::plan::{LISTS, plan};
use crate::report::Report;

/// What `auth` is told; `docs/children.md` has tokens that were made for it.
const SECRET: &str = "a secret of development, 32 bytes or more";

/// One step and what has to come of it.
struct Expected {
    mount: &'static str,
    /// The step in the words of a plan, with the child's own names and a label.
    step: Value,
    /// Where in the outcome the value stands.
    pointer: &'static str,
    /// A text is a part of what stands there, any other value is all of it.
    value: Value,
}

/// The children by their mounts: `shop` is `data`, `issuer` is `auth`, with what is off otherwise.
fn mounts(fixture: &Fixture) -> Vec<(&'static str, Source)> {
    fixture.write("photo.csv", "a,b\n1,\x002\n");
    fixture.write("huge.csv", &"a,b\n1,2\n".repeat(300));
    let packed = fixture.path().join("packed.csv.gz");
    std::fs::write(packed, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).expect("a file in the fixture");
    let auth = json!({
        "issuer": "https://issuer.example", "audience": ["gateway"], "secret": SECRET,
    });
    let mut issuer = auth.clone();
    issuer["issue_tokens"] = json!(true);
    vec![
        ("notes", Source::InProcess("notes")),
        ("toolbox", Source::InProcess("toolbox")),
        ("main", Source::WithOptions("main", json!({ "roots": ["."], "bytes_max": 1024 }))),
        ("data", Source::InProcess("data")),
        ("auth", Source::WithOptions("auth", auth)),
        ("shop", Source::WithOptions("data", json!({ "writable": true }))),
        ("issuer", Source::WithOptions("auth", issuer)),
    ]
}

/// Plays all steps with one client; everything that is not as expected, at once.
async fn all_answer(client: Client, era: Era) {
    let fixture = Fixture::new();
    let mounts = mounts(&fixture);
    let names: Vec<&str> = mounts.iter().map(|(name, _)| *name).collect();
    let expected: Vec<Expected> = good::steps().into_iter().chain(bad::steps()).collect();
    let mut steps: Vec<Value> =
        LISTS.iter().map(|list| json!({ "step": list, "do": list })).collect();
    steps[0]["until"] = names.iter().map(|name| naming::name(name, "")).collect();
    steps.extend(expected.iter().map(|one| naming::ask(one.mount, &one.step)));

    let gateway = Gateway::start(&fixture, &mounts).await;
    let report = client.play(era, &gateway.merged(), &plan(steps), &fixture).await;
    gateway.stop(&fixture).await;

    let mut wrong = missing(&report, &names);
    wrong.extend(expected.iter().filter_map(|one| one.wrong(era, &report)));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

impl Expected {
    fn wrong(&self, era: Era, report: &Report) -> Option<String> {
        let label = self.step["step"].as_str().unwrap_or_default();
        let outcome = report.step(label);
        let came = match self.pointer {
            bad::ANSWER => json!(bad::told(era, outcome)),
            pointer => outcome.pointer(pointer).cloned().unwrap_or_default(),
        };
        let is_right = match (&self.value, &came) {
            (Value::String(part), Value::String(whole)) if self.pointer != bad::ANSWER => {
                whole.contains(part.as_str())
            }
            (value, came) => value == came,
        };
        (!is_right).then(|| format!("{label}\n  expected {}\n  came     {came}", self.value))
    }
}

/// What the lists show and no step calls: a new tool needs its calls.
fn missing(report: &Report, mounts: &[&str]) -> Vec<String> {
    let asked: BTreeSet<String> = good::steps().iter().flat_map(subject).collect();
    let refused: BTreeSet<String> = bad::steps().iter().flat_map(subject).collect();
    let mut missing = Vec::new();
    for (list, key) in [("tools", "name"), ("prompts", "name"), ("templates", "uriTemplate")] {
        for entry in report.list(list) {
            let shown = entry[key].as_str().expect("a name");
            let is_of = |mount: &&&str| match key {
                "name" => shown.starts_with(&naming::name(mount, "")),
                _ => shown.contains(&format!("://{mount}/")),
            };
            let mount = *mounts.iter().find(is_of).expect("the mount of an entry");
            let own = own_name(list, mount, shown);
            if !asked.contains(&own) {
                missing
                    .push(format!("{own}: no call with good input in tests/real/children/good.rs"));
            }
            // What takes nothing cannot be given anything bad.
            let arguments = entry.pointer("/inputSchema/properties").unwrap_or(&entry["arguments"]);
            let takes = arguments.as_object().is_some_and(|all| !all.is_empty())
                || arguments.as_array().is_some_and(|all| !all.is_empty())
                || list == "templates";
            if takes && !refused.contains(&own) {
                missing.push(format!("{own}: no row of bad input in docs/children.md"));
            }
        }
    }
    missing
}

/// The child of a mount: two have one more.
fn child(mount: &str) -> &str {
    match mount {
        "shop" => "data",
        "issuer" => "auth",
        own => own,
    }
}

/// `toolbox: tools now` for the entry of a list.
fn own_name(list: &str, mount: &str, shown: &str) -> String {
    let own = match list {
        "templates" => shown.replacen(&format!("://{mount}/"), "://", 1),
        _ => shown.replacen(&naming::name(mount, ""), "", 1),
    };
    format!("{}: {list} {own}", child(mount))
}

/// The entries of lists that a step is about.
fn subject(one: &Expected) -> Vec<String> {
    let text = |key: &str| one.step[key].as_str().unwrap_or_default();
    let named = |list: &str, name: &str| format!("{}: {list} {name}", child(one.mount));
    match text("do") {
        "call" => vec![named("tools", text("name"))],
        "prompt" => vec![named("prompts", text("name"))],
        "read" => TEMPLATES
            .iter()
            .filter(|(start, end, _)| {
                let between = text("uri").strip_prefix(start).and_then(|uri| uri.strip_suffix(end));
                between.is_some_and(|value| !value.is_empty() && !value.contains('/'))
            })
            .map(|(_, _, template)| named("templates", template))
            .collect(),
        _ => Vec::new(),
    }
}

/// What stands before and after the parameter of each template.
const TEMPLATES: [(&str, &str, &str); 4] = [
    ("note://notes/", "", "note://notes/{id}"),
    ("enterprise://data/", "", "enterprise://data/{resource_id}"),
    ("data://kv/", "", "data://kv/{key}"),
    ("data://tables/", "/schema", "data://tables/{name}/schema"),
];

/// One test for each way in.
macro_rules! clients {
    ($($name:ident: $client:ident $era:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            all_answer(Client::$client, Era::$era).await;
        }
    )*};
}

clients! {
    ts1_calls_everything: Ts1 Legacy;
    py1_calls_everything: Py1 Legacy;
    rmcp_legacy_calls_everything: Rmcp Legacy;
    ts2_modern_calls_everything: Ts2 Modern;
    py2_modern_calls_everything: Py2 Modern;
    rmcp_modern_calls_everything: Rmcp Modern;
}
