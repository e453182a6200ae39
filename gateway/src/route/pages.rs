//! One list of the catalog: its entries in order and its pages, written once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use protocol::Raw;
use protocol::cursor::Cursor;
use protocol::json::{self, ObjectWriter};

/// One entry as clients see it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// The mount's name, for cursors.
    pub(super) mount: Arc<str>,
    /// The mount's place in the file.
    pub(super) place: usize,
    /// The exposed name or URI.
    pub(super) key: String,
    /// The entry, with what had to be rewritten.
    pub(super) raw: Raw,
    /// A tool that clients without interfaces do not see.
    pub(super) for_apps: bool,
}

/// What stands in the page beside the entries.
#[derive(Debug, Clone)]
pub(super) struct PageHead {
    /// The method, such as `tools/list`.
    pub(super) method: &'static str,
    /// The member that holds the entries, such as `tools`.
    pub(super) member: &'static str,
    /// Entries on a page.
    pub(super) entries: usize,
    /// `ttlMs`.
    pub(super) ttl_ms: u64,
    /// Whether `cacheScope` is `public`.
    pub(super) public: bool,
}

/// A whole list.
#[derive(Debug)]
pub(super) struct Pages {
    head: PageHead,
    listed: Vec<Listed>,
    first: Raw,
    digest: u64,
}

impl Pages {
    /// Sorts the entries (mounts in file order, keys within a mount) and writes the first page.
    pub(super) fn new(head: PageHead, mut listed: Vec<Listed>) -> Self {
        listed.sort_by(|one, other| {
            (one.place, one.key.as_str()).cmp(&(other.place, other.key.as_str()))
        });
        let mut hasher = DefaultHasher::new();
        for entry in &listed {
            entry.raw.as_str().hash(&mut hasher);
        }
        let digest = hasher.finish();
        let first = write(&head, &listed, 0);
        Self { head, listed, first, digest }
    }

    /// The page behind `cursor`, or the first; `None` when the cursor is not one of this list.
    pub(super) fn page(&self, cursor: Option<&str>) -> Option<Raw> {
        let Some(text) = cursor else { return Some(self.first.clone()) };
        let cursor = Cursor::read(text).filter(|cursor| cursor.list == self.head.method)?;
        let place = self.listed.iter().find(|entry| *entry.mount == *cursor.mount)?.place;
        let behind = |entry: &Listed| (entry.place, entry.key.as_str()) <= (place, &cursor.key);
        let start = self.listed.partition_point(behind);
        Some(write(&self.head, &self.listed, start))
    }

    /// Differs when, and only when, what clients see differs.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.listed.iter().map(|entry| entry.key.as_str())
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }
}

fn write(head: &PageHead, listed: &[Listed], start: usize) -> Raw {
    let end = listed.len().min(start.saturating_add(head.entries));
    let page = listed.get(start..end).unwrap_or_default();
    let entries = json::array(page.iter().map(|entry| entry.raw.as_str()));
    let mut object = ObjectWriter::new().raw(head.member, &entries);
    if let Some(last) = page.last().filter(|_| end < listed.len()) {
        let cursor = Cursor {
            list: head.method.to_owned(),
            mount: last.mount.to_string(),
            key: last.key.clone(),
        };
        object = object.string("nextCursor", &cursor.write());
    }
    let scope = if head.public { "public" } else { "private" };
    object.raw("ttlMs", &head.ttl_ms.to_string()).string("cacheScope", scope).finish()
}
