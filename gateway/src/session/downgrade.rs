//! What a legacy client's revision does not know of a result or an error (digest 1.21, check 97).

use protocol::json::{self, Members, ObjectEdit, ObjectWriter, Splice};
use protocol::question::Abilities;
use protocol::{ErrorObject, Method, Raw, Version, error, meta};

use crate::call::{Fault, Kind};

/// What a legacy client can take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    pub(super) version: Version,
    /// Whether it can be sent to a web page.
    pub(super) pages: bool,
}

impl Face {
    /// Of a client of this version that declared `capabilities` in its handshake.
    pub(super) fn of(version: Version, capabilities: &Raw) -> Self {
        Self { version, pages: Abilities::of_handshake(capabilities, version).url }
    }

    /// A result as the client's revision has it. Schemas and all that stays are the same bytes.
    pub(super) fn result(self, method: &Method, result: &Raw) -> Raw {
        let Ok(members) = Members::read(result) else { return result.clone() };
        let mut edit = ObjectEdit::new(&members);
        edit.remove("resultType").remove("ttlMs").remove("cacheScope");
        let inside = members.get("_meta").and_then(|text| Members::read(text).ok());
        if let Some(inside) = inside.as_ref().filter(|m| m.get(meta::SERVER_INFO).is_some()) {
            if inside.len() == 1 {
                edit.remove("_meta");
            } else {
                edit.set("_meta", ObjectEdit::new(inside).remove(meta::SERVER_INFO).finish());
            }
        }
        match method {
            Method::ToolsCall => self.called(&members, &mut edit),
            Method::ToolsList => {
                if let Some(tools) = members.get("tools").and_then(plain_schemas) {
                    edit.set("tools", tools);
                }
            }
            Method::PromptsGet => {
                if let Some(messages) = members.get("messages").and_then(|all| self.messages(all)) {
                    edit.set("messages", messages);
                }
            }
            _ => {}
        }
        if edit.is_empty() { result.clone() } else { edit.finish_raw() }
    }

    /// The result of a tool: structured content is an object or not there, and then its text is.
    fn called(self, members: &Members<'_>, edit: &mut ObjectEdit<'_>) {
        let content = members.get("content");
        let mut converted = content.and_then(|content| self.content(content));
        let structured = members.get("structuredContent").filter(|text| !text.starts_with('{'));
        if let Some(structured) = structured {
            edit.remove("structuredContent");
            let blocks = content.and_then(json::elements).unwrap_or_default();
            if !blocks.iter().any(|block| kind_of(block).as_deref() == Some("text")) {
                let text = ObjectWriter::new().string("type", "text").string("text", structured);
                let text = text.finish();
                let now = converted.as_deref().or(content).and_then(json::elements);
                let all = now.unwrap_or_default().into_iter().chain([text.as_str()]);
                converted = Some(json::array(all).to_string());
            }
        }
        if let Some(converted) = converted {
            edit.set("content", converted);
        }
    }

    /// The content blocks of a tool's result; `None` where they are fit for the client.
    fn content(self, content: &str) -> Option<String> {
        if self.version >= Version::V2025_06_18 {
            return None;
        }
        let mut splice = Splice::new(content);
        for block in json::elements(content)? {
            if let Some(instead) = self.block(block) {
                splice.replace(block, instead);
            }
        }
        (!splice.is_empty()).then(|| splice.finish())
    }

    /// The messages of a prompt, each with one content block; `None` where they are fit.
    fn messages(self, messages: &str) -> Option<String> {
        if self.version >= Version::V2025_06_18 {
            return None;
        }
        let mut splice = Splice::new(messages);
        for message in json::elements(messages)? {
            let Ok(members) = Members::read(message) else { continue };
            let Some(block) = members.get("content") else { continue };
            if let Some(instead) = self.block(block) {
                splice.replace(block, instead);
            }
        }
        (!splice.is_empty()).then(|| splice.finish())
    }

    /// A text in the place of a content block that the revision does not know.
    fn block(self, block: &str) -> Option<String> {
        let members = Members::read(block).ok()?;
        let said = |key: &str| members.get_string(key).unwrap_or_default();
        let text = match said("type").as_ref() {
            "resource_link" => {
                let title = members.get_string("title").unwrap_or_else(|| said("name"));
                let more = [said("mimeType"), said("description")];
                let more = more.iter().filter(|text| !text.is_empty());
                let more: String = more.map(|text| format!("; {text}")).collect();
                format!("[resource: {title}, {}{more}]", said("uri"))
            }
            "audio" if self.version < Version::V2025_03_26 => {
                let version = self.version.as_str();
                format!(
                    "[audio ({}) that protocol version {version} cannot carry]",
                    said("mimeType")
                )
            }
            _ => return None,
        };
        let object = ObjectWriter::new().string("type", "text").string("text", &text);
        Some(object.optional("annotations", members.get("annotations")).finish().to_string())
    }

    /// The error for a fault, `modern` being what a modern client would get. A missing resource has
    /// the modern code for both: it cannot be told from other bad params (digest 2.3, row 31).
    pub(super) fn error(self, fault: &Fault, modern: ErrorObject) -> ErrorObject {
        match &fault.kind {
            // A page to visit is an error only here, and is meant for who can go there.
            Kind::Child(child)
                if child.code == error::URL_ELICITATION_REQUIRED_LEGACY && self.pages =>
            {
                child.clone()
            }
            _ => modern,
        }
    }
}

/// Tools without output schemas whose root is no object, which legacy schemas require; `None`
/// where there are none.
fn plain_schemas(tools: &str) -> Option<String> {
    memchr::memmem::find(tools.as_bytes(), b"outputSchema")?;
    let mut splice = Splice::new(tools);
    for tool in json::elements(tools)? {
        let Ok(members) = Members::read(tool) else { continue };
        let Some(schema) = members.get("outputSchema") else { continue };
        if kind_of(schema).as_deref() != Some("object") {
            splice.replace(tool, ObjectEdit::new(&members).remove("outputSchema").finish());
        }
    }
    (!splice.is_empty()).then(|| splice.finish())
}

/// The member `type`, where it is a string.
fn kind_of(object: &str) -> Option<String> {
    Some(Members::read(object).ok()?.get_string("type")?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Version; 4] =
        [Version::V2024_11_05, Version::V2025_03_26, Version::V2025_06_18, Version::V2025_11_25];

    fn at(version: Version, method: &Method, result: &'static str) -> String {
        let face = Face { version, pages: false };
        face.result(method, &Raw::from_static(result)).to_string()
    }

    #[test]
    fn c097_content_that_a_revision_does_not_know_becomes_text() {
        let audio = r#"{"content":[{"type":"text","text":"a"},{"type":"audio","data":"AA==","mimeType":"audio/wav","annotations":{"priority":1}}],"x":1}"#;
        let note = r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"[audio (audio/wav) that protocol version 2024-11-05 cannot carry]","annotations":{"priority":1}}],"x":1}"#;
        let link = r#"{"content":[{"type":"resource_link","uri":"a://b","name":"b","title":"B","mimeType":"text/x"}]}"#;
        let told = r#"{"content":[{"type":"text","text":"[resource: B, a://b; text/x]"}]}"#;
        for version in ALL {
            let tool = |result| at(version, &Method::ToolsCall, result);
            let old = version == Version::V2024_11_05;
            assert_eq!(tool(audio), if old { note } else { audio }, "{version}");
            let old = version < Version::V2025_06_18;
            assert_eq!(tool(link), if old { told } else { link }, "{version}");
            let prompt = r#"{"messages":[{"role":"user","content":{"type":"resource_link","uri":"a://b","name":"b"}},{"role":"user","content":{"type":"text","text":"t"}}]}"#;
            let instead = r#"{"messages":[{"role":"user","content":{"type":"text","text":"[resource: b, a://b]"}},{"role":"user","content":{"type":"text","text":"t"}}]}"#;
            let came = at(version, &Method::PromptsGet, prompt);
            assert_eq!(came, if old { instead } else { prompt }, "{version}");
        }
    }

    #[test]
    fn c097_structured_content_is_an_object_or_its_text() {
        for version in ALL {
            let tool = |result| at(version, &Method::ToolsCall, result);
            let object = r#"{"content":[],"structuredContent":{"a":[1]}}"#;
            assert_eq!(tool(object), object);
            assert_eq!(
                tool(r#"{"content":[],"structuredContent":[1, 2],"isError":false}"#),
                r#"{"content":[{"type":"text","text":"[1, 2]"}],"isError":false}"#
            );
            assert_eq!(
                tool(r#"{"content":[{"type":"text","text":"[1]"}],"structuredContent":[1]}"#),
                r#"{"content":[{"type":"text","text":"[1]"}]}"#
            );
            let image = r#"{"type":"image","data":"","mimeType":"image/png"}"#;
            let result = format!(r#"{{"content":[{image}],"structuredContent":null}}"#);
            assert_eq!(
                tool(result.leak()),
                format!(r#"{{"content":[{image},{{"type":"text","text":"null"}}]}}"#)
            );
        }
    }

    #[test]
    fn c097_an_output_schema_has_an_object_at_its_root_or_is_left_out() {
        let list = r#"{"tools":[{"name":"a","outputSchema":{"type":"object", "$defs":{}}},{"name":"b","outputSchema":{"type":"array"},"inputSchema":{"type":"object","anyOf":[]}},{"name":"c","outputSchema":{"anyOf":[]}}],"ttlMs":5,"cacheScope":"public"}"#;
        let plain = r#"{"tools":[{"name":"a","outputSchema":{"type":"object", "$defs":{}}},{"name":"b","inputSchema":{"type":"object","anyOf":[]}},{"name":"c"}]}"#;
        for version in ALL {
            assert_eq!(at(version, &Method::ToolsList, list), plain);
        }
    }

    #[test]
    fn c097_what_cannot_be_read_passes() {
        for text in [r#"{"content":5}"#, r#"{"content":[5,{"type":5}]}"#, r#"{"tools":{}}"#] {
            for method in [Method::ToolsCall, Method::ToolsList, Method::PromptsGet] {
                assert_eq!(at(Version::V2024_11_05, &method, text), text);
            }
        }
    }

    #[test]
    fn c012_a_page_to_visit_is_an_error_to_the_clients_that_know_it() {
        let page = ErrorObject::new(error::URL_ELICITATION_REQUIRED_LEGACY, "go");
        let fault = Fault::child(page);
        let modern = ErrorObject::new(error::INVALID_PARAMS, "go");
        for (pages, code) in [(true, -32042), (false, -32602)] {
            let face = Face { version: Version::V2025_11_25, pages };
            assert_eq!(face.error(&fault, modern.clone()).code, code);
        }
    }
}
