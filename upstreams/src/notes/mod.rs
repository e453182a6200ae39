//! A store of notes in memory: tools to write and search, every note a resource, prompts over them.

mod store;
mod tools;
mod resources;
mod prompts;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::{Timestamp, Unit};
use rmcp::model::{
    CompleteRequestParams, CompleteResult, Implementation, ListResourceTemplatesResult,
    ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, prompt_handler, tool_handler};

use self::store::Store;
use crate::{Change, Changes, Prompts, Tools};

/// The index; a note is below it, by its id.
const INDEX_URI: &str = "note://notes";

static TOOLS: LazyLock<Tools<Notes>> = LazyLock::new(|| Tools::new(Notes::tool_router()));
static PROMPTS: LazyLock<Prompts<Notes>> = LazyLock::new(|| Prompts::new(Notes::prompt_router()));

/// The notes server. Each instance has notes of its own, which end with it.
///
/// At most 10,000 notes, 64 KiB each, 32 MiB together.
pub(super) struct Notes {
    store: Mutex<Store>,
    changes: Changes,
}

/// The list of notes reads differently, and so does the index.
fn of_list() -> Change {
    Change { is_of_list: true, uris: vec![INDEX_URI.to_owned()], ..Change::default() }
}

/// A note reads differently.
fn of_note(id: u64, is_of_list: bool, is_of_index: bool) -> Change {
    let mut uris = vec![uri_of(id)];
    uris.extend(is_of_index.then(|| INDEX_URI.to_owned()));
    Change { is_of_list, uris, ..Change::default() }
}

fn uri_of(id: u64) -> String {
    format!("{INDEX_URI}/{id}")
}

/// The id in a note's URI, which has one spelling only.
fn id_in(uri: &str) -> Option<u64> {
    let id = uri.strip_prefix(INDEX_URI)?.strip_prefix('/')?.parse().ok()?;
    (uri_of(id) == uri).then_some(id)
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}

impl Notes {
    /// A server without notes.
    pub(super) fn new() -> Self {
        Self { store: Mutex::default(), changes: Changes::default() }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.round(Unit::Second).unwrap_or(now)
    }

    /// Whether a subscription to `uri` can ever bring anything.
    fn is_ours(&self, uri: &str) -> bool {
        uri == INDEX_URI || id_in(uri).is_some_and(|id| self.store().get(id).is_some())
    }
}

#[tool_handler(router = TOOLS)]
#[prompt_handler(router = PROMPTS)]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .build();
        let info = Implementation::new("notes", env!("CARGO_PKG_VERSION")).with_title("Notes");
        ServerConfig::new(capabilities).with_server_info(info).with_instructions(
            "Notes in memory, gone when the program ends. `search` before you `add`; a note is \
             read as the resource note://notes/<id>.",
        )
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        resources::page(&self.store(), cursor.as_deref())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![resources::template()]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&self.store(), &request.uri).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.completion(&request).map(CompleteResult::new)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            uris.retain(|uri| self.is_ours(uri));
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.changes.serve(context).await
    }
}
