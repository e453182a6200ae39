//! What was probably meant by a word that is not known.

use super::keys::{GATEWAY, HEALTH, Key, LIMITS, MOUNT, ROOT, SHAPE, find};
use super::path::KeyPath;

/// Longest word that is compared; the work grows with the square of it.
const WORD_BYTES_MAX: usize = 64;

/// The known word nearest to this one, if any is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let near = known.into_iter().filter(|known| known.len() <= WORD_BYTES_MAX);
    let near = near.map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    // A word of one or two letters is near to everything.
    (distance <= allowed && distance < word.chars().count()).then_some(known)
}

/// What to say of a key that its table does not know.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// A key of the same table.
    Here(&'static str),
    /// A key of another table, and that table's name.
    Elsewhere(String, &'static str),
    /// There is no such key because none is needed.
    Needless(&'static str),
    /// Nothing comes near.
    Nothing,
}

/// Words of other programs, and the key that means the same here.
const SYNONYMS: &[(&str, &str)] = &[
    ("mcpservers", "mounts"),
    ("servers", "mounts"),
    ("upstreams", "mounts"),
    ("backends", "mounts"),
    ("children", "mounts"),
    ("server", "gateway"),
    ("proxy", "gateway"),
    ("bind", "listen"),
    ("address", "listen"),
    ("port", "listen"),
    ("allowed_hosts", "hosts"),
    ("allowed_origins", "origins"),
    ("secret", "key"),
    ("builtin", "in_process"),
    ("internal", "in_process"),
    ("cmd", "command"),
    ("exec", "command"),
    ("program", "command"),
    ("arguments", "args"),
    ("argv", "args"),
    ("environment", "env"),
    ("working_directory", "cwd"),
    ("workdir", "cwd"),
    ("dir", "cwd"),
    ("endpoint", "url"),
    ("serverurl", "url"),
    ("server_url", "url"),
    ("uri", "url"),
    ("http_headers", "headers"),
    ("namespace", "prefix"),
    ("disabled", "enabled"),
    ("protocol", "era"),
    ("protocol_version", "era"),
    ("connect_timeout", "timeout_connect"),
    ("startup_timeout", "timeout_start"),
    ("max_timeout", "timeout_max"),
    ("timeout_ms", "timeout"),
    ("exclude", "hide"),
    ("deny", "hide"),
    ("disabled_tools", "hide"),
    ("alias", "rename"),
    ("aliases", "rename"),
];

/// Words that say what is known already.
const NEEDLESS: &[(&str, &str)] = &[
    ("type", KIND_IS_SEEN),
    ("transport", KIND_IS_SEEN),
    ("kind", KIND_IS_SEEN),
    ("name", "leave it out: the name of a mount is the name of its table"),
];

const KIND_IS_SEEN: &str =
    "leave it out: `in_process`, `command` or `url` says what kind of child it is";

/// Advice on an unknown key of a table: first where it is known, then what it looks like.
pub(super) fn advice(unknown: &str, table: &KeyPath, keys: &'static [&'static Key]) -> Advice {
    if let Some(elsewhere) = elsewhere(unknown, table) {
        return elsewhere;
    }
    if let Some(name) = nearest(unknown, keys.iter().map(|key| key.name)) {
        return Advice::Here(name);
    }
    let plain = unknown.to_lowercase().replace('-', "_");
    if let Some((_, meant)) = SYNONYMS.iter().find(|(word, _)| *word == plain) {
        return match find(keys, meant) {
            Some(key) => Advice::Here(key.name),
            None => elsewhere(meant, table).unwrap_or(Advice::Nothing),
        };
    }
    if let Some((_, why)) = NEEDLESS.iter().find(|(word, _)| *word == plain) {
        return Advice::Needless(why);
    }
    let all = [ROOT, GATEWAY, LIMITS, MOUNT, HEALTH, SHAPE];
    let all = all.iter().flat_map(|keys| keys.iter().map(|key| key.name));
    nearest(unknown, all).and_then(|name| elsewhere(name, table)).unwrap_or(Advice::Nothing)
}

/// The table that knows a key of exactly this name, seen from another table.
fn elsewhere(name: &str, table: &KeyPath) -> Option<Advice> {
    let mount = match table.keys().as_slice() {
        ["mounts", mount, ..] => KeyPath::of(&["mounts", mount]),
        _ => KeyPath::of(&["mounts", "NAME"]),
    };
    let in_mount =
        vec![(MOUNT, mount.clone()), (HEALTH, mount.key("health")), (SHAPE, mount.key("tools"))];
    let gateway = KeyPath::of(&["gateway"]);
    let in_gateway = vec![(GATEWAY, gateway.clone()), (LIMITS, gateway.key("limits"))];
    let tables = match table.keys().first() {
        Some(&"mounts") => in_mount.into_iter().chain(in_gateway),
        _ => in_gateway.into_iter().chain(in_mount),
    };
    for (keys, path) in tables {
        if let Some(key) = find(keys, name) {
            return Some(Advice::Elsewhere(format!("[{path}]"), key.name));
        }
    }
    find(ROOT, name).map(|key| Advice::Elsewhere("the root of the file".to_owned(), key.name))
}
