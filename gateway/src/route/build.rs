//! Merging what the mounts offer into what one endpoint shows.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fmt::Write as _;
use std::sync::Arc;

use protocol::capabilities::ServerCapabilities;
use protocol::{NotJson, Raw, extension, name, rewrite, uri};

use super::mounted::{Mounted, Naming, Rules};
use super::pages::{Listed, PageHead, Pages};
use super::view::{Snapshot, Target, View, endpoint_name};
use crate::call::{Entry, Offer, Withheld};

type Mount = (Arc<Mounted>, Option<Arc<Offer>>);

impl Snapshot {
    /// The state of all endpoints for these mounts, in file order, with what they offer so far.
    pub fn new(naming: Naming, mounts: &[(Arc<Mounted>, Option<Arc<Offer>>)]) -> Self {
        let merged = view(&naming, mounts, None);
        let single = mounts.iter().enumerate().map(|(place, (mounted, _))| {
            (endpoint_name(mounted), view(&naming, mounts, Some(place)))
        });
        Self {
            merged,
            single: single.collect(),
            mounts: mounts.iter().map(|(mounted, _)| Arc::clone(mounted)).collect(),
            naming,
        }
    }
}

/// The view of the merged endpoint, or of the mount at `only`.
fn view(naming: &Naming, mounts: &[Mount], only: Option<usize>) -> View {
    let mut merge = Merge { naming, bare: only.is_some(), ..Merge::empty(naming) };
    let mut capabilities = ServerCapabilities::of_gateway();
    let mut public = true;
    let shown = mounts.iter().enumerate().filter(|(place, _)| only.is_none_or(|one| one == *place));
    let shown: Vec<_> = shown.collect();
    for (place, (mounted, offer)) in &shown {
        let Some(offer) = offer else {
            public = false;
            continue;
        };
        capabilities = capabilities.merge(offer.about.capabilities);
        public &= offer.public;
        merge.tools(*place, mounted, offer);
        merge.prompts(*place, mounted, offer);
        merge.resources(*place, mounted, offer);
    }
    let instructions = instructions(naming, &shown, only.is_some());
    merge.finish(capabilities, public, instructions)
}

struct Merge<'n> {
    naming: &'n Naming,
    bare: bool,
    lists: [Vec<Listed>; 4],
    tools: HashMap<String, Target>,
    prompts: HashMap<String, Target>,
    uris: HashMap<String, Target>,
    own_uris: HashMap<String, Vec<usize>>,
    open_templates: Vec<(String, usize)>,
    withheld: Vec<(Arc<str>, Withheld)>,
}

const TOOLS: usize = 0;
const PROMPTS: usize = 1;
const RESOURCES: usize = 2;
const TEMPLATES: usize = 3;
const METHODS: [&str; 4] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];
const MEMBERS: [&str; 4] = ["tools", "prompts", "resources", "resourceTemplates"];

impl<'n> Merge<'n> {
    fn empty(naming: &'n Naming) -> Self {
        Self {
            naming,
            bare: false,
            lists: Default::default(),
            tools: HashMap::new(),
            prompts: HashMap::new(),
            uris: HashMap::new(),
            own_uris: HashMap::new(),
            open_templates: Vec::new(),
            withheld: Vec::new(),
        }
    }

    fn exposed_name(&self, mounted: &Mounted, rules: &Rules, own: &str) -> String {
        if self.bare {
            return own.to_owned();
        }
        let shown = name::expose(&mounted.prefix, &self.naming.separator, rules.shown(own));
        name::bounded(&shown, self.naming.name_max).into_owned()
    }

    fn exposed_uri(&self, mounted: &Mounted, own: &str) -> String {
        if self.bare || mounted.shape.keep_uris {
            own.to_owned()
        } else {
            uri::expose(&mounted.prefix, own)
        }
    }

    fn tools(&mut self, place: usize, mounted: &Arc<Mounted>, offer: &Offer) {
        for entry in &offer.tools {
            let rules = &mounted.shape.tools;
            if (rules.hidden)(&entry.key) {
                continue;
            }
            let shown = self.exposed_name(mounted, rules, &entry.key);
            let raw = named(entry, &shown)
                .map(|raw| rewrite::tool_entry(&raw, &|own| Some(self.exposed_uri(mounted, own))));
            self.add(TOOLS, place, mounted, entry, shown, raw);
        }
    }

    fn prompts(&mut self, place: usize, mounted: &Arc<Mounted>, offer: &Offer) {
        for entry in &offer.prompts {
            let rules = &mounted.shape.prompts;
            if (rules.hidden)(&entry.key) {
                continue;
            }
            let shown = self.exposed_name(mounted, rules, &entry.key);
            let raw = named(entry, &shown);
            self.add(PROMPTS, place, mounted, entry, shown, raw);
        }
    }

    fn resources(&mut self, place: usize, mounted: &Arc<Mounted>, offer: &Offer) {
        for (list, member, entries) in
            [(RESOURCES, "uri", &offer.resources), (TEMPLATES, "uriTemplate", &offer.templates)]
        {
            for entry in entries {
                let shown = self.exposed_uri(mounted, &entry.key);
                let owners = self.own_uris.entry(entry.key.clone()).or_default();
                if owners.last() != Some(&place) {
                    owners.push(place);
                }
                let start = uri::literal_start(&entry.key);
                if list == TEMPLATES && shown == entry.key && !start.is_empty() {
                    self.open_templates.push((start.to_owned(), place));
                }
                let raw = match shown == entry.key {
                    true => Ok(entry.raw.clone()),
                    false => rewrite::set_string(&entry.raw, member, &shown),
                };
                self.add(list, place, mounted, entry, shown, raw);
            }
        }
    }

    /// Lists an entry and remembers where it leads, unless an earlier mount has the same key.
    fn add(
        &mut self,
        list: usize,
        place: usize,
        mounted: &Arc<Mounted>,
        entry: &Entry,
        key: String,
        raw: Result<Raw, NotJson>,
    ) {
        let targets = match list {
            TOOLS => &mut self.tools,
            PROMPTS => &mut self.prompts,
            _ => &mut self.uris,
        };
        let reason = match (targets.entry(key.clone()), raw) {
            (Slot::Vacant(slot), Ok(raw)) => {
                let mirrored = Arc::clone(&entry.mirrored);
                let for_apps = list == TOOLS && extension::is_for_apps(&raw);
                slot.insert(Target { place, key: entry.key.clone(), mirrored, for_apps });
                let mount = Arc::clone(&mounted.name);
                if let Some(listed) = self.lists.get_mut(list) {
                    listed.push(Listed { mount, place, key, raw, for_apps });
                }
                return;
            }
            (Slot::Occupied(_), _) => format!("`{key}` is taken by an earlier mount or entry"),
            (Slot::Vacant(_), Err(fault)) => fault.0,
        };
        let list = METHODS.get(list).copied().unwrap_or_default();
        let withheld = Withheld { list, key: entry.key.clone(), reason };
        self.withheld.push((Arc::clone(&mounted.name), withheld));
    }

    fn finish(
        self,
        capabilities: ServerCapabilities,
        public: bool,
        instructions: Option<String>,
    ) -> View {
        let ttl_ms = u64::try_from(self.naming.ttl.as_millis()).unwrap_or(u64::MAX);
        let head = |list: usize| PageHead {
            method: METHODS.get(list).copied().unwrap_or_default(),
            member: MEMBERS.get(list).copied().unwrap_or_default(),
            entries: self.naming.page_entries.max(1),
            ttl_ms,
            public,
        };
        let [tools, prompts, resources, templates] = self.lists;
        let has_apps = tools.iter().any(|tool| tool.for_apps);
        let plain = || tools.iter().filter(|tool| !tool.for_apps).cloned().collect();
        // Who may keep a list for others does not know which capabilities they have.
        let tools_head = || PageHead { public: public && !has_apps, ..head(TOOLS) };
        View {
            tools_plain: has_apps.then(|| Pages::new(tools_head(), plain())),
            tools: Pages::new(tools_head(), tools),
            prompts: Pages::new(head(PROMPTS), prompts),
            resources: Pages::new(head(RESOURCES), resources),
            templates: Pages::new(head(TEMPLATES), templates),
            tool_targets: self.tools,
            prompt_targets: self.prompts,
            uri_targets: self.uris,
            own_uris: self.own_uris,
            open_templates: self.open_templates,
            capabilities,
            instructions,
            public,
            withheld: self.withheld,
            bare: self.bare,
        }
    }
}

fn named(entry: &Entry, shown: &str) -> Result<Raw, NotJson> {
    if shown == entry.key {
        return Ok(entry.raw.clone());
    }
    rewrite::set_string(&entry.raw, "name", shown)
}

/// The gateway's instructions, then each child's under a heading that names its prefix.
fn instructions(naming: &Naming, shown: &[(usize, &Mount)], bare: bool) -> Option<String> {
    let mut text = match bare {
        true => String::new(),
        false => naming.instructions.clone().unwrap_or_default(),
    };
    for (_, (mounted, offer)) in shown {
        let told = offer.as_ref().and_then(|offer| offer.about.instructions.as_deref());
        let Some(told) = told.filter(|told| !told.trim().is_empty()) else { continue };
        if bare {
            text.push_str(told);
            continue;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let prefix = &mounted.prefix;
        let named = match prefix.is_empty() {
            true => format!("# {}", mounted.name),
            false => {
                format!("# {} (names begin with `{prefix}{}`)", mounted.name, naming.separator)
            }
        };
        // Writing to a string cannot fail.
        let _written = write!(text, "{named}\n{told}");
    }
    (!text.is_empty()).then_some(text)
}
