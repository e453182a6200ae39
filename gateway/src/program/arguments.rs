//! `key=value` on the command line as the arguments of a tool, read as its schema says.

use protocol::json::{Members, ObjectWriter, quoted};
use protocol::{NotJson, Raw};

/// The arguments object.
pub(super) fn read(given: &[String], input_schema: Option<&str>) -> Result<Raw, String> {
    let mut object = ObjectWriter::new();
    let mut seen: Vec<&str> = Vec::new();
    for text in given {
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("`{text}`: expected KEY=VALUE or KEY:=JSON"));
        };
        let (key, value) = match key.strip_suffix(':') {
            Some(key) => (key, json(value).map_err(|fault| format!("{key}:={value}: {fault}"))?),
            None => (key, typed(key, value, input_schema)?),
        };
        if seen.contains(&key) {
            return Err(format!("`{key}` is given twice"));
        }
        seen.push(key);
        object = object.raw(key, &value);
    }
    Ok(object.finish())
}

fn json(value: &str) -> Result<String, NotJson> {
    Raw::parse(value.to_owned().into()).map(|raw| raw.to_string())
}

/// A value whose schema says string is one, whatever it looks like; any other is JSON where it
/// can be read as such.
fn typed(key: &str, value: &str, input_schema: Option<&str>) -> Result<String, String> {
    let kind = input_schema.and_then(|schema| property_type(schema, key));
    match (kind.as_deref(), json(value)) {
        (Some("string"), _) | (None, Err(_)) => Ok(quoted(value)),
        (_, Ok(value)) => Ok(value),
        (Some(kind), Err(_)) => {
            Err(format!("{key}={value}: the tool wants {kind}, written as JSON"))
        }
    }
}

fn property_type(schema: &str, key: &str) -> Option<String> {
    let schema = Members::read(schema).ok()?;
    let properties = Members::read(schema.get("properties")?).ok()?;
    let property = Members::read(properties.get(key)?).ok()?;
    property.get_string("type").map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_schema_says() {
        let schema =
            r#"{"properties":{"s":{"type":"string"},"n":{"type":"integer"},"a":{"type":"array"}}}"#;
        let given = ["s=7", "n=7", "a=[1]", "x=true", "y=free text", "z:={\"k\":null}"];
        let given: Vec<_> = given.iter().map(ToString::to_string).collect();
        let read = read(&given, Some(schema)).unwrap();
        let expected = r#"{"s":"7","n":7,"a":[1],"x":true,"y":"free text","z":{"k":null}}"#;
        assert_eq!(read.as_str(), expected);
    }

    #[test]
    fn a_bad_value_says_what_was_expected() {
        let schema = r#"{"properties":{"n":{"type":"integer"}}}"#;
        assert!(read(&["n=seven".to_owned()], Some(schema)).unwrap_err().contains("integer"));
        assert!(read(&["n".to_owned()], None).unwrap_err().contains("KEY=VALUE"));
        let twice = ["n=1".to_owned(), "n=2".to_owned()];
        assert!(read(&twice, None).unwrap_err().contains("twice"));
    }
}
