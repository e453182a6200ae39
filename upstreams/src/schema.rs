//! Checks a value against a JSON Schema, and says of every violation what was expected.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use protocol::{Place, Violation};
use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::expected::{described, shown};

/// References followed while one place of a schema is looked up: a chain is one or two long.
const REFERENCES_MAX: usize = 8;

/// A schema that values are checked against.
pub(crate) struct Schema {
    whole: Value,
    validator: Option<Validator>,
}

impl Schema {
    /// A schema as a tool's `inputSchema` has it. One that is none itself takes everything: the
    /// type behind it still refuses what it cannot hold.
    pub(crate) fn new(schema: Map<String, Value>) -> Self {
        let whole = Value::Object(schema);
        let validator = jsonschema::validator_for(&whole);
        debug_assert!(validator.is_ok(), "a schema that is none: {whole}");
        Self { whole, validator: validator.ok() }
    }

    /// The schema of a type.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let schema = schemars::schema_for!(T).to_value();
        Self::new(schema.as_object().cloned().unwrap_or_default())
    }

    /// Everything that is wrong with a value, by place; at most one violation a place.
    pub(crate) fn check(&self, value: &Value) -> Vec<Violation> {
        let validator = self.validator.as_ref().filter(|validator| !validator.is_valid(value));
        let Some(validator) = validator else { return Vec::new() };
        let mut found = BTreeMap::new();
        for error in validator.iter_errors(value) {
            self.note(&error, value, &mut found);
        }
        found.into_values().collect()
    }

    fn note(&self, error: &ValidationError<'_>, value: &Value, found: &mut Found) {
        let pointer = error.instance_path().as_str().to_owned();
        let at = places(&pointer, value);
        // What was expected is told by the schema of the place, which holds the failed keyword.
        let keyword = error.schema_path().as_str();
        let schema = keyword.rsplit_once('/').and_then(|(parent, _)| self.at(parent));
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let member = schema.and_then(|schema| self.member(schema, name));
                let expected = self.described(member);
                note(found, &pointer, at, Some(name), expected, "nothing".to_owned());
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = schema.and_then(|schema| schema.get("properties")?.as_object());
                for name in unexpected {
                    let expected = none_such(name, known);
                    let came = error.instance().get(name).map_or(String::new(), shown);
                    note(found, &pointer, at.clone(), Some(name), expected, came);
                }
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context }
                if only_near(context, &pointer).is_some() =>
            {
                for error in only_near(context, &pointer).into_iter().flatten() {
                    self.note(error, value, found);
                }
            }
            _ => {
                let expected = match schema {
                    Some(schema) => self.described(Some(schema)),
                    None => error.to_string(),
                };
                note(found, &pointer, at, None, expected, shown(error.instance()));
            }
        }
    }

    fn described(&self, schema: Option<&Value>) -> String {
        described(schema, &|reference| self.at(reference))
    }

    /// The part of the schema at a JSON pointer, references on the way followed.
    fn at(&self, pointer: &str) -> Option<&Value> {
        let pointer = pointer.strip_prefix('#').unwrap_or(pointer);
        let mut here = &self.whole;
        for step in pointer.split('/').skip(1) {
            here = match step {
                "$ref" => self.followed(here)?,
                step => match self.followed(here)? {
                    Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                    other => other.get(step.replace("~1", "/").replace("~0", "~"))?,
                },
            };
        }
        self.followed(here)
    }

    fn followed<'a>(&'a self, mut schema: &'a Value) -> Option<&'a Value> {
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
            schema = self.whole.pointer(reference.strip_prefix('#')?)?;
        }
        Some(schema)
    }

    fn member<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        schema.get("properties")?.get(name)
    }
}

/// The first violation of each place, in the order of the places.
type Found = BTreeMap<String, Violation>;

fn note(
    found: &mut Found,
    pointer: &str,
    mut path: Vec<Place>,
    member: Option<&str>,
    expected: String,
    came: String,
) {
    let mut key = pointer.to_owned();
    if let Some(member) = member {
        key = format!("{key}/{member}");
        path.push(Place::Member(member.to_owned()));
    }
    found.entry(key).or_insert(Violation { path, expected, came });
}

/// The steps of a pointer into a value; whether a number is an index, the value says.
fn places(pointer: &str, value: &Value) -> Vec<Place> {
    let mut here = Some(value);
    let steps = pointer.split('/').skip(1).map(|step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        match (here, step.parse::<usize>()) {
            (Some(Value::Array(items)), Ok(index)) => {
                here = items.get(index);
                Place::Element(index)
            }
            _ => {
                here = here.and_then(|value| value.get(&step));
                Place::Member(step)
            }
        }
    });
    steps.collect()
}

/// The errors of the one branch that a value was probably meant for: the only one that did not
/// already fail by what the value is.
fn only_near<'a>(
    branches: &'a [Vec<ValidationError<'static>>],
    pointer: &str,
) -> Option<&'a Vec<ValidationError<'static>>> {
    let is_near = |errors: &&Vec<ValidationError<'static>>| {
        errors.iter().all(|error| error.instance_path().as_str() != pointer || !is_kind(error))
    };
    let mut near = branches.iter().filter(is_near);
    near.next().filter(|_| near.next().is_none())
}

/// Whether an error says that the value is another kind of thing altogether.
fn is_kind(error: &ValidationError<'_>) -> bool {
    use ValidationErrorKind::{Constant, Enum, Type};
    matches!(error.kind(), Type { .. } | Constant { .. } | Enum { .. })
}

fn none_such(name: &str, known: Option<&Map<String, Value>>) -> String {
    let names: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let near = names.iter().max_by(|one, other| {
        strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other))
    });
    match near {
        None => "nothing: no name is known here".to_owned(),
        Some(near) if strsim::jaro_winkler(name, near) > 0.8 => {
            format!("a known name: did you mean `{near}`?")
        }
        Some(_) => format!("one of the names {}", names.join(", ")),
    }
}
