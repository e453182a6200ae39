//! Tools whose arguments are checked against the schema that clients see, before they run.
//!
//! ```text
//! static TOOLS: LazyLock<Tools<Weather>> = LazyLock::new(|| Tools::new(Weather::tool_router()));
//!
//! #[tool_handler(router = TOOLS)]
//! impl ServerHandler for Weather {}
//! ```
//!
//! Bounds stand at the arguments as `#[schemars(range(min = 1, max = 100))]`, `length`, `regex` or
//! as an enum; what a schema cannot say is checked in the tool with [`crate::Checks`].

use std::collections::HashMap;
use std::ops::Deref;

use rmcp::ErrorData;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::{IntoCallToolResult, ToolCallContext};
use rmcp::model::{CallToolResponse, ErrorCode};
use serde_json::Value;

use crate::expected::short;
use crate::fault::{Code, Fault};
use crate::schema::Schema;

/// How rmcp begins the error of arguments that do not fit into the tool's type.
const UNREAD: &str = "failed to deserialize parameters: ";

/// A router of tools, and the schema of each.
pub struct Tools<S> {
    router: ToolRouter<S>,
    schemas: HashMap<String, Schema>,
}

impl<S: Send + Sync + 'static> Tools<S> {
    /// The tools of a router.
    pub fn new(router: ToolRouter<S>) -> Self {
        let schemas = router.list_all().into_iter().map(|tool| {
            let schema = Schema::new(tool.input_schema.as_ref().clone());
            (tool.name.into_owned(), schema)
        });
        Self { schemas: schemas.collect(), router }
    }

    /// Calls a tool. Arguments that are wrong are the tool's answer, so that the model sees them:
    /// every violation with its path and what was expected.
    ///
    /// # Errors
    /// `-32602` for a name that is none of the tools, with those there are.
    pub async fn call(
        &self,
        mut context: ToolCallContext<'_, S>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = context.name.as_ref();
        let (Some(route), Some(schema)) = (self.router.map.get(name), self.schemas.get(name))
        else {
            let known: Vec<_> = self.router.list_all().into_iter().map(|tool| tool.name).collect();
            let (name, known) = (short(name), known.join(", "));
            let text = format!("there is no tool `{name}`: expected one of {known}");
            return Err(Fault::not_found(text).into_error());
        };
        // Moved there and back, not copied: arguments may be megabytes.
        let arguments = Value::Object(context.arguments.take().unwrap_or_default());
        let violations = schema.check(&arguments);
        if !violations.is_empty() {
            return Fault::invalid(violations).into_call_tool_result();
        }
        if let Value::Object(arguments) = arguments {
            context.arguments = Some(arguments);
        }
        match (route.call)(context).await {
            Err(error) if is_unread(&error) => {
                let text = error.message.trim_start_matches(UNREAD);
                Fault::new(Code::Validation, text).into_call_tool_result()
            }
            result => result,
        }
    }
}

fn is_unread(error: &ErrorData) -> bool {
    error.code == ErrorCode::INVALID_PARAMS && error.message.starts_with(UNREAD)
}

impl<S> Deref for Tools<S> {
    type Target = ToolRouter<S>;

    fn deref(&self) -> &ToolRouter<S> {
        &self.router
    }
}
