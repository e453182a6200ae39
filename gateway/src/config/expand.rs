//! Takes secrets from where they are kept: `${VAR}` in a text, `{ env = … }`, `{ file = … }`.

use figment::value::Value;

use super::document::{NotRead, read_bounded};
use super::keys::{REFERENCE, REFERENCE_ENV, REFERENCE_FILE, REFERENCE_PREFIX};
use super::reading::{At, Found, Reading};
use super::secret::Secret;
use super::shown::quoted;
use super::suggest::nearest;
use super::table::{Table, did_you_mean, kind_of};

/// Longest secret, and longest text after its variables were put in, in bytes.
pub(super) const SECRET_BYTES_MAX: usize = 64 << 10;

/// Longest name of a variable that a message repeats.
const NAME_CHARS_MAX: usize = 64;

/// A part of a text with variables in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text that stands for itself.
    Plain(&'t str),
    /// `${NAME}` or `${NAME:-default}`.
    Variable {
        /// The variable's name.
        name: &'t str,
        /// What is meant when it is not set, or empty.
        default: Option<&'t str>,
    },
}

/// A text with its variables put in.
pub(super) struct Expanded {
    /// What goes to the child.
    pub(super) secret: Secret,
    /// The same text with every variable left as `${NAME}`.
    pub(super) template: String,
}

/// Takes a text in which variables are written as `${NAME}`.
pub(super) fn expanded(found: &Found<String>, reading: &mut Reading<'_>) -> Option<Expanded> {
    let pieces = match pieces(&found.value) {
        Ok(pieces) => pieces,
        Err((message, help)) => {
            reading.wrong(&found.at, message, help);
            return None;
        }
    };
    let mut text = String::new();
    let mut template = String::new();
    let mut is_whole = true;
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => {
                text.push_str(plain);
                template.push_str(plain);
            }
            Piece::Variable { name, default } => {
                match variable(&found.at, name, default, reading) {
                    Some(value) => text.push_str(&value),
                    None => is_whole = false,
                }
                template.push_str(&format!("${{{name}}}"));
            }
        }
        if text.len() > SECRET_BYTES_MAX {
            let message = format!("is longer than {SECRET_BYTES_MAX} bytes");
            reading.wrong(&found.at, message, "");
            return None;
        }
    }
    // A mount that is not enabled may lack a variable; nobody uses what is left.
    (is_whole || reading.is_lenient).then(|| Expanded { secret: Secret::new(text), template })
}

/// Takes a secret: a text, or a table that says where it is kept.
pub(super) fn secret(found: Found<Value>, reading: &mut Reading<'_>) -> Option<Secret> {
    match found.value {
        Value::Dict(..) => reference(found, reading),
        Value::String(_, ref text) => {
            let text = text.clone();
            expanded(&found.with(text), reading).map(|expanded| expanded.secret)
        }
        Value::Empty(..) => None,
        ref other => {
            let kind = kind_of(other);
            let message = format!("expected a text or {{ env = \"NAME\" }}, found {kind}");
            let help = if matches!(other, Value::Array(..)) { "" } else { "put it in quotes" };
            reading.wrong(&found.at, message, help);
            None
        }
    }
}

/// Whether a name is one that environment variables usually have: only such names are repeated in
/// messages, since people also put the secret itself where its variable's name belongs.
pub(super) fn is_conventional(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    is_name(name) && name.len() <= NAME_CHARS_MAX && name.chars().all(usual)
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| plain(c) && !c.is_ascii_digit()) && name.chars().all(plain)
}

/// What is wrong with a text, and what to do about it.
type Wrong = (&'static str, &'static str);

/// Parts a text at its variables. `$${` stands for `${`; any other `$` stands for itself.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        let inside = after.strip_prefix("${").unwrap_or(after);
        if let Some(before) = before.strip_suffix('$') {
            pieces.push(Piece::Plain(before));
            pieces.push(Piece::Plain("${"));
            rest = inside;
            continue;
        }
        let (reference, after) = inside.split_once('}').ok_or((
            "a `${` has no `}`",
            "write `${NAME}`, or `$${` for these characters themselves",
        ))?;
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err((
                "what stands in `${…}` is not the name of a variable",
                "write letters, digits and `_`, or `$${` for the characters `${` themselves",
            ));
        }
        if default.is_some_and(|default| default.contains("${")) {
            return Err((
                "the default in `${NAME:-default}` may not hold another `${`",
                "write the default as it is",
            ));
        }
        pieces.push(Piece::Plain(before));
        pieces.push(Piece::Variable { name, default });
        rest = after;
    }
    pieces.push(Piece::Plain(rest));
    pieces.retain(|piece| *piece != Piece::Plain(""));
    Ok(pieces)
}

/// The value of a variable, or a problem.
fn variable(
    at: &At,
    name: &str,
    default: Option<&str>,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let set = reading.environment.get(name).cloned();
    if let Some(default) = default {
        return Some(set.filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()));
    }
    let shown = match is_conventional(name) {
        true => format!("`{name}`"),
        false => "named here".to_owned(),
    };
    match &set {
        Some(value) if value.is_empty() => {
            reading.odd(at, format!("the environment variable {shown} is set but empty"), "");
        }
        Some(_) => {}
        None => {
            let help = match similar(name, reading) {
                Some(similar) => did_you_mean(&format!("`{similar}`")),
                None => "set it where the gateway is started".to_owned(),
            };
            reading.missing(at, format!("the environment variable {shown} is not set"), help);
        }
    }
    set
}

/// A variable that is set and has nearly this name; ours set keys and hold nobody's secrets.
fn similar<'a>(name: &str, reading: &Reading<'a>) -> Option<&'a str> {
    if reading.is_full() || !is_conventional(name) {
        return None;
    }
    let others = reading.environment.keys().filter(|other| !other.starts_with("GATEWAY_"));
    nearest(name, others.filter(|other| is_conventional(other)).map(String::as_str))
}

/// Takes a secret from where a table says it is kept.
fn reference(found: Found<Value>, reading: &mut Reading<'_>) -> Option<Secret> {
    let mut table = Table::open(found, REFERENCE, reading);
    let at = table.at.clone();
    let named = [&REFERENCE_ENV, &REFERENCE_FILE].map(|key| table.has(key, reading));
    let env = table.text(&REFERENCE_ENV, reading);
    let file = table.text(&REFERENCE_FILE, reading);
    let has_prefix = table.has(&REFERENCE_PREFIX, reading);
    let prefix = table.text(&REFERENCE_PREFIX, reading);
    let is_misspelled = !table.close(reading).is_empty();
    let text = match (env, file) {
        (Some(env), None) if named == [true, false] => from_environment(&env, reading)?,
        (None, Some(file)) if named == [false, true] => from_file(&file, reading)?,
        _ => {
            if named == [true, true] || named == [false, false] && !is_misspelled {
                let message = "expected exactly one of `env` and `file`";
                reading.wrong(&at, message, "write { env = \"NAME\" } or { file = \"path\" }");
            }
            return None;
        }
    };
    let prefix = match (has_prefix, prefix) {
        (true, None) => return None,
        (_, prefix) => prefix.map(|prefix| prefix.value).unwrap_or_default(),
    };
    Some(Secret::new(prefix + &text))
}

fn from_environment(name: &Found<String>, reading: &mut Reading<'_>) -> Option<String> {
    if !is_name(&name.value) {
        let message = "what stands here is not the name of an environment variable";
        let help = match name.value.contains("${") {
            true => "write the name alone, without `${` and `}`",
            false => "write letters, digits and `_`; the value itself goes into the environment",
        };
        reading.wrong(&name.at, message, help);
        return None;
    }
    let value = variable(&name.at, &name.value, None, reading);
    if reading.is_lenient { Some(value.unwrap_or_default()) } else { value }
}

fn from_file(path: &Found<String>, reading: &mut Reading<'_>) -> Option<String> {
    let bytes = match read_bounded(&reading.folder.join(&path.value), SECRET_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the file {} {error}", quoted(&path.value));
            let help = match error {
                NotRead::Io(_) => "a relative path is seen from the folder of routing.toml",
                NotRead::NotAFile | NotRead::TooLarge(_) => "",
            };
            reading.missing(&path.at, message, help);
            return reading.is_lenient.then(String::new);
        }
    };
    let Ok(mut text) = String::from_utf8(bytes) else {
        let message = format!("the file {} is not UTF-8", quoted(&path.value));
        reading.wrong(&path.at, message, "a secret is text");
        return None;
    };
    // Editors and `echo` end a file with a line end that is no part of the secret.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        reading.odd(&path.at, format!("the file {} is empty", quoted(&path.value)), "");
    }
    Some(text)
}
