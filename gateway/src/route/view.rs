//! What one endpoint shows, and the snapshot of all endpoints that a call reads once.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::capabilities::ServerCapabilities;
use protocol::header::Mirrored;
use protocol::{Raw, extension};

use super::mounted::{Mounted, Naming};
use super::pages::Pages;
use crate::call::{Endpoint, Withheld};

/// Where an exposed name or URI leads.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Place of the mount in the snapshot.
    pub(super) place: usize,
    /// The child's own name or URI.
    pub(super) key: String,
    /// Arguments mirrored in headers, for tools.
    pub(super) mirrored: Arc<[Mirrored]>,
    /// A tool for the interfaces of its server, which clients without any do not see.
    pub(super) for_apps: bool,
}

impl Target {
    /// A name or URI that no list has.
    pub(super) fn unlisted(place: usize, key: String) -> Self {
        Self { place, key, mirrored: Arc::default(), for_apps: false }
    }
}

/// What one endpoint shows.
#[derive(Debug)]
pub struct View {
    pub(super) tools: Pages,
    /// The tools without those that are for interfaces, where there are such.
    pub(super) tools_plain: Option<Pages>,
    pub(super) prompts: Pages,
    pub(super) resources: Pages,
    pub(super) templates: Pages,
    pub(super) tool_targets: HashMap<String, Target>,
    pub(super) prompt_targets: HashMap<String, Target>,
    /// Exposed URIs and templates.
    pub(super) uri_targets: HashMap<String, Target>,
    /// The children's own URIs and templates, with the places of the mounts that have them.
    pub(super) own_uris: HashMap<String, Vec<usize>>,
    /// Literal starts of templates that are exposed unchanged, with the mount's place.
    pub(super) open_templates: Vec<(String, usize)>,
    pub(super) capabilities: ServerCapabilities,
    pub(super) instructions: Option<String>,
    pub(super) public: bool,
    /// What the merge left out: the mount's name and the entry.
    pub(super) withheld: Vec<(Arc<str>, Withheld)>,
    /// Whether names and URIs are the children's own.
    pub(super) bare: bool,
}

impl View {
    /// The tools as a client with these capabilities sees them.
    pub(super) fn tools_for(&self, capabilities: &Raw) -> &Pages {
        match &self.tools_plain {
            Some(plain) if !extension::declares(capabilities, extension::UI) => plain,
            _ => &self.tools,
        }
    }

    /// How many tools, prompts, resources and templates there are.
    pub fn counts(&self) -> [usize; 4] {
        [self.tools.len(), self.prompts.len(), self.resources.len(), self.templates.len()]
    }

    /// What the merge left out, by mount.
    pub fn withheld(&self) -> &[(Arc<str>, Withheld)] {
        &self.withheld
    }

    /// Digests of tools, prompts, and resources with templates, to tell what changed.
    pub(super) fn digests(&self) -> [u64; 3] {
        let resources = self.resources.digest() ^ self.templates.digest().rotate_left(1);
        [self.tools.digest(), self.prompts.digest(), resources]
    }
}

/// All endpoints at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) naming: Naming,
    pub(super) mounts: Vec<Arc<Mounted>>,
    pub(super) merged: View,
    /// By prefix, or by name for mounts without one.
    pub(super) single: HashMap<Arc<str>, View>,
}

impl Snapshot {
    /// What the merge left out of the merged endpoint, by mount.
    pub fn withheld(&self) -> &[(Arc<str>, Withheld)] {
        self.merged.withheld()
    }

    /// What `endpoint` shows; `None` when there is no such endpoint.
    pub fn view(&self, endpoint: &Endpoint) -> Option<&View> {
        match endpoint {
            Endpoint::Merged => Some(&self.merged),
            Endpoint::Mount(prefix) => self.single.get(prefix),
        }
    }
}

/// The last part of the path of a mount's own endpoint.
pub(super) fn endpoint_name(mounted: &Mounted) -> Arc<str> {
    let prefix = if mounted.prefix.is_empty() { &mounted.name } else { &mounted.prefix };
    Arc::clone(prefix)
}
