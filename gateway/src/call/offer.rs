//! What one child offers: its catalog, entry by entry, raw.

use std::sync::Arc;

use protocol::Raw;
use protocol::capabilities::ServerCapabilities;
use protocol::header::Mirrored;

/// What a child says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Era and version in words, such as `modern 2026-07-28`; for people only.
    pub speaks: String,
    /// `Implementation`, self-reported.
    pub server_info: Option<Raw>,
    /// What it offers.
    pub capabilities: ServerCapabilities,
    /// How a model should use it.
    pub instructions: Option<String>,
    /// Whether it may remember what a client's session did, so that the session stays with it.
    pub keeps_state: bool,
}

/// One tool, prompt, resource or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The child's own name, URI or template.
    pub key: String,
    /// The entry, byte for byte.
    pub raw: Raw,
    /// For tools: arguments to mirror in headers.
    pub mirrored: Arc<[Mirrored]>,
}

/// An entry that is not shown, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The list, such as `tools/list`.
    pub list: &'static str,
    /// The name or URI; a position where it has none.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The whole catalog of one child: every page, the last good state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// What the child says of itself.
    pub about: About,
    /// Its tools.
    pub tools: Vec<Entry>,
    /// Its prompts.
    pub prompts: Vec<Entry>,
    /// Its resources.
    pub resources: Vec<Entry>,
    /// Its resource templates.
    pub templates: Vec<Entry>,
    /// What was left out.
    pub withheld: Vec<Withheld>,
    /// Whether the child allows the lists to be shared between callers.
    pub public: bool,
}
