//! Prompts whose arguments are checked by name before they run, and the values that complete one.

use std::ops::Deref;

use rmcp::ErrorData;
use rmcp::handler::server::prompt::PromptContext;
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::model::{CompletionInfo, GetPromptResponse, PromptArgument};
use serde_json::{Map, Value};

use crate::checks::Checks;
use crate::expected::{short, shown};
use crate::fault::Fault;

/// A router of prompts.
pub struct Prompts<S>(PromptRouter<S>);

impl<S: Send + Sync + 'static> Prompts<S> {
    /// The prompts of a router.
    pub fn new(router: PromptRouter<S>) -> Self {
        Self(router)
    }

    /// Gets a prompt.
    ///
    /// # Errors
    /// `-32602` for a name that is none of the prompts, with those there are; for arguments that
    /// are missing, not known, or no text, with each of them; and what the prompt itself says.
    pub async fn get_prompt(
        &self,
        context: PromptContext<'_, S>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(route) = self.0.map.get(context.name.as_str()) else {
            let known: Vec<_> = self.0.list_all().into_iter().map(|prompt| prompt.name).collect();
            let (name, known) = (short(&context.name), known.join(", "));
            let text = format!("there is no prompt `{name}`: expected one of {known}");
            return Err(Fault::not_found(text).into_error());
        };
        let known = route.attr.arguments.as_deref().unwrap_or_default();
        check(known, context.arguments.as_ref())?;
        (route.get)(context).await
    }
}

impl<S> Deref for Prompts<S> {
    type Target = PromptRouter<S>;

    fn deref(&self) -> &PromptRouter<S> {
        &self.0
    }
}

/// Refuses arguments that are missing, not known, or no text.
fn check(known: &[PromptArgument], given: Option<&Map<String, Value>>) -> Result<(), Fault> {
    let mut checks = Checks::new();
    for argument in known {
        let is_missing = given.is_none_or(|given| !given.contains_key(&argument.name));
        let is_required = argument.required == Some(true);
        checks.that(!(is_missing && is_required), &argument.name, "a text", "nothing");
    }
    for (name, value) in given.into_iter().flatten() {
        if known.iter().any(|argument| argument.name == *name) {
            checks.that(value.is_string(), name, "a text", &shown(value));
            continue;
        }
        let names: Vec<&str> = known.iter().map(|argument| argument.name.as_str()).collect();
        let expected = match names.as_slice() {
            [] => "no argument".to_owned(),
            names => format!("one of the names {}", names.join(", ")),
        };
        checks.that(false, name, &expected, &shown(value));
    }
    checks.done()
}

/// The first hundred of the values that complete an argument, which is what the protocol takes.
pub fn completed(mut values: Vec<String>) -> CompletionInfo {
    let total = values.len();
    values.truncate(CompletionInfo::MAX_VALUES);
    let has_more = total > values.len();
    CompletionInfo::with_pagination(values, u32::try_from(total).ok(), has_more).unwrap_or_default()
}
