//! Whether a client saw through the gateway what it sees directly, all but the names.

use serde_json::Value;

use crate::naming;
use crate::plan::{LISTS, Mount};
use crate::report::Report;

/// Tools that `server-everything` has only for clients that can be asked: the gateway may be one
/// although the test's client is not.
const FOR_ABLER_CLIENTS: [&str; 6] = [
    "get-roots-list",
    "trigger-elicitation-request",
    "trigger-elicitation-request-async",
    "trigger-sampling-request",
    "trigger-sampling-request-async",
    "trigger-url-elicitation",
];

/// Collects every difference, so that one run shows them all.
#[derive(Default)]
pub(crate) struct Differences(Vec<String>);

impl Differences {
    /// Panics with all differences, if there are any.
    pub(crate) fn assert_none(self, what: &str) {
        let count = self.0.len();
        assert!(self.0.is_empty(), "{what}: {count} differences\n{}", self.0.join("\n"));
    }

    pub(crate) fn expect(&mut self, label: &str, expected: &Value, found: &Value) {
        if expected != found {
            self.0.push(format!("{label}:\n  expected {expected}\n  found    {found}"));
        }
    }

    /// Every step of `mounts` in the merged report against the same step asked directly.
    pub(crate) fn merged(&mut self, mounts: &[Mount], direct: &Report, merged: &Report) {
        for mount in mounts {
            for list in LISTS {
                let label = format!("{}: {list}", mount.prefix());
                self.list(mount.prefix(), list, direct.list(&label), merged.list(list));
            }
            for (label, outcome) in direct.of(mount.prefix()).steps() {
                let step = label.rsplit_once(": ").map_or(label, |(_, step)| step);
                if LISTS.contains(&step) {
                    continue;
                }
                let expected = naming::answer(mount.prefix(), outcome);
                let found = merged.step(label);
                if !(step.starts_with("unknown") && is_refused(found)) {
                    self.expect(label, &expected, found);
                }
            }
        }
        for kind in ["tool", "prompt", "resource"] {
            let label = format!("no mount: {kind}");
            if !is_refused(merged.step(&label)) {
                self.0.push(format!("{label}: expected -32602, found {}", merged.step(&label)));
            }
        }
    }

    /// One mount's own endpoint against the same server asked directly: nothing is renamed.
    pub(crate) fn own(&mut self, mount: Mount, direct: &Report, own: &Report) {
        for (label, outcome) in direct.of(mount.prefix()).steps() {
            let step = label.rsplit_once(": ").map_or(label, |(_, step)| step);
            let found = own.step(label);
            if LISTS.contains(&step) {
                let expected = sorted(direct.list(label).iter().cloned());
                self.entries(
                    mount.prefix(),
                    label,
                    &expected,
                    &sorted(own.list(label).iter().cloned()),
                );
            } else if !(step.starts_with("unknown") && is_refused(found)) {
                self.expect(label, outcome, found);
            }
        }
    }

    /// A mount's part of a merged list against the list of the mount alone.
    pub(crate) fn list(&mut self, prefix: &str, list: &str, own: &[Value], merged: &[Value]) {
        let expected = sorted(own.iter().map(|item| naming::entry(prefix, list, item)));
        let part = merged.iter().filter(|item| belongs(prefix, list, item));
        let found = sorted(part.cloned());
        self.entries(prefix, &format!("{prefix}: {list}"), &expected, &found);
    }

    fn entries(&mut self, prefix: &str, label: &str, expected: &[Value], found: &[Value]) {
        for item in expected {
            match found.iter().find(|other| key(other) == key(item)) {
                Some(other) => self.expect(label, item, other),
                None => self.0.push(format!("{label}: {} is missing", key(item))),
            }
        }
        for item in found {
            let known = expected.iter().any(|other| key(other) == key(item));
            if !known && !is_for_abler_clients(prefix, item) {
                self.0.push(format!("{label}: {} is too much", key(item)));
            }
        }
    }
}

/// The protocol's answer for a name that nobody has.
fn is_refused(outcome: &Value) -> bool {
    outcome["error"]["code"] == -32602
}

fn is_for_abler_clients(prefix: &str, item: &Value) -> bool {
    prefix.starts_with("everything")
        && FOR_ABLER_CLIENTS.iter().any(|name| key(item).ends_with(name))
}

fn key(item: &Value) -> &str {
    let named = ["uriTemplate", "uri", "name"].iter().find_map(|name| item[*name].as_str());
    named.unwrap_or_default()
}

fn belongs(prefix: &str, list: &str, item: &Value) -> bool {
    match list {
        "tools" | "prompts" => key(item).starts_with(&naming::name(prefix, "")),
        _ => key(item).split_once("://").is_some_and(|(_, rest)| {
            rest.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        }),
    }
}

/// By name; without the member that says which tools are called by a task of 2025-11-25, which the
/// gateway sees to itself and does not show (decision 0014).
fn sorted(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut items: Vec<Value> = items.collect();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.remove("execution");
    }
    items.sort_by(|one, other| key(one).cmp(key(other)));
    items
}

/// The measure is measured: a report against itself, and against itself with one thing changed.
fn differences_after(change: impl Fn(&str, &str) -> String) -> Vec<String> {
    let direct = [
        r#"{"step": "git: tools", "items": [{"name": "git_log", "description": "d"}]}"#,
        r#"{"step": "git: resources", "items": []}"#,
        r#"{"step": "git: templates", "items": []}"#,
        r#"{"step": "git: prompts", "items": []}"#,
        r#"{"step": "git: log", "result": {"content": [{"type": "text", "text": "first"}]}}"#,
        r#"{"step": "git: unknown tool", "error": {"code": -32602, "message": "no"}}"#,
    ];
    let merged = [
        r#"{"step": "tools", "items": [{"name": "git_git_log", "description": "d"}]}"#,
        r#"{"step": "resources", "items": []}"#,
        r#"{"step": "templates", "items": []}"#,
        r#"{"step": "prompts", "items": []}"#,
        r#"{"step": "git: log", "result": {"content": [{"type": "text", "text": "first"}]}}"#,
        r#"{"step": "git: unknown tool", "error": {"code": -32602, "message": "no such tool"}}"#,
        r#"{"step": "no mount: tool", "error": {"code": -32602, "message": "no"}}"#,
        r#"{"step": "no mount: prompt", "error": {"code": -32602, "message": "no"}}"#,
        r#"{"step": "no mount: resource", "error": {"code": -32602, "message": "no"}}"#,
    ];
    let direct = Report::parse(direct.map(str::to_owned), "/nowhere");
    let changed = merged.map(|line| {
        let label = line.split('"').nth(3).unwrap_or_default();
        change(label, line)
    });
    let merged = Report::parse(changed, "/nowhere");
    let mut differences = Differences::default();
    differences.merged(&[Mount::Git], &direct, &merged);
    differences.0
}

#[test]
fn the_same_seen_twice_has_no_difference() {
    assert_eq!(differences_after(|_, line| line.to_owned()), Vec::<String>::new());
}

#[test]
fn every_kind_of_change_is_a_difference() {
    for (step, old, new) in [
        ("tools", "git_git_log", "git_log"),
        ("tools", "git_git_log", "git_other"),
        ("tools", r#""description": "d""#, r#""description": "e""#),
        ("resources", "[]", r#"[{"uri": "demo://git/x", "name": "x"}]"#),
        ("git: log", "first", "second"),
        ("git: log", "result", "else"),
        ("git: unknown tool", "-32602", "-32603"),
        ("no mount: tool", "-32602", "-32601"),
    ] {
        let change = |label: &str, line: &str| match label == step {
            true => line.replace(old, new),
            false => line.to_owned(),
        };
        assert!(!differences_after(change).is_empty(), "{step}: {old} → {new}");
    }
}
