//! A store of notes in memory: tools to write and search, every note a resource, prompts over them.

mod store;
mod tools;
mod resources;
mod prompts;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::{Timestamp, Unit};
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext, SubscriptionSendError};
use rmcp::{ErrorData, RoleServer, ServerHandler, prompt_handler, tool_handler};
use tokio::sync::broadcast;

use self::store::Store;

/// The index; a note is below it, by its id.
const INDEX_URI: &str = "note://notes";

/// Changes that wait for a slow listener; one that falls behind is told of everything instead.
const CHANGES_WAITING_MAX: usize = 256;

static TOOLS: LazyLock<ToolRouter<Notes>> = LazyLock::new(Notes::tool_router);
static PROMPTS: LazyLock<PromptRouter<Notes>> = LazyLock::new(Notes::prompt_router);

/// The notes server. Each instance has notes of its own, which end with it.
///
/// At most 10,000 notes, 64 KiB each, 32 MiB together.
pub(super) struct Notes {
    store: Mutex<Store>,
    changes: broadcast::Sender<Change>,
}

/// What subscribers may want to hear of.
#[derive(Debug, Clone)]
struct Change {
    /// Whether the list of resources reads differently now.
    is_of_list: bool,
    /// The resources that read differently now.
    uris: Vec<String>,
}

impl Change {
    fn of_list() -> Self {
        Self { is_of_list: true, uris: vec![INDEX_URI.to_owned()] }
    }

    fn of_note(id: u64, is_of_list: bool, is_of_index: bool) -> Self {
        let mut uris = vec![uri_of(id)];
        uris.extend(is_of_index.then(|| INDEX_URI.to_owned()));
        Self { is_of_list, uris }
    }
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
        let (changes, _) = broadcast::channel(CHANGES_WAITING_MAX);
        Self { store: Mutex::default(), changes }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.round(Unit::Second).unwrap_or(now)
    }

    fn tell(&self, change: Change) {
        // Without a listener there is nobody to tell.
        self.changes.send(change).ok();
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

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        crate::call_tool(&TOOLS, self, request, context).await
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
        let mut changes = self.changes.subscribe();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let change = match change {
                Ok(change) => change,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let uris = context.accepted().resource_subscriptions.clone();
                    Change { is_of_list: true, uris: uris.unwrap_or_default() }
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            if send(&context, change).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Tells one listener what it was promised of a change.
async fn send(context: &SubscriptionContext, change: Change) -> Result<(), SubscriptionSendError> {
    let accepted = context.accepted();
    if change.is_of_list && accepted.resources_list_changed == Some(true) {
        context.sink().notify_resource_list_changed().await?;
    }
    for uri in change.uris {
        if accepted.resource_subscriptions.as_ref().is_some_and(|uris| uris.contains(&uri)) {
            context.sink().notify_resource_updated(uri).await?;
        }
    }
    Ok(())
}
