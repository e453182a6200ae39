//! The child `main`: analyses CSV, JSON and JSON-lines data, inline, from files or from resources.

mod within;
mod settings;
mod source;
mod watch;
mod rows;
mod cell;
mod column;
mod security;
mod report;
mod tools;
mod prompts;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use protocol::Violation;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference, Resource,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, prompt_handler, tool_handler};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::settings::Settings;
use crate::{Fault, Prompts, Template, Tools};

pub(super) use settings::MainOptions;

/// Analyses at a time, each on a thread of its own; more wait their turn.
const ANALYSES_MAX: usize = 4;

static TOOLS: LazyLock<Tools<Main>> = LazyLock::new(|| Tools::new(Main::tool_router()));
static PROMPTS: LazyLock<Prompts<Main>> = LazyLock::new(|| Prompts::new(Main::prompt_router()));
static DATA: LazyLock<Template<DataParameters>> =
    LazyLock::new(|| Template::new("enterprise://data/{resource_id}"));

#[derive(Deserialize, JsonSchema)]
struct DataParameters {
    /// An id that the list of resources shows.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    resource_id: String,
}

/// The server: what it may read, and how much of it.
pub(super) struct Main {
    settings: Arc<Settings>,
    analyses: Arc<Semaphore>,
}

impl Main {
    /// A server with these options; relative paths are seen from `folder`.
    ///
    /// # Errors
    /// A root or a data file that is not there.
    pub(super) fn new(options: MainOptions, folder: &Path) -> Result<Self, Vec<Violation>> {
        let settings = Arc::new(Settings::new(options, folder)?);
        Ok(Self { settings, analyses: Arc::new(Semaphore::new(ANALYSES_MAX)) })
    }

    fn completion(&self, request: &CompleteRequestParams) -> Result<CompletionInfo, Fault> {
        let argument = request.argument.name.as_str();
        let typed = request.argument.value.as_str();
        let values: Vec<String> = match (&request.r#ref, argument) {
            (Reference::Resource(resource), "resource_id") if resource.uri == DATA.as_str() => {
                self.settings.data.keys().cloned().collect()
            }
            (Reference::Prompt(prompt), "data_type") if prompt.name == prompts::NAME => {
                let kinds = prompts::DATA_TYPES.iter().map(|kind| (*kind).to_owned());
                kinds.chain(self.settings.data.keys().map(|id| DATA.uri(&[id]))).collect()
            }
            (Reference::Prompt(prompt), "requirements") if prompt.name == prompts::NAME => {
                Vec::new()
            }
            _ => {
                return Err(Fault::from(format!(
                    "expected argument `resource_id` of template {}, or `data_type` or \
                     `requirements` of prompt {}, came `{}` of another",
                    DATA.as_str(),
                    prompts::NAME,
                    crate::expected::short(argument)
                )));
            }
        };
        Ok(crate::completed(values.into_iter().filter(|value| value.starts_with(typed)).collect()))
    }
}

#[tool_handler(router = TOOLS)]
#[prompt_handler(router = PROMPTS)]
impl ServerHandler for Main {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .build();
        let info = Implementation::new("main", env!("CARGO_PKG_VERSION")).with_title("Analysis");
        ServerConfig::new(capabilities).with_server_info(info).with_instructions(
            "Analyses tables: `analyze_data` takes the data itself, the path of a file, or the URI \
             enterprise://data/<id> of a resource.",
        )
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = self.settings.data.iter().map(|(id, place)| {
            Resource::new(DATA.uri(&[id]), id.clone())
                .with_description("Data that `analyze_data` takes by this URI.")
                .with_mime_type(place.mime_type())
        });
        Ok(ListResourcesResult::with_all_items(resources.collect()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new(DATA.as_str(), "data")
            .with_title("Data")
            .with_description("Data by its id, as text.");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let refused = |fault: Fault| fault.into_error_of(Some(uri));
        let place = self.settings.place_of(uri).map_err(refused)?.clone();
        let settings = Arc::clone(&self.settings);
        let reading = tokio::task::spawn_blocking(move || source::whole(&place, &settings));
        let text = match reading.await {
            Ok(text) => text.map_err(refused)?,
            Err(fault) => return Err(ErrorData::internal_error(fault.to_string(), None)),
        };
        let mime = self.settings.place_of(uri).map_err(refused)?.mime_type();
        let contents = ResourceContents::text(text, uri).with_mime_type(mime);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::new(self.completion(&request)?))
    }
}
