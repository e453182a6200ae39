//! Values of `Mcp-Name` and `Mcp-Param-*` and the `x-mcp-header` annotation (digest 1.6).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::json::{self, Members};

/// The protocol version of a request or session.
pub const VERSION: &str = "mcp-protocol-version";
/// Mirrors `method`.
pub const METHOD: &str = "mcp-method";
/// Mirrors the name, URI or task id.
pub const NAME: &str = "mcp-name";
/// Begins the headers that mirror arguments.
pub const PARAM_PREFIX: &str = "mcp-param-";
/// Names a legacy session.
pub const SESSION: &str = "mcp-session-id";

const SENTINEL_START: &str = "=?base64?";
const SENTINEL_END: &str = "?=";
/// Integers outside these bounds cannot be mirrored: not every reader holds them exactly.
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Writes a value for a header: as it is when that is safe, else behind the base64 sentinel.
pub fn encode(value: &str) -> Cow<'_, str> {
    let plain = value.bytes().all(|byte| matches!(byte, 0x21..=0x7e | b' ' | b'\t'))
        && value.trim_matches([' ', '\t']).len() == value.len()
        && !(value.starts_with(SENTINEL_START) && value.ends_with(SENTINEL_END));
    if plain {
        return value.into();
    }
    format!("{SENTINEL_START}{}{SENTINEL_END}", STANDARD.encode(value)).into()
}

/// Reads a value from a header, without the blanks around it.
///
/// # Errors
/// A text when the sentinel is there but what it holds is no base64 of UTF-8, or when it is not
/// there and the value is more than visible ASCII and blanks.
pub fn decode(value: &str) -> Result<Cow<'_, str>, &'static str> {
    let value = value.trim_matches([' ', '\t']);
    let inside =
        value.strip_prefix(SENTINEL_START).and_then(|rest| rest.strip_suffix(SENTINEL_END));
    let Some(inside) = inside else {
        let plain = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'));
        return match plain {
            true => Ok(value.into()),
            false => Err("what is not visible ASCII must stand behind the base64 sentinel"),
        };
    };
    let bytes = STANDARD.decode(inside).map_err(|_| "what the sentinel holds is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "what the sentinel holds is not UTF-8")?;
    Ok(text.into())
}

/// One argument of a tool that is mirrored in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// The header's name after `Mcp-Param-`, as the schema spells it.
    pub header: String,
    /// The keys that lead to the argument.
    pub path: Vec<String>,
    /// Whether it is an integer, compared by number.
    pub integer: bool,
}

/// Reads the annotations of an input schema.
///
/// # Errors
/// A text that says which annotation breaks which rule; the whole tool is then invalid.
pub fn mirrored(input_schema: &str) -> Result<Vec<Mirrored>, String> {
    if !input_schema.contains("x-mcp-header") && !input_schema.contains("\\u") {
        return Ok(Vec::new());
    }
    let schema: Value = serde_json::from_str(input_schema).map_err(|fault| fault.to_string())?;
    let mut found = Vec::new();
    walk(&schema, &mut Vec::new(), true, &mut found)?;
    for (at, one) in found.iter().enumerate() {
        let before = found.get(..at).unwrap_or_default();
        if before.iter().any(|other| other.header.eq_ignore_ascii_case(&one.header)) {
            return Err(format!("x-mcp-header `{}` stands twice", one.header));
        }
    }
    Ok(found)
}

fn walk(
    schema: &Value,
    path: &mut Vec<String>,
    reachable: bool,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    match schema {
        Value::Object(members) => {
            if let Some(header) = members.get("x-mcp-header") {
                found.push(one(header, members.get("type"), path, reachable)?);
            }
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => {
                        for (name, property) in properties {
                            path.push(name.clone());
                            walk(property, path, reachable, found)?;
                            path.pop();
                        }
                    }
                    ("default" | "const" | "enum" | "examples" | "x-mcp-header", _) => {}
                    _ => walk(value, path, false, found)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, path, false, found)),
        _ => Ok(()),
    }
}

fn one(
    header: &Value,
    kind: Option<&Value>,
    path: &[String],
    reachable: bool,
) -> Result<Mirrored, String> {
    let header = header.as_str().ok_or("x-mcp-header: expected a string")?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.is_empty() || !header.bytes().all(token) {
        return Err(format!("x-mcp-header {header:?} is no header name"));
    }
    if !reachable || path.is_empty() {
        return Err(format!("x-mcp-header `{header}` is not reached through `properties` alone"));
    }
    let kind = kind.and_then(Value::as_str).unwrap_or("none");
    if !matches!(kind, "string" | "integer" | "boolean") {
        return Err(format!(
            "x-mcp-header `{header}`: expected type string, integer or boolean, found {kind}"
        ));
    }
    Ok(Mirrored { header: header.to_owned(), path: path.to_vec(), integer: kind == "integer" })
}

impl Mirrored {
    /// What the header should say for these `params` of `tools/call`, before encoding; `None` when
    /// the argument is absent or null, or is of a type that cannot be mirrored.
    pub fn value(&self, params: &str) -> Option<String> {
        let params = Members::read(params).ok()?;
        let mut text = params.get("arguments")?;
        for key in &self.path {
            text = Members::read(text).ok()?.get(key)?;
        }
        match text.as_bytes().first()? {
            b'"' => json::string(text).map(Cow::into_owned),
            b't' | b'f' => Some(text.to_owned()),
            b'n' | b'{' | b'[' => None,
            _ => integer(text).map(|number| number.to_string()),
        }
    }

    /// Compares what the header says (undecoded; `None` when absent) with the arguments.
    ///
    /// # Errors
    /// A text with what was expected and what came.
    pub fn check(&self, came: Option<&str>, params: &str) -> Result<(), String> {
        let name = format!("Mcp-Param-{}", self.header);
        let expected = self.value(params);
        let came = match came {
            None => None,
            Some(text) => Some(decode(text).map_err(|fault| format!("{name}: {fault}"))?),
        };
        let same = match (&expected, &came) {
            (None, None) => true,
            (Some(expected), Some(came)) if self.integer => {
                integer(expected).is_some() && integer(expected) == integer(came)
            }
            (Some(expected), Some(came)) => expected == came,
            _ => false,
        };
        if same {
            return Ok(());
        }
        let shown = |value: Option<&str>| value.map_or("absent".to_owned(), |v| format!("{v:?}"));
        let (expected, came) = (shown(expected.as_deref()), shown(came.as_deref()));
        Err(format!("{name}: the body says {expected}, the header {came}"))
    }
}

fn integer(text: &str) -> Option<i64> {
    let number = match text.parse::<i64>() {
        Ok(number) => number,
        Err(_) => {
            let number: f64 = text.parse().ok()?;
            let max = INTEGER_MAX as f64;
            (number.fract() == 0.0 && number.abs() <= max).then_some(number as i64)?
        }
    };
    (number.abs() <= INTEGER_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c069_what_is_encoded_decodes_to_the_same(value in ".*") {
            let encoded = encode(&value);
            prop_assert!(encoded.bytes().all(|b| matches!(b, 0x20..=0x7e | b'\t')));
            let decoded = decode(&encoded).unwrap().into_owned();
            prop_assert_eq!(&decoded, &value);
        }

        #[test]
        fn any_header_decodes_or_is_refused(value in any::<String>()) {
            let _ = decode(&value);
        }
    }

    #[test]
    fn c052_half_or_upper_case_sentinels_are_literal() {
        for literal in ["=?BASE64?YQ==?=", "=?base64?YQ==", "YQ==?="] {
            assert_eq!(decode(literal).unwrap(), literal);
        }
        assert_eq!(decode(" =?base64?YQ==?=\t").unwrap(), "a");
        assert!(decode("=?base64?%%?=").is_err());
    }

    #[test]
    fn c067_annotations_out_of_place_make_the_tool_invalid() {
        let refused = |schema: &str| mirrored(schema).unwrap_err();
        expect!["x-mcp-header `R` is not reached through `properties` alone"].assert_eq(&refused(
            r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"R"}}}}"#,
        ));
        expect!["x-mcp-header `N`: expected type string, integer or boolean, found number"]
            .assert_eq(&refused(r#"{"properties":{"a":{"type":"number","x-mcp-header":"N"}}}"#));
        expect!["x-mcp-header `r` stands twice"].assert_eq(&refused(
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"R"},"b":{"type":"string","x-mcp-header":"r"}}}"#,
        ));
        expect![[r#"x-mcp-header "a b" is no header name"#]]
            .assert_eq(&refused(r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#));
    }

    #[test]
    fn c053_c054_nested_arguments_are_mirrored_and_integers_compared_by_number() {
        let schema =
            r#"{"properties":{"o":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}"#;
        let found = mirrored(schema).unwrap();
        let one = found.first().unwrap();
        let params = r#"{"name":"x","arguments":{"o":{"n":42}}}"#;
        assert_eq!(one.value(params).as_deref(), Some("42"));
        assert!(one.check(Some("42.0"), params).is_ok());
        expect![[r#"Mcp-Param-N: the body says "42", the header "43""#]]
            .assert_eq(&one.check(Some("43"), params).unwrap_err());
        expect![[r#"Mcp-Param-N: the body says "42", the header absent"#]]
            .assert_eq(&one.check(None, params).unwrap_err());
        expect![[r#"Mcp-Param-N: the body says absent, the header "1""#]]
            .assert_eq(&one.check(Some("1"), r#"{"arguments":{"o":{"n":null}}}"#).unwrap_err());
    }
}
