//! Reading a child's whole catalog: every page, within bounds, bad entries left out with a reason.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::header;
use protocol::json::{self, Members, ObjectWriter};
use protocol::{Method, Raw, error};
use tokio::time::timeout;

use super::{MountSettings, entry};
use crate::call::{Call, Caller, Entry, Fault, Kind, Link, List, Offer, Withheld};

/// A name or URI longer than this, in bytes, is withheld: no provider takes it.
const KEY_BYTES_MAX: usize = 4096;
/// Entries left out that are remembered with their reasons, per list.
const WITHHELD_MAX: usize = 100;

/// What was read, and how long it may be kept without asking.
pub(super) struct Collected {
    pub(super) offer: Offer,
    /// The shortest `ttlMs` above zero that the child gave.
    pub(super) ttl: Option<Duration>,
}

/// Reads the lists in `wanted` anew and takes the others from `last`.
///
/// # Errors
/// The fault of the first page that could not be had; what was read before it is dropped, so that
/// a catalog is never half of one state and half of another.
pub(super) async fn collect(
    link: &dyn Link,
    settings: &MountSettings,
    last: Option<&Offer>,
    wanted: &[List],
) -> Result<Collected, Fault> {
    let about = link.about().clone();
    let has = about.capabilities;
    let mut offer = last.cloned().unwrap_or_default();
    let mut reader = Reader { link, settings, ttl: None, public: true, withheld: Vec::new() };
    if wanted.contains(&List::Tools) {
        offer.tools = reader.list(has.tools, &TOOLS).await?;
    }
    if wanted.contains(&List::Prompts) {
        offer.prompts = reader.list(has.prompts, &PROMPTS).await?;
    }
    if wanted.contains(&List::Resources) {
        offer.resources = reader.list(has.resources, &RESOURCES).await?;
        offer.templates = reader.list(has.resources, &TEMPLATES).await?;
    }
    let anew = |one: &Withheld| {
        wanted.iter().any(|list| match list {
            List::Tools => one.list == TOOLS.name,
            List::Prompts => one.list == PROMPTS.name,
            List::Resources => one.list == RESOURCES.name || one.list == TEMPLATES.name,
        })
    };
    offer.withheld.retain(|one| !anew(one));
    offer.withheld.append(&mut reader.withheld);
    offer.public = reader.public && last.is_none_or(|last| last.public);
    offer.about = about;
    Ok(Collected { offer, ttl: reader.ttl })
}

/// One of the four lists on the wire.
struct Shape {
    method: Method,
    name: &'static str,
    member: &'static str,
    key: &'static str,
    entry: entry::Shape,
}

const TOOLS: Shape = Shape {
    method: Method::ToolsList,
    name: "tools/list",
    member: "tools",
    key: "name",
    entry: entry::TOOL,
};
const PROMPTS: Shape = Shape {
    method: Method::PromptsList,
    name: "prompts/list",
    member: "prompts",
    key: "name",
    entry: entry::PROMPT,
};
const RESOURCES: Shape = Shape {
    method: Method::ResourcesList,
    name: "resources/list",
    member: "resources",
    key: "uri",
    entry: entry::RESOURCE,
};
const TEMPLATES: Shape = Shape {
    method: Method::TemplatesList,
    name: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
    entry: entry::TEMPLATE,
};

struct Reader<'a> {
    link: &'a dyn Link,
    settings: &'a MountSettings,
    ttl: Option<Duration>,
    public: bool,
    withheld: Vec<Withheld>,
}

impl Reader<'_> {
    async fn list(&mut self, advertised: bool, shape: &Shape) -> Result<Vec<Entry>, Fault> {
        if !advertised {
            return Ok(Vec::new());
        }
        match self.pages(shape).await {
            // A server may have tools and no handler for their list, or templates unknown to it.
            Err(Fault { kind: Kind::Child(child), .. })
                if child.code == error::METHOD_NOT_FOUND =>
            {
                Ok(Vec::new())
            }
            Err(Fault { kind: Kind::Child(child), .. }) if child.code == error::INVALID_PARAMS => {
                // A cursor that the child gave and no longer takes: once more from the start
                // (check 161).
                self.withheld.retain(|one| one.list != shape.name);
                self.pages(shape).await
            }
            other => other,
        }
    }

    async fn pages(&mut self, shape: &Shape) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        let mut cursors = HashSet::new();
        let mut cursor: Option<String> = None;
        for page in 0.. {
            if page == self.settings.pages_max {
                self.withhold(shape, "…", format!("the list has more than {page} pages"));
                break;
            }
            let result = self.page(shape, cursor.as_deref()).await?;
            let next = self.entries(shape, &result, &mut keys, &mut entries)?;
            if entries.len() >= self.settings.entries_max {
                let max = self.settings.entries_max;
                entries.truncate(max);
                self.withhold(shape, "…", format!("the list has {max} entries or more"));
                break;
            }
            let Some(next) = next else { break };
            if !cursors.insert(next.clone()) {
                self.withhold(shape, "…", "the child gave the same cursor twice".to_owned());
                break;
            }
            cursor = Some(next);
        }
        Ok(entries)
    }

    async fn page(&self, shape: &Shape, cursor: Option<&str>) -> Result<Raw, Fault> {
        let cursor = cursor.map(json::quoted);
        let params = ObjectWriter::new().optional("cursor", cursor.as_deref()).finish();
        let call = Call::own(shape.method.clone(), params, Caller::gateway());
        let wait = self.settings.timeout;
        let reply = timeout(wait, self.link.serve(call)).await.map_err(|_| {
            let mount = Arc::clone(&self.settings.name);
            Fault::new(
                Kind::Timeout { mount },
                format!("no answer to {} in {} s", shape.name, wait.as_secs()),
            )
        })??;
        Ok(reply.result)
    }

    /// Takes the entries of one page and returns the next cursor; an empty one counts (check 158).
    fn entries(
        &mut self,
        shape: &Shape,
        result: &Raw,
        keys: &mut HashSet<String>,
        entries: &mut Vec<Entry>,
    ) -> Result<Option<String>, Fault> {
        let members = Members::read(result).map_err(|fault| self.bad(shape, &fault.0))?;
        let list = members.get(shape.member).and_then(json::elements);
        let Some(list) = list else {
            return Err(self.bad(shape, &format!("`{}` is no array", shape.member)));
        };
        for text in list {
            let at = entries.len();
            match self.entry(shape, result.slice(text)) {
                Ok(entry) if keys.contains(&entry.key) => {
                    self.withhold(shape, &entry.key, "it stands twice in the list".to_owned());
                }
                Ok(entry) => {
                    keys.insert(entry.key.clone());
                    entries.push(entry);
                }
                Err((key, reason)) => {
                    let key = key.unwrap_or_else(|| format!("entry {at}"));
                    self.withhold(shape, &key, reason);
                }
            }
        }
        self.public &= members.get_string("cacheScope").as_deref() == Some("public");
        let ttl = members.get("ttlMs").and_then(|text| text.parse().ok()).filter(|ttl| *ttl > 0);
        let ttl = ttl.map(Duration::from_millis);
        self.ttl = [self.ttl, ttl].into_iter().flatten().min();
        match members.get("nextCursor") {
            None | Some("null") => Ok(None),
            Some(text) => match json::string(text) {
                Some(cursor) => Ok(Some(cursor.into_owned())),
                None => Err(self.bad(shape, "`nextCursor` is no string")),
            },
        }
    }

    /// Checks one entry as far as routing and clients need it, and mends what can be.
    fn entry(&self, shape: &Shape, raw: Raw) -> Result<Entry, (Option<String>, String)> {
        let members = Members::read(&raw).map_err(|fault| (None, fault.0))?;
        let key = members.get_string(shape.key).map(std::borrow::Cow::into_owned);
        let fault = |reason: String| (key.clone(), reason);
        let Some(name) = key.clone().filter(|key| !key.is_empty()) else {
            return Err(fault(format!("`{}` is missing or no string", shape.key)));
        };
        if name.len() > KEY_BYTES_MAX {
            let shown: String = name.chars().take(40).collect();
            let reason = format!("`{}` is longer than {KEY_BYTES_MAX} bytes", shape.key);
            return Err((Some(shown), reason));
        }
        let raw = entry::fit(shape.entry, &raw).map_err(fault)?;
        let mut mirrored = Vec::new();
        if shape.method == Method::ToolsList {
            match header::mirrored(members.get("inputSchema").unwrap_or_default()) {
                Ok(found) => mirrored = found,
                Err(reason) if self.settings.remote => return Err(fault(reason)),
                Err(_) => {}
            }
        }
        Ok(Entry { key: name, raw, mirrored: mirrored.into() })
    }

    fn withhold(&mut self, shape: &Shape, key: &str, reason: String) {
        let mount = &self.settings.name;
        tracing::warn!(%mount, list = shape.name, key, %reason, "an entry is withheld");
        let held = self.withheld.iter().filter(|one| one.list == shape.name).count();
        if held < WITHHELD_MAX {
            self.withheld.push(Withheld { list: shape.name, key: key.to_owned(), reason });
        }
    }

    fn bad(&self, shape: &Shape, reason: &str) -> Fault {
        let mount = Arc::clone(&self.settings.name);
        let text = format!("the answer to {} is none: {reason}", shape.name);
        Fault::new(Kind::BadAnswer { mount }, text)
    }
}
