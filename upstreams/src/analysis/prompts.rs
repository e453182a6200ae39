//! The prompt that plans an analysis.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{GetPromptResult, PromptMessage, Role};
use rmcp::{ErrorData, prompt, prompt_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::settings::own_uri;
use super::{DATA, Main};
use crate::checks::Checks;
use crate::expected::short;

pub(super) const NAME: &str = "analysis_prompt";
/// What data can be.
pub(super) const DATA_TYPES: [&str; 3] = ["csv", "json", "jsonl"];
/// Characters of the requirements.
const REQUIREMENTS_CHARS_MAX: usize = 4_000;

#[derive(Deserialize, JsonSchema)]
struct AnalysisArguments {
    /// `csv`, `json`, `jsonl`, or the URI of a resource.
    data_type: String,
    /// What is to be found out.
    requirements: String,
}

#[prompt_router(vis = "pub(super)")]
impl Main {
    /// Plans an analysis of data with `analyze_data`.
    #[prompt(title = "Plan an analysis")]
    fn analysis_prompt(
        &self,
        Parameters(arguments): Parameters<AnalysisArguments>,
    ) -> Result<GetPromptResult, ErrorData> {
        let AnalysisArguments { data_type, requirements } = arguments;
        let is_resource = self.settings.place_of(&own_uri(&data_type)).is_ok();
        let is_known = DATA_TYPES.contains(&data_type.as_str()) || is_resource;
        let expected = format!("`csv`, `json`, `jsonl` or a URI {} that is there", DATA.as_str());
        let characters = requirements.trim().chars().count();
        let is_short = (1..=REQUIREMENTS_CHARS_MAX).contains(&characters);
        let bounds = format!("1 to {REQUIREMENTS_CHARS_MAX} characters");
        let mut checks = Checks::new();
        checks.that(is_known, "data_type", &expected, &format!("`{}`", short(&data_type)));
        checks.that(is_short, "requirements", &bounds, &characters.to_string());
        checks.done()?;
        let of = match is_resource {
            true => format!("the data at {data_type}"),
            false => format!("{} data that I give you", data_type.to_uppercase()),
        };
        let ask = format!(
            "Analyse {of}. This is what I want to know:\n\n{}\n\n1. Call `analyze_data` with \
             `analysis_type` = `quick` to see columns, kinds and missing values.\n2. Call it with \
             `comprehensive` for the columns that matter to the question (`options.columns`).\n\
             3. Before anything of the data is passed on, call it with `security` and name what it \
             finds, never the values.\n4. Answer the question with the figures, say what is \
             estimated, and name outliers and gaps that could change the answer.",
            requirements.trim()
        );
        let messages = vec![PromptMessage::new_text(Role::User, ask)];
        Ok(GetPromptResult::new(messages).with_description(format!("An analysis of {of}")))
    }
}
