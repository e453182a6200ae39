//! The notes as resources: pages of them, one of them, and an index of all.

use rmcp::ErrorData;
use rmcp::model::{
    ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use std::fmt::Write as _;

use super::store::{Note, Store};
use super::{INDEX_URI, id_in, uri_of};
use crate::fault::Fault;

/// Resources on one page of `resources/list`.
pub(super) const PAGE: usize = 50;
/// Notes that the index names, the newest; beyond, it says how many there are.
const INDEXED_MAX: usize = 1_000;
const MARKDOWN: &str = "text/markdown";

/// One page: the index first, then the notes in the order in which they were made.
///
/// # Errors
/// `-32602` for a cursor that is none of ours.
pub(super) fn page(store: &Store, cursor: Option<&str>) -> Result<ListResourcesResult, ErrorData> {
    let mut resources = Vec::with_capacity(PAGE);
    let after = match cursor {
        Some(cursor) => cursor.parse().map_err(|_| bad_cursor(cursor))?,
        None => {
            resources.push(index_entry());
            0
        }
    };
    let mut notes = store.after(after).peekable();
    let mut last = after;
    while resources.len() < PAGE
        && let Some(note) = notes.next()
    {
        resources.push(entry(note));
        last = note.id;
    }
    let mut page = ListResourcesResult::with_all_items(resources);
    page.next_cursor = notes.peek().map(|_| last.to_string());
    Ok(page)
}

/// The template under which every note is found.
pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new(format!("{INDEX_URI}/{{id}}"), "note")
        .with_title("A note")
        .with_description("One note by its id: title, tags and text.")
        .with_mime_type(MARKDOWN)
}

/// The contents of a note, or of the index.
///
/// # Errors
/// Resource not found, with `data.uri`.
pub(super) fn read(store: &Store, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let text = if uri == INDEX_URI {
        index(store)
    } else {
        id_in(uri).and_then(|id| store.get(id)).map(markdown).ok_or_else(|| not_found(uri))?
    };
    let contents = ResourceContents::text(text, uri).with_mime_type(MARKDOWN);
    Ok(ReadResourceResult::new(vec![contents]))
}

/// A note as Markdown.
pub(super) fn markdown(note: &Note) -> String {
    let mut text = format!("# {}\n\n", note.title);
    if !note.tags.is_empty() {
        let tags: Vec<&str> = note.tags.iter().map(String::as_str).collect();
        // Writing to a string does not fail.
        writeln!(text, "Tags: {}\n", tags.join(", ")).ok();
    }
    text.push_str(&note.text);
    text
}

fn index(store: &Store) -> String {
    let count = store.len();
    let mut text = format!("# Notes ({count})\n\n");
    for note in store.matching(None, None).take(INDEXED_MAX) {
        let tags: String = note.tags.iter().map(|tag| format!(" #{tag}")).collect();
        writeln!(text, "- [{}]({}){tags}", note.title, uri_of(note.id)).ok();
    }
    if count > INDEXED_MAX {
        writeln!(text, "\n{} older notes are not shown.", count - INDEXED_MAX).ok();
    }
    text
}

fn index_entry() -> Resource {
    Resource::new(INDEX_URI, "notes")
        .with_title("All notes")
        .with_description("An index of the notes, the newest first.")
        .with_mime_type(MARKDOWN)
}

fn entry(note: &Note) -> Resource {
    Resource::new(uri_of(note.id), format!("note-{}", note.id))
        .with_title(note.title.clone())
        .with_mime_type(MARKDOWN)
}

fn bad_cursor(cursor: &str) -> ErrorData {
    let shown: String = cursor.chars().take(40).collect();
    let text = format!("cursor: expected one that this list gave, came `{shown}`; begin without");
    Fault::from(text).into_error()
}

fn not_found(uri: &str) -> ErrorData {
    let shown: String = uri.chars().take(200).collect();
    let text = format!("there is no resource `{shown}`: notes are at {INDEX_URI}/<id>");
    Fault::not_found(text).into_error_of(Some(uri))
}
