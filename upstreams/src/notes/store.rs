//! The notes themselves: in memory, bounded, in the order in which they were made.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::fault::{Code, Fault};

/// Notes in one store.
pub(super) const NOTES_MAX: usize = 10_000;
/// Bytes of all titles and texts together; the largest notes alone would fill 625 MiB.
pub(super) const TOTAL_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Characters of a title.
pub(super) const TITLE_CHARS_MAX: usize = 200;
/// Bytes of a text, in UTF-8.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Tags of a note.
pub(super) const TAGS_MAX: usize = 20;
/// Characters of a tag.
pub(super) const TAG_CHARS_MAX: usize = 50;

/// One note.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) tags: BTreeSet<String>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// Title and text in lower case: a search must not fold megabytes each time.
    folded: String,
}

/// What a note is made of, checked: see [`Draft::checked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    title: String,
    text: String,
    tags: BTreeSet<String>,
}

impl Draft {
    /// Checks a note's parts.
    ///
    /// # Errors
    /// A sentence that names the part, its bound and what came.
    pub(super) fn checked(title: String, text: String, tags: Vec<String>) -> Result<Self, String> {
        let title = title.trim().to_owned();
        let characters = title.chars().count();
        if characters == 0 || characters > TITLE_CHARS_MAX {
            return Err(format!(
                "title: expected 1 to {TITLE_CHARS_MAX} characters, came {characters}"
            ));
        }
        if title.contains(char::is_control) {
            return Err("title: expected one line of text, came one with line breaks or other \
                        control characters"
                .to_owned());
        }
        if text.len() > TEXT_BYTES_MAX {
            let came = text.len();
            return Err(format!(
                "text: expected at most {TEXT_BYTES_MAX} bytes, came {came}: make several notes"
            ));
        }
        if tags.len() > TAGS_MAX {
            let came = tags.len();
            return Err(format!("tags: expected at most {TAGS_MAX}, came {came}"));
        }
        let tags = tags.into_iter().map(|tag| checked_tag(&tag)).collect::<Result<_, _>>()?;
        Ok(Self { title, text, tags })
    }

    fn bytes(&self) -> usize {
        self.title.len() + self.text.len()
    }
}

fn checked_tag(tag: &str) -> Result<String, String> {
    let tag = tag.trim();
    let characters = tag.chars().count();
    if characters == 0 || characters > TAG_CHARS_MAX || tag.contains(char::is_control) {
        return Err(format!(
            "tags: expected tags of 1 to {TAG_CHARS_MAX} printable characters, came one of \
             {characters}"
        ));
    }
    Ok(tag.to_owned())
}

impl Note {
    fn new(id: u64, draft: Draft, created: Timestamp, modified: Timestamp) -> Self {
        let Draft { title, text, tags } = draft;
        let folded = format!("{title}\n{text}").to_lowercase();
        Self { id, title, text, tags, created, modified, folded }
    }

    fn bytes(&self) -> usize {
        self.title.len() + self.text.len()
    }
}

/// All notes. Ids count up from 1 and are never used again.
#[derive(Debug, Default)]
pub(super) struct Store {
    notes: BTreeMap<u64, Note>,
    made: u64,
    bytes: usize,
}

impl Store {
    /// Adds a note.
    ///
    /// # Errors
    /// When [`NOTES_MAX`] or [`TOTAL_BYTES_MAX`] would be exceeded.
    pub(super) fn add(&mut self, draft: Draft, now: Timestamp) -> Result<&Note, Fault> {
        if self.notes.len() >= NOTES_MAX {
            let text = format!("the store is full: {NOTES_MAX} notes; remove some first");
            return Err(Fault::new(Code::Limited, text));
        }
        self.bytes = self.fits(self.bytes, draft.bytes())?;
        self.made += 1;
        let note = Note::new(self.made, draft, now, now);
        Ok(self.notes.entry(self.made).or_insert(note))
    }

    /// Puts other contents into a note.
    ///
    /// # Errors
    /// When there is no such note, or [`TOTAL_BYTES_MAX`] would be exceeded.
    pub(super) fn replace(
        &mut self,
        id: u64,
        draft: Draft,
        now: Timestamp,
    ) -> Result<&Note, Fault> {
        let (created, old) = match self.notes.get(&id) {
            Some(note) => (note.created, note.bytes()),
            None => return Err(missing(id)),
        };
        self.bytes = self.fits(self.bytes - old, draft.bytes())?;
        let note = self.notes.entry(id).insert_entry(Note::new(id, draft, created, now));
        Ok(note.into_mut())
    }

    /// Takes a note out.
    ///
    /// # Errors
    /// When there is no such note.
    pub(super) fn remove(&mut self, id: u64) -> Result<Note, Fault> {
        let note = self.notes.remove(&id).ok_or_else(|| missing(id))?;
        self.bytes -= note.bytes();
        Ok(note)
    }

    /// One note.
    pub(super) fn get(&self, id: u64) -> Option<&Note> {
        self.notes.get(&id)
    }

    /// How many notes there are.
    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    /// The notes after `id`, oldest first.
    pub(super) fn after(&self, id: u64) -> impl Iterator<Item = &Note> {
        self.notes.range(id.saturating_add(1)..).map(|(_, note)| note)
    }

    /// The notes that contain `text` (in any case) and carry `tag`, newest first.
    pub(super) fn matching<'a>(
        &'a self,
        text: Option<&str>,
        tag: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Note> {
        let text = text.map(str::to_lowercase);
        self.notes.values().rev().filter(move |note| {
            text.as_ref().is_none_or(|text| note.folded.contains(text))
                && tag.is_none_or(|tag| note.tags.contains(tag))
        })
    }

    /// Every tag with the number of notes that carry it, by name.
    pub(super) fn tags(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for tag in self.notes.values().flat_map(|note| &note.tags) {
            *counts.entry(tag.as_str()).or_default() += 1;
        }
        counts
    }

    fn fits(&self, held: usize, more: usize) -> Result<usize, Fault> {
        let bytes = held + more;
        if bytes > TOTAL_BYTES_MAX {
            let text = format!(
                "the store is full: all notes together may have {TOTAL_BYTES_MAX} bytes, this \
                 would make {bytes}; remove some first"
            );
            return Err(Fault::new(Code::Limited, text));
        }
        Ok(bytes)
    }
}

/// What is said of an id that no note has.
pub(super) fn missing(id: u64) -> Fault {
    Fault::not_found(format!("there is no note {id}: `search` finds those there are"))
}
