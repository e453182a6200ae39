//! What the echo child lists, reads, prompts and completes: texts whose bytes a test can compare.

use protocol::json::{Members, ObjectWriter, quoted};
use protocol::{ErrorObject, Raw, error};

const TOOLS: [&str; 8] = [
    r#"{"name":"echo","inputSchema":{"type":"object"}}"#,
    r#"{"name":"params","inputSchema":{"type":"object"}}"#,
    r#"{"name":"answer","inputSchema":{"type":"object"}}"#,
    r#"{"name":"fail","inputSchema":{"type":"object"}}"#,
    r#"{"name":"slow","inputSchema":{"type":"object"}}"#,
    r#"{"name":"wait","inputSchema":{"type":"object"}}"#,
    r#"{"name":"log","inputSchema":{"type":"object"}}"#,
    r#"{"name":"place","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"count":{"type":"integer","x-mcp-header":"Count"},"dry":{"type":"boolean","x-mcp-header":"Dry"},"in":{"type":"object","properties":{"depth":{"type":"integer","x-mcp-header":"Depth"}}}}}}"#,
];

/// What `server/discover` says.
pub(super) fn discover(capabilities: &str) -> Raw {
    let object = ObjectWriter::new().raw("supportedVersions", r#"["2026-07-28"]"#);
    let object = object.raw("capabilities", capabilities);
    object.raw("ttlMs", "0").string("cacheScope", "public").finish()
}

fn list(member: &str, entries: &str) -> Raw {
    let object = ObjectWriter::new().string("resultType", "complete");
    let object = object.raw(member, &format!("[{entries}]"));
    object.raw("ttlMs", "0").string("cacheScope", "public").finish()
}

/// The tools, and those that were added.
pub(super) fn tools(more: &[String]) -> Raw {
    let more = more.iter().map(|name| {
        let schema = r#"{"type":"object"}"#;
        ObjectWriter::new().string("name", name).raw("inputSchema", schema).finish().to_string()
    });
    let all: Vec<_> = TOOLS.iter().map(|tool| (*tool).to_owned()).chain(more).collect();
    list("tools", &all.join(","))
}

pub(super) fn prompts() -> Raw {
    list("prompts", r#"{"name":"greet","arguments":[{"name":"name","required":true}]}"#)
}

pub(super) fn resources() -> Raw {
    let one = r#"{"uri":"demo://a/one","name":"one","mimeType":"text/plain"}"#;
    list("resources", &format!(r#"{one},{{"uri":"demo://a/deaf","name":"deaf"}}"#))
}

pub(super) fn templates() -> Raw {
    list("resourceTemplates", r#"{"uriTemplate":"demo://a/{id}","name":"any"}"#)
}

/// Reads anything under `demo://a/` but `missing`.
pub(super) fn read(params: &Raw) -> Result<Raw, ErrorObject> {
    let uri = string(params, "uri")?;
    if !uri.starts_with("demo://a/") || uri.ends_with("missing") {
        let data = ObjectWriter::new().string("uri", &uri).finish();
        return Err(ErrorObject::new(error::INVALID_PARAMS, "no such resource").with_data(data));
    }
    let content = ObjectWriter::new().string("uri", &uri).string("text", "a text").finish();
    let object = ObjectWriter::new().raw("contents", &format!("[{}]", content.as_str()));
    Ok(object.raw("ttlMs", "1000").string("cacheScope", "private").finish())
}

/// Greets.
pub(super) fn prompt(params: &Raw) -> Result<Raw, ErrorObject> {
    let name = string(params, "name")?;
    if name != "greet" {
        return Err(ErrorObject::new(error::INVALID_PARAMS, format!("no prompt `{name}`")));
    }
    let messages = r#"[{"role":"user","content":{"type":"text","text":"Hello"}}]"#;
    Ok(ObjectWriter::new().raw("messages", messages).finish())
}

/// Completes to what was asked, so that a test sees what arrived.
pub(super) fn complete(params: &Raw) -> Result<Raw, ErrorObject> {
    let members = Members::read(params).map_err(super::bad)?;
    let asked = quoted(members.get("ref").unwrap_or("null"));
    let completion = format!(r#"{{"values":[{asked}],"total":1}}"#);
    Ok(ObjectWriter::new().raw("completion", &completion).finish())
}

pub(super) fn string(params: &Raw, key: &str) -> Result<String, ErrorObject> {
    let members = Members::read(params).map_err(super::bad)?;
    let found = members.get_string(key).map(std::borrow::Cow::into_owned);
    found.ok_or_else(|| {
        ErrorObject::new(error::INVALID_PARAMS, format!("{key}: a string is wanted"))
    })
}
