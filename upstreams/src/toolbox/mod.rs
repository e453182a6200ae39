//! A box of small tools without side effects: clock, units, text, chance, and a slow count.

mod time;
mod units;
mod table;
mod ratio;
mod text;
mod chance;
mod count_down;
mod explain;

use std::sync::LazyLock;

use rmcp::model::{
    CacheScope, CompleteRequestParams, CompleteResult, Implementation, ListResourcesResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, prompt_handler, tool_handler};

use crate::{Fault, Prompts, Tools};

/// The table of units.
const UNITS_URI: &str = "toolbox://units";
/// How long the table may be kept, in milliseconds: it changes with the program only.
const UNITS_TTL_MS: u64 = 60 * 60 * 1000;

static PROMPTS: LazyLock<Prompts<Toolbox>> =
    LazyLock::new(|| Prompts::new(Toolbox::prompt_router()));
static TOOLS: LazyLock<Tools<Toolbox>> = LazyLock::new(|| {
    Tools::new(
        Toolbox::time_tools()
            + Toolbox::unit_tools()
            + Toolbox::text_tools()
            + Toolbox::chance_tools()
            + Toolbox::count_tools(),
    )
});

/// The toolbox server. It keeps nothing: one instance is as good as another.
#[derive(Debug, Default)]
pub(super) struct Toolbox;

impl Toolbox {
    /// A toolbox.
    pub(super) fn new() -> Self {
        Self
    }
}

#[tool_handler(router = TOOLS)]
#[prompt_handler(router = PROMPTS)]
impl ServerHandler for Toolbox {
    #[expect(deprecated, reason = "logging is deprecated in 2026-07-28, and still part of it")]
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .build();
        let info = Implementation::new("toolbox", env!("CARGO_PKG_VERSION")).with_title("Toolbox");
        ServerConfig::new(capabilities).with_server_info(info).with_instructions(
            "Small exact tools: the time anywhere, unit conversion, counting and transforming \
             text, hashes, identifiers, random numbers.",
        )
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let units = Resource::new(UNITS_URI, "units")
            .with_title("Units")
            .with_description("All units that can be converted, by kind.")
            .with_mime_type("application/json");
        Ok(ListResourcesResult::with_all_items(vec![units])
            .with_ttl_ms(UNITS_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != UNITS_URI {
            let shown: String = request.uri.chars().take(200).collect();
            let text = format!("there is no resource `{shown}`: the only one is {UNITS_URI}");
            return Err(Fault::not_found(text).into_error_of(Some(&request.uri)));
        }
        let contents =
            ResourceContents::text(units::listed(), UNITS_URI).with_mime_type("application/json");
        let read = ReadResourceResult::new(vec![contents]);
        Ok(read.with_ttl_ms(UNITS_TTL_MS).with_cache_scope(CacheScope::Public).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        explain::completion(&request).map(CompleteResult::new)
    }
}
