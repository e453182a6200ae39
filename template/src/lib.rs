//! The child `hello`: one tool, one resource template, one prompt. Make them yours.

use std::sync::LazyLock;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    GetPromptResult, ListResourceTemplatesResult, PaginatedRequestParams, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents,
    ResourceTemplate, Role, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, tool,
    tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use upstreams::{Fault, Prompts, Template, Tools};

static TOOLS: LazyLock<Tools<Child>> = LazyLock::new(|| Tools::new(Child::tool_router()));
static PROMPTS: LazyLock<Prompts<Child>> = LazyLock::new(|| Prompts::new(Child::prompt_router()));
static GREETINGS: LazyLock<Template<Greeted>> =
    LazyLock::new(|| Template::new("hello://greetings/{name}"));

/// `[mounts.hello.options]` in routing.toml; `gateway check` tells what is wrong with them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The word before the name.
    #[schemars(length(min = 1, max = 40))]
    greeting: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { greeting: "Hello".to_owned() }
    }
}

/// The child and its state.
pub struct Child {
    options: Options,
}

/// Arguments of `greet`. Their bounds stand here, and bad ones never reach the tool.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GreetArguments {
    /// Whom to greet.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// How often.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 10))]
    times: u32,
}

/// Parameters of the resource template.
#[derive(Deserialize, JsonSchema)]
struct Greeted {
    #[schemars(length(min = 1, max = 100))]
    name: String,
}

/// What `greet` gives.
#[derive(Serialize, JsonSchema)]
struct Greeting {
    /// The greetings, one a line.
    text: String,
}

fn once() -> u32 {
    1
}

impl Child {
    /// A child with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    fn greeting(&self, name: &str) -> String {
        format!("{}, {name}!", self.options.greeting)
    }
}

#[tool_router]
impl Child {
    #[tool(description = "Greets somebody.", annotations(read_only_hint = true))]
    fn greet(
        &self,
        Parameters(arguments): Parameters<GreetArguments>,
    ) -> Result<Json<Greeting>, Fault> {
        let GreetArguments { name, times } = arguments;
        let lines: Vec<String> = (0..times).map(|_| self.greeting(&name)).collect();
        Ok(Json(Greeting { text: lines.join("\n") }))
    }
}

#[prompt_router]
impl Child {
    /// Asks for a warmer greeting.
    #[prompt(title = "A warmer greeting")]
    fn warmer(
        &self,
        Parameters(Greeted { name }): Parameters<Greeted>,
    ) -> Result<GetPromptResult, ErrorData> {
        let ask = format!("Make this greeting warmer: {}", self.greeting(&name));
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, ask)]))
    }
}

#[tool_handler(router = TOOLS)]
#[prompt_handler(router = PROMPTS)]
impl ServerHandler for Child {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources();
        ServerConfig::new(capabilities.build()).with_instructions("Greets people.")
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new(GREETINGS.as_str(), "greeting");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let none = || Fault::not_found(format!("there is no resource at {uri}"));
        let greeted = GREETINGS.read(uri).unwrap_or_else(|| Err(none()));
        let Greeted { name } = greeted.map_err(|fault| fault.into_error_of(Some(uri)))?;
        let contents = ResourceContents::text(self.greeting(&name), uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
