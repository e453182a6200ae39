//! A JSON Schema in a few words: what a value at its place has to be.

use serde_json::Value;

/// How much of a caller's value is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 60;
/// How deep references and choices are described.
const DEPTH_MAX: usize = 8;

/// What a schema asks for: `a whole number from 1 to 100`. `at` finds what a `$ref` names.
pub(crate) fn described<'a>(
    schema: Option<&'a Value>,
    at: &dyn Fn(&str) -> Option<&'a Value>,
) -> String {
    let mut choices = Vec::new();
    if let Some(schema) = schema {
        collect(schema, at, 0, &mut choices);
    }
    any_of(choices)
}

/// What may stand at a place, each choice on its own.
fn collect<'a>(
    schema: &'a Value,
    at: &dyn Fn(&str) -> Option<&'a Value>,
    depth: usize,
    choices: &mut Vec<String>,
) {
    if depth > DEPTH_MAX {
        return;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        if let Some(named) = at(reference) {
            collect(named, at, depth + 1, choices);
        }
        return;
    }
    let several = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    let kinds = schema.get("type");
    if let Some(value) = schema.get("const") {
        choices.push(shown(value));
    } else if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        choices.extend(words.iter().map(shown));
    } else if let Some(several) = several {
        several.iter().for_each(|one| collect(one, at, depth + 1, choices));
    } else if let Some(Value::Array(kinds)) = kinds {
        choices.extend(kinds.iter().filter_map(|kind| of_kind(kind.as_str()?, schema)));
    } else if let Some(kind) = kinds.and_then(Value::as_str) {
        choices.extend(of_kind(kind, schema));
    }
}

fn of_kind(kind: &str, schema: &Value) -> Option<String> {
    let text = match kind {
        "string" => {
            let length = range(schema, "minLength", "maxLength", "character");
            let pattern = schema.get("pattern").and_then(Value::as_str);
            let like = pattern.map(|pattern| format!(" like {pattern}")).unwrap_or_default();
            format!("a text{length}{like}")
        }
        "integer" => format!("a whole number{}", range(schema, "minimum", "maximum", "")),
        "number" => format!("a number{}", range(schema, "minimum", "maximum", "")),
        "boolean" => "true or false".to_owned(),
        "array" => format!("a list{}", range(schema, "minItems", "maxItems", "element")),
        "object" => "an object".to_owned(),
        "null" => "nothing".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// Bounds in words; `unit` is what is counted, or empty where the value itself is bounded.
fn range(schema: &Value, least: &str, most: &str, unit: &str) -> String {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    let units = if unit.is_empty() { String::new() } else { format!(" {unit}s") };
    match (bound(least), bound(most)) {
        (None, None) => String::new(),
        (Some(least), None) => format!(" of at least {least}{units}"),
        (None, Some(most)) => format!(" of at most {most}{units}"),
        (Some(least), Some(most)) if unit.is_empty() => format!(" from {least} to {most}"),
        (Some(least), Some(most)) => format!(" of {least} to {most}{units}"),
    }
}

/// `a`, `a or b`, `one of a, b, c`.
fn any_of(mut choices: Vec<String>) -> String {
    choices.dedup();
    match choices.as_slice() {
        [] => "another value".to_owned(),
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        all => format!("one of {}", all.join(", ")),
    }
}

/// A caller's value, short.
pub(crate) fn shown(value: &Value) -> String {
    let (text, kind) = match value {
        Value::String(text) => (format!("`{}`", short(text)), ""),
        Value::Null => ("nothing".to_owned(), ""),
        Value::Array(_) => (short(&value.to_string()), "the list "),
        Value::Object(_) => (short(&value.to_string()), "the object "),
        other => (other.to_string(), ""),
    };
    format!("{kind}{text}")
}

/// The beginning of a text, without what would break a line.
pub(crate) fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(SHOWN_CHARS_MAX).map(plain).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
