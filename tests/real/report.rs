//! What a client saw, step by step, in a form in which two sightings can be compared.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::fixture::PLACE;
use crate::plan::LISTS;

/// Outcomes by the label of their step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(BTreeMap<String, Value>);

/// Steps whose answers tell the time; digits and names of days in them are masked.
const CLOCKS: [&str; 6] =
    ["convert", "now", "embedded", "resource of a template", "prompt with a resource", "links"];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Report {
    /// From a client's lines, each a JSON object with a `step`; `place` is the fixture's path.
    pub(crate) fn parse(lines: impl IntoIterator<Item = String>, place: &str) -> Self {
        let mut steps = BTreeMap::new();
        for line in lines {
            let mut outcome: Value = serde_json::from_str(&line.replace(place, PLACE))
                .unwrap_or_else(|error| panic!("a client wrote no JSON ({error}): {line}"));
            let Some(Value::String(step)) = outcome.as_object_mut().and_then(|o| o.remove("step"))
            else {
                panic!("a client wrote a line without a step: {line}")
            };
            let plain = plain(&step, outcome);
            assert!(steps.insert(step, plain).is_none(), "a client wrote a step twice: {line}");
        }
        Self(steps)
    }

    /// The outcome of a step that must have been played.
    pub(crate) fn step(&self, label: &str) -> &Value {
        self.0.get(label).unwrap_or_else(|| {
            panic!("no step `{label}`; played: {:?}", self.0.keys().collect::<Vec<_>>())
        })
    }

    /// All steps in the order of their labels.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(label, outcome)| (label.as_str(), outcome))
    }

    /// The entries of a list step.
    pub(crate) fn list(&self, label: &str) -> &[Value] {
        let outcome = self.step(label);
        let items = outcome["items"].as_array();
        items.unwrap_or_else(|| panic!("`{label}` brought no list: {outcome:#}"))
    }

    /// Whether a step was played.
    pub(crate) fn has(&self, label: &str) -> bool {
        self.0.contains_key(label)
    }

    /// Only the steps of one mount.
    pub(crate) fn of(&self, mount: &str) -> Self {
        let prefix = format!("{mount}: ");
        self.only(|label| label.starts_with(&prefix))
    }

    /// Only the steps whose labels are `wanted`.
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let steps = self.0.iter().filter(|(label, _)| wanted(label));
        Self(steps.map(|(label, outcome)| (label.clone(), outcome.clone())).collect())
    }

    /// Adds the steps of another report; labels must differ.
    pub(crate) fn join(mut self, other: Self) -> Self {
        for (label, outcome) in other.0 {
            assert!(self.0.insert(label.clone(), outcome).is_none(), "`{label}` twice");
        }
        self
    }
}

/// An outcome without what differs by SDK, era or moment and means nothing.
fn plain(step: &str, outcome: Value) -> Value {
    let label = step.rsplit_once(": ").map_or(step, |(_, label)| label);
    let mut outcome = trimmed(outcome);
    if let Some(Value::Object(error)) = outcome.get_mut("error") {
        // The class of the SDK's exception.
        error.remove("name");
    }
    if CLOCKS.contains(&label) {
        timeless(&mut outcome);
    }
    match label {
        // Some SDKs do not even ask a server that does not say that it has such a list.
        _ if LISTS.contains(&label) && outcome["error"]["code"] == -32601 => {
            outcome = json!({"items": []});
        }
        "progress" => outcome["progress"] = reports(&outcome["progress"]),
        // How an SDK tells its user is its own affair: that progress came and no result is not.
        "cancel" => {
            let under_way = outcome["progress"].as_u64() > Some(0);
            outcome = json!({"under way": under_way, "result": outcome["result"]});
        }
        // Its text names a session, which the gateway's child and ours do not share.
        "watch" if outcome["updated"].is_string() => {
            outcome = json!({"updated": outcome["updated"]});
        }
        _ => {}
    }
    outcome
}

/// Drops nulls, an era's own members and an SDK's own names; writes whole floats as integers.
fn trimmed(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(trimmed).collect(),
        Value::Object(members) => {
            let kept = members.into_iter().filter_map(|(name, member)| {
                let member = trimmed(member);
                (!is_noise(&name, &member)).then_some((name, member))
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Number(number) => whole(number.as_f64()).map_or(Value::Number(number), Value::from),
        other => other,
    }
}

fn whole(number: Option<f64>) -> Option<i64> {
    let number = number.filter(|number| number.fract() == 0.0 && number.abs() < 1e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and far inside the range")]
    Some(number as i64)
}

fn is_noise(name: &str, member: &Value) -> bool {
    match name {
        "resultType" | "ttlMs" | "cacheScope" => true,
        "isError" => member == &Value::Bool(false),
        "_meta" => member.as_object().is_some_and(Map::is_empty),
        _ => member.is_null() || name.starts_with("io.modelcontextprotocol/"),
    }
}

/// The progress up to the last report, which may come together with the result and then be lost
/// inside a client (the TypeScript SDKs handle notifications later than results).
fn reports(seen: &Value) -> Value {
    let seen = seen.as_array().map(Vec::as_slice).unwrap_or_default();
    let values: Vec<f64> = seen.iter().filter_map(|report| report[0].as_f64()).collect();
    assert!(values.is_sorted_by(|one, next| one < next), "progress does not rise: {values:?}");
    let is_last = |report: &&Value| report[0] != report[1];
    seen.iter().filter(is_last).cloned().collect()
}

/// Masks what a clock wrote, in texts and in texts inside of blobs.
fn timeless(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(timeless),
        Value::Object(members) => {
            if let Some(Value::String(blob)) = members.get_mut("blob")
                && let Ok(bytes) = STANDARD.decode(blob.as_bytes())
                && let Ok(text) = String::from_utf8(bytes)
            {
                *blob = text;
            }
            members.values_mut().for_each(timeless);
        }
        Value::String(text) => *text = masked(text),
        _ => {}
    }
}

/// Every run of digits becomes `#`, every day's name `DAY`, a half of the day `AM`.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            other => masked.push(other),
        }
    }
    DAYS.iter().fold(masked, |text, day| text.replace(day, "DAY")).replace("# PM", "# AM")
}
