//! Resources by a URI template (RFC 6570, level 1) whose parameters are a checked type.
//!
//! ```
//! # use upstreams::Template;
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Row {
//!     #[schemars(length(min = 1))]
//!     table: String,
//!     #[schemars(range(min = 1))]
//!     id: u64,
//! }
//! let rows = Template::<Row>::new("db://tables/{table}/rows/{id}");
//! let row = rows.read("db://tables/new%20ones/rows/7").expect("it is of this form").unwrap();
//! assert_eq!((row.table.as_str(), row.id), ("new ones", 7));
//! assert!(rows.read("db://tables").is_none());
//! let wrong = rows.read("db://tables/a/rows/0").expect("it is of this form").err().unwrap();
//! assert_eq!(wrong.text, "id: expected a whole number of at least 1, came 0");
//! ```

use std::marker::PhantomData;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fault::{Code, Fault};
use crate::schema::Schema;

/// What RFC 6570 leaves as it is in a value: the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A URI template and the type of its parameters.
pub struct Template<P> {
    text: &'static str,
    parts: Vec<Part>,
    schema: Schema,
    kinds: Map<String, Value>,
    parameters: PhantomData<fn() -> P>,
}

/// A piece of a template.
enum Part {
    Text(&'static str),
    Parameter(&'static str),
}

impl<P: DeserializeOwned + JsonSchema> Template<P> {
    /// A template such as `db://tables/{table}`. Each parameter takes one segment: up to the next
    /// character of the text behind it, and never a `/`.
    pub fn new(text: &'static str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            let (name, behind) = from.split_once('}').unwrap_or((from, ""));
            parts.extend([Part::Text(before), Part::Parameter(name)]);
            rest = behind;
        }
        parts.push(Part::Text(rest));
        let schema = schemars::schema_for!(P).to_value();
        let kinds = schema.get("properties").and_then(Value::as_object).cloned();
        let (schema, kinds) = (Schema::of::<P>(), kinds.unwrap_or_default());
        Self { text, parts, schema, kinds, parameters: PhantomData }
    }

    /// The template itself, for the list of templates.
    pub fn as_str(&self) -> &'static str {
        self.text
    }

    /// The parameters in a URI; nothing when it is not of this form.
    ///
    /// # Errors
    /// A fault with every parameter that the type does not take.
    pub fn read(&self, uri: &str) -> Option<Result<P, Fault>> {
        let mut values = Map::new();
        let mut rest = uri;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text)?,
                Part::Parameter(name) => {
                    let end = match parts.peek() {
                        Some(Part::Text(text)) if !text.is_empty() => rest.find(text)?,
                        _ => rest.len(),
                    };
                    let (value, behind) = rest.split_at(end);
                    if value.is_empty() || value.contains(['/', '?', '#']) {
                        return None;
                    }
                    let value = percent_decode_str(value).decode_utf8().ok()?;
                    values.insert((*name).to_owned(), self.typed(name, &value));
                    rest = behind;
                }
            }
        }
        rest.is_empty().then(|| self.checked(Value::Object(values)))
    }

    /// A text as the schema's kind of value, where it is one.
    fn typed(&self, name: &str, text: &str) -> Value {
        let kind = self.kinds.get(name).and_then(|schema| schema.get("type")?.as_str());
        let parsed = match kind {
            // One spelling each, so that two URIs are never the same resource.
            Some("integer" | "number" | "boolean") => serde_json::from_str::<Value>(text)
                .ok()
                .filter(|value| !value.is_string() && is_printed(value, text)),
            _ => None,
        };
        parsed.unwrap_or_else(|| text.into())
    }

    fn checked(&self, values: Value) -> Result<P, Fault> {
        let violations = self.schema.check(&values);
        if !violations.is_empty() {
            return Err(Fault::invalid(violations));
        }
        serde_json::from_value(values).map_err(|fault| {
            Fault::new(Code::Validation, format!("a URI of the form {}: {fault}", self.text))
        })
    }

    /// The URI with these values in the order of the parameters, encoded.
    pub fn uri(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Parameter(_) => {
                let value = values.next().copied().unwrap_or_default();
                utf8_percent_encode(value, RESERVED).to_string()
            }
        });
        parts.collect()
    }
}

/// Whether a value is printed as this text.
fn is_printed(value: &Value, text: &str) -> bool {
    let printed = value.to_string();
    printed == text
}
