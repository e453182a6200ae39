//! Which environment variables and flags set which keys.

use std::collections::BTreeMap;

use super::document::Spot;
use super::keys::{GATEWAY, Kind, LIMITS, MOUNT, find};
use super::path::KeyPath;
use super::reading::{At, Layer, Reading};

/// What the names of our variables begin with.
const PREFIX: &str = "GATEWAY_";

/// Stands between two levels of a variable's name.
const LEVEL: &str = "__";

/// A variable that sets a key.
pub(super) struct Setting {
    /// The variable's name.
    pub(super) name: String,
    /// The key it sets.
    pub(super) path: KeyPath,
    /// The variable's value.
    pub(super) text: String,
}

/// The variables that set keys, by name; two that set the same key are a problem.
///
/// Variables such as `GATEWAY_LOG` are no configuration, nor is what Kubernetes sets for a service
/// called `gateway`: only `GATEWAY_GATEWAY__…` and `GATEWAY_MOUNTS__…` count.
pub(super) fn settings(reading: &mut Reading<'_>) -> Vec<Setting> {
    let environment = reading.environment;
    let mut settings: Vec<Setting> = Vec::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, text) in environment {
        let Some(levels) = name.strip_prefix(PREFIX) else { continue };
        let levels: Vec<&str> = levels.split(LEVEL).collect();
        let Some(path) = variable_path(&levels, reading) else {
            warn_of_near_miss(name, &levels, reading);
            continue;
        };
        if let Some(other) = seen.insert(path.to_string(), name) {
            let at = At { path, layer: Layer::Environment(name.clone()), spot: Spot::Value };
            reading.wrong(&at, format!("{other} sets the same key"), "keep one of the two");
            continue;
        }
        settings.push(Setting { name: name.clone(), path, text: text.clone() });
    }
    settings
}

/// The key that a flag names: `mounts.docs.timeout`.
///
/// Names of variables, headers and tools are the last part of a path and may hold dots.
pub(super) fn flag_path(flag: &str) -> KeyPath {
    let levels: Vec<&str> = flag.split('.').collect();
    path_of(&levels, ".", |name| name.to_owned(), |name| name.to_owned())
}

/// The key that the levels of a variable's name mean, if they mean one.
fn variable_path(levels: &[&str], reading: &Reading<'_>) -> Option<KeyPath> {
    if levels.len() < 2 || !matches!(levels.first(), Some(&"GATEWAY" | &"MOUNTS")) {
        return None;
    }
    let of_header = |name: &str| header_of_file(levels, name, reading);
    Some(path_of(levels, LEVEL, |name| name.to_lowercase(), of_header))
}

/// Joins levels to a path. What stands in a table of any keys is one key, whatever is in it.
fn path_of(
    levels: &[&str],
    separator: &str,
    known: impl Fn(&str) -> String,
    header: impl Fn(&str) -> String,
) -> KeyPath {
    let mut path = KeyPath::default();
    for (position, level) in levels.iter().enumerate() {
        let rest = levels.get(position..).unwrap_or_default().join(separator);
        path = match path.keys().as_slice() {
            // No mount's name has a `_`, and no variable's name has a `-`.
            ["mounts"] if separator == LEVEL => path.key(&known(level).replace('_', "-")),
            ["mounts", _] | ["mounts", _, "tools" | "prompts"] => path.key(&known(level)),
            ["mounts", _, "options", ..] => path.key(&known(level)),
            ["mounts", _, "headers"] => return path.key(&header(&rest)),
            ["mounts", _, "env"] | ["mounts", _, _, "rename"] => return path.key(&rest),
            ["mounts"] => path.key(level),
            _ => path.key(&known(level)),
        };
    }
    path
}

/// The header that a variable means: one of the file's, whatever its case, or a new one.
fn header_of_file(levels: &[&str], name: &str, reading: &Reading<'_>) -> String {
    let name = name.replace('_', "-");
    let mount = levels.get(1).map(|mount| mount.to_lowercase().replace('_', "-"));
    let tree = reading.document().tree();
    let headers = tree.get("mounts").and_then(|mounts| mounts.get_ref().get(mount?.as_str()));
    let headers = headers.and_then(|mount| mount.get_ref().get("headers"));
    let headers = headers.and_then(|headers| headers.get_ref().as_table());
    let mut written = headers.into_iter().flat_map(|headers| headers.keys());
    let same = written.find(|header| header.get_ref().eq_ignore_ascii_case(&name));
    same.map_or(name, |header| header.get_ref().to_string())
}

/// Says of a variable that does not count that it nearly does.
fn warn_of_near_miss(name: &str, levels: &[&str], reading: &mut Reading<'_>) {
    let Some(first) = levels.first() else { return };
    let rest = levels.get(1..).unwrap_or_default();
    let lower = first.to_lowercase();
    let meant = if find(GATEWAY, &lower).is_some_and(|key| !matches!(key.kind, Kind::Table(_))) {
        format!("GATEWAY__{first}")
    } else if find(LIMITS, &lower).is_some() {
        format!("GATEWAY__LIMITS__{first}")
    } else if let Some(key) = first.strip_prefix("GATEWAY_").filter(|_| rest.is_empty()) {
        format!("GATEWAY__{key}")
    } else if *first == "MOUNT" && !rest.is_empty() {
        "MOUNTS".to_owned()
    } else if let Some(mount) = first.strip_prefix("MOUNTS_") {
        format!("MOUNTS__{mount}")
    } else {
        return;
    };
    let last = rest.last().map(|key| key.to_lowercase());
    if *first == "MOUNT" && last.is_none_or(|key| find(MOUNT, &key).is_none()) {
        return;
    }
    let meant = [&[meant.as_str()], rest].concat().join(LEVEL);
    let layer = Layer::Environment(name.to_owned());
    let at = At { path: KeyPath::default(), layer, spot: Spot::Value };
    reading.odd(&at, "this variable sets no key", format!("did you mean {PREFIX}{meant}?"));
}
