//! The usual answers of a scripted child, in the era it speaks.

use protocol::json::{self, Members, ObjectEdit, ObjectWriter};
use protocol::{ErrorObject, Raw, error, meta};

use super::script::{Catalog, Script, Speaks};

/// The answer to a request: a result, an error, or an open end.
pub(super) enum Usual {
    Result(String),
    Error(ErrorObject),
    /// A listen, with the filter that is acknowledged.
    Listen(String),
}

/// The version that a script speaks.
pub(super) fn version(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Legacy => "2025-11-25",
        Speaks::Modern => "2026-07-28",
    }
}

/// A member of an object of text, as text.
pub(super) fn string_in(object: &str, key: &str) -> Option<String> {
    let members = Members::read(object).ok()?;
    members.get_string(key).map(std::borrow::Cow::into_owned)
}

fn raw_in(object: &str, key: &str) -> Option<String> {
    Members::read(object).ok()?.get(key).map(str::to_owned)
}

impl Script {
    /// What this child answers unless it is told otherwise.
    pub(super) fn usual(&self, method: &str, params: &str, refused: &mut bool) -> Usual {
        if let Some(page) = self.catalog.page(method, params, refused) {
            return match page {
                Ok(result) => Usual::Result(self.whole(&result)),
                Err(error) => Usual::Error(error),
            };
        }
        let answer = match (self.speaks, method) {
            (Speaks::Legacy, "initialize") => Ok(self.greeting()),
            (Speaks::Modern, "server/discover") => Ok(self.discovery()),
            (Speaks::Modern, "subscriptions/listen") => {
                let filter = raw_in(params, "notifications");
                return Usual::Listen(filter.unwrap_or_else(|| "{}".to_owned()));
            }
            (
                Speaks::Legacy,
                "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe",
            ) => Ok("{}".to_owned()),
            (_, "tools/call") => self.call(params),
            (_, "prompts/get") => self.prompt_of(params),
            (_, "resources/read") => self.read(params),
            (_, "completion/complete") => {
                let reference = raw_in(params, "ref").unwrap_or_default();
                let reference = json::quoted(&reference);
                Ok(format!(r#"{{"completion":{{"values":[{reference}]}}}}"#))
            }
            _ => {
                let text = format!("unknown method {method}");
                Err(ErrorObject::new(error::METHOD_NOT_FOUND, text))
            }
        };
        match answer {
            Ok(result) => Usual::Result(self.whole(&result)),
            Err(error) => Usual::Error(error),
        }
    }

    /// A result with what each result of the era has.
    pub(super) fn whole(&self, result: &str) -> String {
        let members = Members::read(result).expect("a script's result is an object");
        if self.speaks == Speaks::Legacy || members.get("resultType").is_some() {
            return result.to_owned();
        }
        ObjectEdit::new(&members).set("resultType", "\"complete\"").finish()
    }

    fn offered(&self) -> String {
        if let Some(capabilities) = &self.capabilities {
            return capabilities.clone();
        }
        let changed = r#"{"listChanged":true}"#;
        let resources = r#"{"listChanged":true,"subscribe":true}"#;
        let Catalog { tools, prompts, resources: own, templates, .. } = &self.catalog;
        let resources = (!own.is_empty() || !templates.is_empty()).then_some(resources);
        let writer = ObjectWriter::new()
            .optional("tools", (!tools.is_empty()).then_some(changed))
            .optional("prompts", (!prompts.is_empty()).then_some(changed))
            .optional("resources", resources)
            .raw("completions", "{}");
        writer.finish().to_string()
    }

    fn greeting(&self) -> String {
        let instructions = self.instructions.as_deref().map(json::quoted);
        ObjectWriter::new()
            .string("protocolVersion", version(self.speaks))
            .raw("capabilities", &self.offered())
            .raw("serverInfo", r#"{"name":"scripted","version":"1"}"#)
            .optional("instructions", instructions.as_deref())
            .finish()
            .to_string()
    }

    fn discovery(&self) -> String {
        let instructions = self.instructions.as_deref().map(json::quoted);
        let info = format!(r#"{{"{}":{{"name":"scripted","version":"1"}}}}"#, meta::SERVER_INFO);
        ObjectWriter::new()
            .raw("supportedVersions", &format!("[\"{}\"]", version(self.speaks)))
            .raw("capabilities", &self.offered())
            .optional("instructions", instructions.as_deref())
            .raw("ttlMs", "0")
            .string("cacheScope", "private")
            .raw("_meta", &info)
            .finish()
            .to_string()
    }

    /// Says which tool was called with what.
    fn call(&self, params: &str) -> Result<String, ErrorObject> {
        let name = string_in(params, "name").unwrap_or_default();
        if !Catalog::has(&self.catalog.tools, "name", &name) {
            let text = format!("Unknown tool: {name}");
            return Err(ErrorObject::new(error::INVALID_PARAMS, text));
        }
        let arguments = raw_in(params, "arguments").unwrap_or_else(|| "{}".to_owned());
        let text = json::quoted(&format!("{name} {arguments}"));
        Ok(format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#))
    }

    fn prompt_of(&self, params: &str) -> Result<String, ErrorObject> {
        let name = string_in(params, "name").unwrap_or_default();
        if !Catalog::has(&self.catalog.prompts, "name", &name) {
            let text = format!("Unknown prompt: {name}");
            return Err(ErrorObject::new(error::INVALID_PARAMS, text));
        }
        let text = json::quoted(&name);
        let content = format!(r#"{{"type":"text","text":{text}}}"#);
        Ok(format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#))
    }

    fn read(&self, params: &str) -> Result<String, ErrorObject> {
        let uri = string_in(params, "uri").unwrap_or_default();
        let uri_text = json::quoted(&uri);
        if self.catalog.has_resource(&uri) {
            return Ok(format!(r#"{{"contents":[{{"uri":{uri_text},"text":"text of it"}}]}}"#));
        }
        let code = match self.speaks {
            Speaks::Legacy => error::RESOURCE_NOT_FOUND_LEGACY,
            Speaks::Modern => error::INVALID_PARAMS,
        };
        let data = Raw::parse(format!(r#"{{"uri":{uri_text}}}"#).into()).expect("an object");
        Err(ErrorObject::new(code, "Resource not found").with_data(data))
    }
}
