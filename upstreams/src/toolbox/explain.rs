//! The prompt that has a conversion explained, and the completion of its units.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CompleteRequestParams, CompletionInfo, GetPromptResult, PromptMessage, Reference, Role,
};
use rmcp::{ErrorData, prompt, prompt_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Toolbox;
use super::table::UNITS;
use super::units::{convert, find, told};
use crate::fault::Fault;

const NAME: &str = "explain_conversion";

#[derive(Deserialize, JsonSchema)]
struct ExplainArguments {
    /// The number to convert.
    value: String,
    /// Its unit.
    from: String,
    /// The unit to convert into.
    to: String,
}

#[prompt_router(vis = "pub(super)")]
impl Toolbox {
    /// Asks to explain step by step how a value is converted from one unit into another.
    #[prompt(title = "Explain a conversion")]
    fn explain_conversion(
        &self,
        Parameters(ExplainArguments { value, from, to }): Parameters<ExplainArguments>,
    ) -> Result<GetPromptResult, ErrorData> {
        let wrong = |text: String| Fault::from(text).into_error();
        let number: f64 =
            value.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(
                || {
                    let shown: String = value.chars().take(40).collect();
                    wrong(format!("value: expected a number, came `{shown}`"))
                },
            )?;
        let (from, to) = (find(&from).map_err(wrong)?, find(&to).map_err(wrong)?);
        let result = convert(number, from, to).map_err(wrong)?;
        let (number, result) = (told(number), told(result));
        let ask = format!(
            "Explain step by step how {number} {} is converted into {}. The result is {result}: \
             show the exact factor, where it comes from, and how one can estimate the result.",
            from.name, to.name
        );
        let messages = vec![PromptMessage::new_text(Role::User, ask)];
        let title = format!("{number} {} in {}", from.symbol, to.symbol);
        Ok(GetPromptResult::new(messages).with_description(title))
    }
}

/// The units that an argument may be; `to` only of the kind of a `from` that is given.
///
/// # Errors
/// `-32602` for a prompt or argument that is not ours.
pub(super) fn completion(request: &CompleteRequestParams) -> Result<CompletionInfo, ErrorData> {
    let argument = request.argument.name.as_str();
    let is_ours = matches!(&request.r#ref, Reference::Prompt(prompt) if prompt.name == NAME);
    if !is_ours || !["value", "from", "to"].contains(&argument) {
        let text = format!(
            "expected argument `value`, `from` or `to` of prompt {NAME}, came `{argument}` of \
             another"
        );
        return Err(Fault::from(text).into_error());
    }
    if argument == "value" {
        return Ok(crate::completed(Vec::new()));
    }
    let from = request.context.as_ref().and_then(|context| context.get_argument("from"));
    let kind =
        from.filter(|_| argument == "to").and_then(|from| find(from).ok()).map(|unit| unit.kind);
    let typed = request.argument.value.to_lowercase();
    let units = UNITS
        .iter()
        .filter(|unit| kind.is_none_or(|kind| kind == unit.kind) && unit.name.starts_with(&typed));
    Ok(crate::completed(units.map(|unit| unit.name.to_owned()).collect()))
}
