//! Children compiled into the gateway, and the one-line mount for any server written with rmcp.

mod embed;
mod notes;
mod toolbox;

use std::sync::Arc;

use protocol::InProcess;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CompletionInfo};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use notes::Notes;
use toolbox::Toolbox;

pub use embed::mount;

/// Makes one instance of a compiled-in child, with a state of its own.
pub type Make = fn() -> Arc<dyn InProcess>;

/// The children that come with this crate, by the name a `routing.toml` gives in `in_process`.
///
/// Names are unique, short and lower-case; the order is that of the documentation.
pub fn builtins() -> Vec<(&'static str, Make)> {
    vec![("notes", || mount(Notes::new())), ("toolbox", || mount(Toolbox::new()))]
}

/// The first hundred of the values that complete an argument, which is what the protocol takes.
fn completed(mut values: Vec<String>) -> CompletionInfo {
    let total = values.len();
    values.truncate(CompletionInfo::MAX_VALUES);
    let has_more = total > values.len();
    CompletionInfo::with_pagination(values, u32::try_from(total).ok(), has_more).unwrap_or_default()
}

/// Calls a tool of a router.
///
/// # Errors
/// `-32602` for a name that is none of its tools, with those there are.
async fn call_tool<S: Send + Sync + 'static>(
    tools: &ToolRouter<S>,
    server: &S,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    if tools.has_route(&request.name) {
        return tools.call(ToolCallContext::new(server, request, context)).await;
    }
    let shown: String = request.name.chars().take(64).collect();
    let known: Vec<String> =
        tools.list_all().into_iter().map(|tool| tool.name.into_owned()).collect();
    let text = format!("there is no tool `{shown}`: expected one of {}", known.join(", "));
    Err(ErrorData::invalid_params(text, None))
}
