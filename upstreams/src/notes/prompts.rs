//! The prompts over notes, and the completion of their arguments.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CompleteRequestParams, CompletionInfo, ContentBlock, GetPromptResult, PromptMessage, Reference,
    ResourceContents, Role,
};
use rmcp::{ErrorData, prompt, prompt_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::resources::{markdown, template};
use super::store::{Note, missing};
use super::{Notes, uri_of};
use crate::fault::Fault;

/// Notes that one prompt carries at most.
const SUMMARIZED_MAX: usize = 50;
/// Bytes of notes that one prompt carries at most, but always one note.
const SUMMARIZED_BYTES_MAX: usize = 256 * 1024;

#[derive(Deserialize, JsonSchema)]
struct SummarizeArguments {
    /// Only notes with this tag; without it all notes.
    tag: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct ReviewArguments {
    /// The id of the note.
    id: String,
}

#[prompt_router(vis = "pub(super)")]
impl Notes {
    /// Asks for a summary of the notes, or of those with one tag.
    #[prompt(title = "Summarize notes")]
    fn summarize_notes(
        &self,
        Parameters(SummarizeArguments { tag }): Parameters<SummarizeArguments>,
    ) -> Result<GetPromptResult, ErrorData> {
        let store = self.store();
        let mut matching = store.matching(None, tag.as_deref()).peekable();
        let mut messages = Vec::new();
        let mut bytes = 0;
        while let Some(note) = matching.peek() {
            bytes += note.text.len();
            let is_full = messages.len() >= SUMMARIZED_MAX || bytes > SUMMARIZED_BYTES_MAX;
            if is_full && !messages.is_empty() {
                break;
            }
            messages.push(PromptMessage::new(Role::User, embedded(note)));
            matching.next();
        }
        let of = tag.as_ref().map(|tag| format!(" with the tag `{tag}`")).unwrap_or_default();
        if messages.is_empty() {
            return Err(Fault::not_found(format!("there is no note{of}")).into_error());
        }
        let shown = messages.len();
        let left_out = match matching.count() {
            0 => String::new(),
            more => format!(" {more} older notes did not fit; say so."),
        };
        let ask = format!(
            "Summarize these {shown} notes{of}: the main points, what is decided, what is open. \
             Refer to a note by its title.{left_out}"
        );
        messages.insert(0, PromptMessage::new_text(Role::User, ask));
        Ok(GetPromptResult::new(messages).with_description(format!("A summary of notes{of}")))
    }

    /// Asks for a review of one note.
    #[prompt(title = "Review a note")]
    fn review_note(
        &self,
        Parameters(ReviewArguments { id }): Parameters<ReviewArguments>,
    ) -> Result<GetPromptResult, ErrorData> {
        let number: u64 = id.trim().parse().map_err(|_| {
            let shown: String = id.chars().take(40).collect();
            Fault::from(format!("id: expected a number, came `{shown}`"))
        })?;
        let store = self.store();
        let note = store.get(number).ok_or_else(|| missing(number))?;
        let ask = "Review this note: is it clear, is it complete, is anything wrong or out of \
                   date? Then give an improved version.";
        let messages = vec![
            PromptMessage::new_text(Role::User, ask),
            PromptMessage::new(Role::User, embedded(note)),
        ];
        Ok(GetPromptResult::new(messages).with_description(format!("A review of {}", note.title)))
    }

    /// What an argument may be, given what is typed of it.
    ///
    /// # Errors
    /// `-32602` for a prompt, template or argument that is not ours.
    pub(super) fn completion(
        &self,
        request: &CompleteRequestParams,
    ) -> Result<CompletionInfo, ErrorData> {
        let argument = request.argument.name.as_str();
        let typed = request.argument.value.as_str();
        let store = self.store();
        let template = template().uri_template;
        let values: Vec<String> = match (&request.r#ref, argument) {
            (Reference::Prompt(prompt), "tag") if prompt.name == "summarize_notes" => {
                let tags = store.tags().into_keys().filter(|tag| tag.starts_with(typed));
                tags.map(str::to_owned).collect()
            }
            (Reference::Prompt(prompt), "id") if prompt.name == "review_note" => {
                ids(store.after(0), typed)
            }
            (Reference::Resource(resource), "id") if resource.uri == template => {
                ids(store.after(0), typed)
            }
            _ => {
                let text = format!(
                    "expected argument `tag` of prompt summarize_notes, `id` of prompt \
                     review_note or `id` of template {template}, came `{argument}` of another"
                );
                return Err(Fault::from(text).into_error());
            }
        };
        Ok(crate::completed(values))
    }
}

fn ids<'a>(notes: impl Iterator<Item = &'a Note>, typed: &str) -> Vec<String> {
    notes.map(|note| note.id.to_string()).filter(|id| id.starts_with(typed)).collect()
}

fn embedded(note: &Note) -> ContentBlock {
    let contents = ResourceContents::text(markdown(note), uri_of(note.id));
    ContentBlock::resource(contents.with_mime_type("text/markdown"))
}
