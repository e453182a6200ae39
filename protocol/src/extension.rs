//! Extensions: those that the gateway understands, and declarations without all others.
//!
//! Methods, result types and ids of an extension that nobody here knows could not be routed, so it
//! is declared neither to a child nor to a client.

use crate::Raw;
use crate::json::{Members, ObjectEdit, ObjectWriter};

/// Tasks: a call that is answered by a handle (digest 1.18.1).
pub const TASKS: &str = "io.modelcontextprotocol/tasks";
/// MCP Apps: tools with a user interface (digest 1.19).
pub const UI: &str = "io.modelcontextprotocol/ui";

/// All that the gateway understands.
pub const UNDERSTOOD: [&str; 2] = [TASKS, UI];

/// What the gateway itself takes for MCP Apps: every interface that there is, for the clients that
/// take it.
pub const UI_SETTINGS: &str = r#"{"mimeTypes":["text/html;profile=mcp-app"]}"#;

/// The member of capabilities, of a client or a server, that declares extensions.
const MEMBER: &str = "extensions";

/// Whether `capabilities` declare the extension `name`.
pub fn declares(capabilities: &Raw, name: &str) -> bool {
    declared(capabilities, &[name]).is_some()
}

/// The extensions among `names` that `capabilities` declare, an object; `None` when there are none.
pub fn declared(capabilities: &Raw, names: &[&str]) -> Option<Raw> {
    if !may_declare(capabilities) {
        return None;
    }
    let members = Members::read(capabilities).ok()?;
    let all = Members::read(members.get(MEMBER)?).ok()?;
    let known =
        all.iter().filter(|(name, settings)| names.contains(name) && settings.starts_with('{'));
    let known: Vec<_> = known.collect();
    let write = |object: ObjectWriter, (name, settings): &(&str, &str)| object.raw(name, settings);
    (!known.is_empty()).then(|| known.iter().fold(ObjectWriter::new(), write).finish())
}

/// `capabilities` with the extensions in `names` alone; every other member stays.
pub fn relayed(capabilities: &Raw, names: &[&str]) -> Raw {
    if !may_declare(capabilities) {
        return capabilities.clone();
    }
    with(capabilities, declared(capabilities, names).as_ref())
}

/// `capabilities` with these extensions, an object, in the place of what they declare.
pub fn with(capabilities: &Raw, extensions: Option<&Raw>) -> Raw {
    let Ok(members) = Members::read(capabilities) else { return capabilities.clone() };
    let mut edit = ObjectEdit::new(&members);
    match extensions {
        Some(extensions) => edit.set(MEMBER, extensions.as_str()),
        None => edit.remove(MEMBER),
    };
    if edit.is_empty() { capabilities.clone() } else { edit.finish_raw() }
}

/// `capabilities` that declare `name`, without settings, beside what they declare.
pub fn and(capabilities: &Raw, name: &str) -> Raw {
    let declared = declared(capabilities, &UNDERSTOOD).unwrap_or_default();
    let Ok(members) = Members::read(&declared) else { return capabilities.clone() };
    let extensions = ObjectEdit::new(&members).set(name, "{}").finish_raw();
    with(capabilities, Some(&extensions))
}

/// The capabilities that a request lacks which needs `name`.
pub fn required(name: &str) -> Raw {
    let inside = ObjectWriter::new().raw(name, "{}").finish();
    ObjectWriter::new().raw(MEMBER, &inside).finish()
}

/// Whether a text can have the member at all: most requests declare none.
fn may_declare(capabilities: &Raw) -> bool {
    let find = |part: &str| memchr::memmem::find(capabilities.as_bytes(), part.as_bytes());
    find(MEMBER).is_some() || find("\\u").is_some()
}

/// Whether a tool is for the interfaces of its own server alone: models are not shown it.
pub fn is_for_apps(tool: &Raw) -> bool {
    let visibility = || {
        let members = Members::read(tool).ok()?;
        let meta = Members::read(members.get("_meta")?).ok()?;
        let ui = Members::read(meta.get("ui")?).ok()?;
        serde_json::from_str::<Vec<String>>(ui.get("visibility")?).ok()
    };
    let listed = memchr::memmem::find(tool.as_bytes(), b"visibility").is_some();
    listed && visibility().is_some_and(|who| !who.iter().any(|one| one == "model"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn raw(text: &'static str) -> Raw {
        Raw::from_static(text)
    }

    #[test]
    fn c031_an_extension_that_is_not_understood_is_not_relayed() {
        let said = raw(
            r#"{"roots":{},"extensions":{"com.example/x":{"a":1},"io.modelcontextprotocol/ui":{"mimeTypes":["m"]}},"z":1.0}"#,
        );
        expect![[r#"{"roots":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["m"]}},"z":1.0}"#]]
            .assert_eq(&relayed(&said, &UNDERSTOOD));
        expect![[r#"{"roots":{},"z":1.0}"#]].assert_eq(&relayed(&said, &[TASKS]));
        assert!(declares(&said, UI) && !declares(&said, TASKS));
        expect![[r#"{"roots":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["m"]},"io.modelcontextprotocol/tasks":{}},"z":1.0}"#]]
            .assert_eq(&and(&said, TASKS));
        expect![[r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#]]
            .assert_eq(&and(&raw("{}"), TASKS));
        for odd in [r#"{"extensions":1}"#, r#"{"extensions":{"io.modelcontextprotocol/ui":1}}"#] {
            assert_eq!(relayed(&raw(odd), &UNDERSTOOD).as_str(), "{}", "{odd}");
        }
        let plain = raw(r#"{"roots":{}}"#);
        assert_eq!(relayed(&plain, &UNDERSTOOD), plain);
        let escaped = raw(r#"{"\u0065xtensions":{"com.example/x":{}}}"#);
        assert_eq!(relayed(&escaped, &UNDERSTOOD).as_str(), "{}");
    }

    #[test]
    fn c188_a_tool_that_models_are_not_shown() {
        for (tool, expected) in [
            (r#"{"_meta":{"ui":{"visibility":["app"]}}}"#, true),
            (r#"{"_meta":{"ui":{"visibility":[]}}}"#, true),
            (r#"{"_meta":{"ui":{"visibility":["app","model"]}}}"#, false),
            (r#"{"_meta":{"ui":{"resourceUri":"ui://x"}}}"#, false),
            (r#"{"_meta":{"ui":{"visibility":"app"}}}"#, false),
            (r#"{"visibility":["app"]}"#, false),
        ] {
            assert_eq!(is_for_apps(&raw(tool)), expected, "{tool}");
        }
    }
}
