//! `[mounts.<name>.options]`: what a compiled-in child is told, checked by the child itself.

use figment::value::{Dict, Num, Value};
use protocol::{Make, Options, Place, Raw, Violation};
use serde_json::Value as Json;

use super::expand;
use super::keys::{OPTIONS, REFERENCE, find};
use super::path::KeyPath;
use super::reading::{At, Found, Reading};
use super::table::{Table, described};

/// Takes the options out of a mount's table.
pub(super) fn read(
    table: &mut Table,
    make: &dyn Make,
    reading: &mut Reading<'_>,
) -> Option<Options> {
    let at = table.at(&OPTIONS, reading);
    let found = table.take(&OPTIONS, reading);
    let value = found.map_or_else(|| Dict::new().into(), |found| found.value);
    let values = json(&value, &at.path, reading)?;
    let options = Options { values: Raw::of(&values), folder: reading.folder.to_owned() };
    if reading.is_lenient {
        // Secrets may be missing; nobody makes the child.
        return Some(options);
    }
    let mut wrong = make.check(&options);
    if wrong.is_empty() {
        // Some things show only when an instance is made, such as a folder that is not there.
        wrong = make.make(&options).err().unwrap_or_default();
    }
    for violation in &wrong {
        note(violation, &at, &value, reading);
    }
    wrong.is_empty().then_some(options)
}

/// A value as JSON: variables in texts put in, secrets taken from where they are kept.
fn json(value: &Value, path: &KeyPath, reading: &mut Reading<'_>) -> Option<Json> {
    Some(match value {
        Value::String(_, text) => {
            let found = reading.found(path.clone(), value.clone()).with(text.clone());
            expand::expanded(&found, reading)?.secret.expose().into()
        }
        Value::Dict(_, entries) if is_reference(entries) => {
            let found = reading.found(path.clone(), value.clone());
            expand::secret(found, reading)?.expose().into()
        }
        Value::Dict(_, entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| Some((key.clone(), json(value, &path.key(key), reading)?)))
                .collect();
            Json::Object(entries.into_iter().collect::<Option<_>>()?)
        }
        Value::Array(_, elements) => {
            let elements: Vec<_> = elements
                .iter()
                .enumerate()
                .map(|(index, value)| json(value, &path.index(index), reading))
                .collect();
            Json::Array(elements.into_iter().collect::<Option<_>>()?)
        }
        Value::Bool(_, switch) => (*switch).into(),
        Value::Num(_, Num::F64(number)) => (*number).into(),
        Value::Num(_, number) => {
            number.to_i128().and_then(|number| i64::try_from(number).ok())?.into()
        }
        Value::Char(_, letter) => letter.to_string().into(),
        // Found wrong already.
        Value::Empty(..) => return None,
    })
}

/// Whether a table says where a secret is kept.
fn is_reference(entries: &Dict) -> bool {
    let is_named = |name: &str| entries.get(name).is_some_and(|value| value.as_str().is_some());
    (is_named("env") || is_named("file"))
        && entries.keys().all(|name| find(REFERENCE, name).is_some())
}

/// Notes what a child says of its options, at the nearest place that is written.
fn note(violation: &Violation, at: &At, options: &Value, reading: &mut Reading<'_>) {
    let (mut path, mut here) = (at.path.clone(), Some(options));
    for step in &violation.path {
        (path, here) = match step {
            Place::Member(name) => {
                let value = here.and_then(|value| value.as_dict()?.get(name));
                (path.key(name), value)
            }
            Place::Element(index) => {
                let value = here.and_then(|value| value.as_array()?.get(*index));
                (path.index(*index), value)
            }
        };
    }
    let expected = &violation.expected;
    let (at, message) = match here {
        Some(value) => {
            let Found { at, value } = reading.found(path, value.clone());
            // A text may be secret; the excerpt hides it too.
            let came = match &value {
                Value::String(..) => "a text",
                other => &described(other),
            };
            (at, format!("expected {expected}, found {came}"))
        }
        None => (At { path, ..at.clone() }, format!("expected {expected}, found nothing")),
    };
    reading.wrong(&at, message, "");
}
