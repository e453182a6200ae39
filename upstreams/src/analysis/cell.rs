//! One value of a table: what it is, as CSV or JSON writes it.

use std::borrow::Cow;

use serde_json::Value;

/// Texts that stand for no value in CSV.
const NOTHING: [&str; 7] = ["", "null", "NULL", "NA", "N/A", "NaN", "None"];

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// No value.
    Nothing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(f64),
    /// A number.
    Number(f64),
    /// A date, `2026-01-31`, or a moment that begins so.
    Date(Cow<'a, str>),
    /// A text.
    Text(Cow<'a, str>),
    /// A list or an object, as JSON.
    Nested(String),
}

impl<'a> Cell<'a> {
    /// A field of CSV, where everything is text and what it means shows only in its form.
    pub(super) fn of_field(field: &'a str) -> Self {
        let trimmed = field.trim();
        if NOTHING.contains(&trimmed) {
            return Self::Nothing;
        }
        match trimmed {
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        // A leading zero or plus is the mark of a code: a postal code, a phone number.
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        let is_code = digits.starts_with('0') && digits.len() > 1 && !digits.starts_with("0.");
        let starts_as_number = digits.starts_with(|c: char| c.is_ascii_digit());
        if starts_as_number && !is_code {
            if trimmed.parse::<i64>().is_ok()
                && let Ok(number) = trimmed.parse()
            {
                return Self::Integer(number);
            }
            if let Some(number) = trimmed.parse::<f64>().ok().filter(|number| number.is_finite()) {
                return Self::Number(number);
            }
        }
        Self::of_text(field.into())
    }

    /// A text that is known to be one.
    pub(super) fn of_text(text: Cow<'a, str>) -> Self {
        if is_date(&text) { Self::Date(text) } else { Self::Text(text) }
    }

    /// A value of JSON.
    pub(super) fn of_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => {
                let value = number.as_f64().unwrap_or_default();
                if number.is_f64() { Self::Number(value) } else { Self::Integer(value) }
            }
            Value::String(text) => Self::of_text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => Self::Nested(value.to_string()),
        }
    }

    /// The kind in one word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Date(_) => "date",
            Self::Text(_) => "text",
            Self::Nested(_) => "nested",
        }
    }

    /// The text of a value that has one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Date(text) | Self::Text(text) => Some(text),
            Self::Nested(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a value that is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) | Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Whether a text is a date of the calendar, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let Some(date) = text.get(..10) else { return false };
    let rest = text.get(10..).unwrap_or_default();
    (rest.is_empty() || rest.starts_with(['T', ' '])) && date.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn a_field_is_what_it_looks_like() {
        let kinds = |fields: &[&str]| {
            let kinds: Vec<_> = fields.iter().map(|field| Cell::of_field(field).kind()).collect();
            kinds.join(" ")
        };
        assert_eq!(kinds(&["", " ", "NA", "null"]), "nothing nothing nothing nothing");
        assert_eq!(kinds(&["1", "-7", " 3 ", "0"]), "integer integer integer integer");
        assert_eq!(kinds(&["1.5", "-0.1", "1e9", "1e999"]), "number number number text");
        assert_eq!(kinds(&["007", "+49", "inf", "1_000"]), "text text text text");
        assert_eq!(kinds(&["2026-02-28", "2026-02-30", "2026-01-01T10:00Z"]), "date text date");
    }
}
