//! The lists of a scripted child: pages, and the odd ways to count them.

use protocol::json::{self, Members, ObjectWriter};
use protocol::{ErrorObject, Raw, error};

use super::script::{Catalog, Paging};

impl Catalog {
    /// The entries and the member of the list that this method asks for.
    fn list(&self, method: &str) -> Option<(&[String], &'static str)> {
        Some(match method {
            "tools/list" => (&self.tools, "tools"),
            "prompts/list" => (&self.prompts, "prompts"),
            "resources/list" => (&self.resources, "resources"),
            "resources/templates/list" => (&self.templates, "resourceTemplates"),
            _ => return None,
        })
    }

    /// The page that these params ask for; `None` when the method asks for no list.
    pub(super) fn page(
        &self,
        method: &str,
        params: &str,
        refused: &mut bool,
    ) -> Option<Result<String, ErrorObject>> {
        let (entries, member) = self.list(method)?;
        let members = Members::read(params).ok();
        let cursor = members.as_ref().and_then(|members| members.get_string("cursor"));
        if self.paging == Paging::ForgetsOnce && cursor.is_some() && !*refused {
            *refused = true;
            let text = "this cursor is forgotten";
            return Some(Err(ErrorObject::new(error::INVALID_PARAMS, text)));
        }
        let size = if self.page_entries == 0 { entries.len().max(1) } else { self.page_entries };
        let start = match (cursor.as_deref(), self.paging) {
            (None, _) | (_, Paging::SameCursor) => 0,
            (Some(""), _) => size,
            (Some(text), _) => match text.parse() {
                Ok(start) => start,
                Err(_) => {
                    let text = format!("no cursor of mine: {text}");
                    return Some(Err(ErrorObject::new(error::INVALID_PARAMS, text)));
                }
            },
        };
        let end = entries.len().min(start.saturating_add(size));
        let page = entries.get(start..end).unwrap_or_default();
        let next = match self.paging {
            Paging::Endless => Some((start + size).to_string()),
            Paging::SameCursor => Some("again".to_owned()),
            Paging::EmptyCursor if start == 0 && end < entries.len() => Some(String::new()),
            _ if end < entries.len() => Some(end.to_string()),
            _ => None,
        };
        let list = json::array(page.iter().map(String::as_str));
        let next = next.map(|next| json::quoted(&next));
        let scope = self.cache_scope.as_deref().map(json::quoted);
        let result = ObjectWriter::new()
            .raw(member, &list)
            .optional("nextCursor", next.as_deref())
            .optional("ttlMs", self.ttl_ms.as_deref())
            .optional("cacheScope", scope.as_deref());
        Some(Ok(result.finish().to_string()))
    }

    /// Whether there is an entry with this key.
    pub(super) fn has(entries: &[String], member: &str, key: &str) -> bool {
        entries.iter().any(|entry| key_of(entry, member).as_deref() == Some(key))
    }

    /// Whether a resource has this URI, or a template begins like it.
    pub(super) fn has_resource(&self, uri: &str) -> bool {
        let fits = |template: &String| {
            let template = key_of(template, "uriTemplate").unwrap_or_default();
            template.contains('{') && uri.starts_with(protocol::uri::literal_start(&template))
        };
        Self::has(&self.resources, "uri", uri) || self.templates.iter().any(fits)
    }

    /// The tool of this name.
    pub(super) fn tool(&self, name: &str) -> Option<Raw> {
        let tool = self.tools.iter().find(|tool| key_of(tool, "name").as_deref() == Some(name))?;
        Raw::parse(tool.clone().into()).ok()
    }
}

fn key_of(entry: &str, member: &str) -> Option<String> {
    let members = Members::read(entry).ok()?;
    members.get_string(member).map(std::borrow::Cow::into_owned)
}
