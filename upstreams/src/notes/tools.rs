//! The tools that change and search the notes.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::store::{Draft, Note};
use super::{Notes, of_list, of_note, uri_of};
use crate::fault::{Code, Fault};

/// Notes that a search shows unless told.
const HITS_DEFAULT: usize = 20;
/// Tags that one list shows at most.
const TAGS_SHOWN_MAX: usize = 1_000;
/// Characters of a note's text in a search result.
const SNIPPET_CHARS: usize = 160;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddArguments {
    /// The title, one line.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// The text, in Markdown, at most 64 KiB.
    #[schemars(length(max = 65_536))]
    text: String,
    /// Words to find the note by.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    tags: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditArguments {
    /// The note's id, as `add` and `search` give it.
    id: u64,
    /// A new title; without one the title stays.
    #[schemars(length(min = 1, max = 200))]
    title: Option<String>,
    /// A new text, at most 64 KiB; without one the text stays.
    #[schemars(length(max = 65_536))]
    text: Option<String>,
    /// New tags in place of the old ones; without any the tags stay.
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RemoveArguments {
    /// The note's id, as `add` and `search` give it.
    id: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchArguments {
    /// Finds notes with this in title or text, in any case; without it every note is found.
    text: Option<String>,
    /// Finds notes with exactly this tag.
    tag: Option<String>,
    /// How many notes to show, the newest first; 20 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// A note without its text.
#[derive(Serialize, JsonSchema)]
struct Saved {
    id: u64,
    /// Where the whole note can be read.
    uri: String,
    title: String,
    tags: Vec<String>,
    /// When it was made, RFC 3339, UTC.
    created: String,
    /// When it was last changed, RFC 3339, UTC.
    modified: String,
}

#[derive(Serialize, JsonSchema)]
struct Removed {
    id: u64,
    title: String,
    /// How many notes are left.
    left: usize,
}

#[derive(Serialize, JsonSchema)]
struct Hit {
    #[serde(flatten)]
    note: Saved,
    /// The beginning of the text.
    snippet: String,
}

#[derive(Serialize, JsonSchema)]
struct Hits {
    /// How many notes match, shown or not.
    total: usize,
    notes: Vec<Hit>,
}

#[derive(Serialize, JsonSchema)]
struct TagCount {
    tag: String,
    /// How many notes carry it.
    notes: usize,
}

#[derive(Serialize, JsonSchema)]
struct TagCounts {
    /// How many tags there are, shown or not.
    total: usize,
    /// By name.
    tags: Vec<TagCount>,
}

impl Saved {
    fn of(note: &Note) -> Self {
        Self {
            id: note.id,
            uri: uri_of(note.id),
            title: note.title.clone(),
            tags: note.tags.iter().cloned().collect(),
            created: note.created.to_string(),
            modified: note.modified.to_string(),
        }
    }
}

impl Hit {
    fn of(note: &Note) -> Self {
        Self { note: Saved::of(note), snippet: note.text.chars().take(SNIPPET_CHARS).collect() }
    }
}

#[tool_router(vis = "pub(super)")]
impl Notes {
    #[tool(
        title = "Add a note",
        description = "Writes a new note and returns its id and URI.",
        annotations(destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    fn add(&self, Parameters(add): Parameters<AddArguments>) -> Result<Json<Saved>, Fault> {
        let draft = Draft::checked(add.title, add.text, add.tags)?;
        let saved = Saved::of(self.store().add(draft, self.now())?);
        self.changes.tell(of_list());
        Ok(Json(saved))
    }

    #[tool(
        title = "Edit a note",
        description = "Changes title, text or tags of a note; what is not given stays.",
        annotations(destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    fn edit(&self, Parameters(edit): Parameters<EditArguments>) -> Result<Json<Saved>, Fault> {
        let EditArguments { id, title, text, tags } = edit;
        if title.is_none() && text.is_none() && tags.is_none() {
            let text = "expected a title, a text or tags to change, came none";
            return Err(Fault::new(Code::Validation, text));
        }
        let mut store = self.store();
        let old = store.get(id).ok_or_else(|| super::store::missing(id))?;
        let draft = Draft::checked(
            title.unwrap_or_else(|| old.title.clone()),
            text.unwrap_or_else(|| old.text.clone()),
            tags.unwrap_or_else(|| old.tags.iter().cloned().collect()),
        )?;
        let (old_title, old_tags) = (old.title.clone(), old.tags.clone());
        let new = store.replace(id, draft, self.now())?;
        let is_retitled = new.title != old_title;
        let change = of_note(id, is_retitled, is_retitled || new.tags != old_tags);
        let saved = Saved::of(new);
        drop(store);
        self.changes.tell(change);
        Ok(Json(saved))
    }

    #[tool(
        title = "Remove a note",
        description = "Removes a note for good.",
        annotations(destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    fn remove(
        &self,
        Parameters(remove): Parameters<RemoveArguments>,
    ) -> Result<Json<Removed>, Fault> {
        let mut store = self.store();
        let note = store.remove(remove.id)?;
        let left = store.len();
        drop(store);
        self.changes.tell(of_note(note.id, true, true));
        Ok(Json(Removed { id: note.id, title: note.title, left }))
    }

    #[tool(
        title = "Search notes",
        description = "Finds notes by text, by tag or by both, the newest first.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn search(&self, Parameters(search): Parameters<SearchArguments>) -> Result<Json<Hits>, Fault> {
        let limit = search.limit.unwrap_or(HITS_DEFAULT);
        let store = self.store();
        let mut matching = store.matching(search.text.as_deref(), search.tag.as_deref());
        let notes: Vec<Hit> = matching.by_ref().take(limit).map(Hit::of).collect();
        let total = notes.len() + matching.count();
        Ok(Json(Hits { total, notes }))
    }

    #[tool(
        title = "List tags",
        description = "Lists the tags in use and how many notes carry each.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn list_tags(&self) -> Json<TagCounts> {
        let store = self.store();
        let counts = store.tags();
        let total = counts.len();
        let shown = counts.into_iter().take(TAGS_SHOWN_MAX);
        let tags = shown.map(|(tag, notes)| TagCount { tag: tag.to_owned(), notes }).collect();
        Json(TagCounts { total, tags })
    }
}
