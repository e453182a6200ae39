//! The table of every key, for the guide and for people at a terminal.

use super::keys::{GATEWAY, HEALTH, Key, Kind, LIMITS, MOUNT, REFERENCE, SHAPE};
use super::quantity::{SIZE, Scale, TIME};
use super::table::ENTRIES_MAX;

/// Every key of `routing.toml` with its type, default, bounds and meaning: Markdown, one table of
/// keys after the other, each under the header it has in the file.
pub fn reference() -> String {
    let tables = [
        ("[gateway]", GATEWAY),
        ("[gateway.limits]", LIMITS),
        ("[mounts.NAME]", MOUNT),
        ("[mounts.NAME.health]", HEALTH),
        ("[mounts.NAME.tools]` and `[mounts.NAME.prompts]", SHAPE),
        ("{ … }` in place of a secret text", REFERENCE),
    ];
    let tables = tables.into_iter().map(|(header, keys)| of_table(header, keys));
    tables.collect::<Vec<_>>().join("\n")
}

fn of_table(header: &str, keys: &[&Key]) -> String {
    // The last header ends in plain words.
    let header = match header.strip_suffix(" in place of a secret text") {
        Some(table) => format!("`{table} in place of a secret text"),
        None => format!("`{header}`"),
    };
    let head = "| key | type | default | bounds | what it is |\n|---|---|---|---|---|\n";
    let rows = keys.iter().map(|key| of_key(key)).collect::<String>();
    format!("### {header}\n\n{head}{rows}")
}

/// The bound of lists and of tables of any keys.
fn at_most() -> String {
    format!("at most {ENTRIES_MAX}")
}

fn of_key(key: &Key) -> String {
    let between = |scale: &Scale, min, max| {
        let (min, max) = (scale.write(min), scale.write(max));
        format!("{min} – {max}")
    };
    let (kind, bounds) = match key.kind {
        Kind::Text | Kind::Url | Kind::Program => ("text", String::new()),
        Kind::Choice(words) => {
            let words = words.iter().map(|word| format!("`\"{word}\"`"));
            ("word", words.collect::<Vec<_>>().join(" "))
        }
        Kind::Switch => ("true or false", String::new()),
        Kind::Count(min, max) => ("number", format!("{min} – {max}")),
        Kind::Bytes(min, max) => ("size", between(&SIZE, min, max)),
        Kind::Time(min, max) => ("duration", between(&TIME, min, max)),
        Kind::Texts => ("list of texts", at_most()),
        Kind::Secret => ("secret text", String::new()),
        Kind::SecretList => ("list of secret texts", at_most()),
        Kind::SecretTable => ("table of secret texts", at_most()),
        Kind::TextTable => ("table of texts", at_most()),
        Kind::Options => ("table", String::new()),
        Kind::Table(_) | Kind::Tables(_) => ("table", String::new()),
    };
    let default = match key.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    let Key { name, what, .. } = key;
    format!("| `{name}` | {kind} | {default} | {bounds} | {what} |\n")
}
