//! SQL over a pool and a key-value store: tools to read and write, tables and values as resources.

mod trouble;
mod rows;
mod engine;
mod pool;
mod sqlite;
mod sqlite_values;
mod tls;
mod postgres;
mod postgres_values;
mod store;
mod memory;
mod redis;
mod keyspace;
mod shelf;
mod options;
mod tools;
mod resources;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use protocol::Violation;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, Implementation, ListResourceTemplatesResult,
    ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    Reference, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};
use serde_json::{Value, json};

use self::engine::Engine;
use self::options::DataOptions;
use self::resources::Completing;
use self::shelf::Shelf;
use self::store::{Store, Touched};
use self::trouble::Trouble;
use crate::{Change, Changes, Code, Fault, Tools, Who, completed};

static TOOLS: LazyLock<Tools<Data>> = LazyLock::new(|| {
    let mut tools = Data::tool_router();
    tools.remove_route(tools::EXECUTE);
    Tools::new(tools)
});
static TOOLS_THAT_WRITE: LazyLock<Tools<Data>> = LazyLock::new(|| Tools::new(Data::tool_router()));

/// The server of a database and a key-value store.
pub(super) struct Data {
    engine: Engine,
    store: Store,
    changes: Arc<Changes>,
    is_writable: bool,
    /// Whether each caller has keys of its own.
    is_per_caller: bool,
}

impl Data {
    /// A server by its options, not connected to anything yet; paths are seen from `folder`.
    ///
    /// # Errors
    /// Options that are none of a database.
    pub(super) fn new(options: DataOptions, folder: &Path) -> Result<Self, Vec<Violation>> {
        let changes = Arc::<Changes>::default();
        let telling = changes.clone();
        let tell = move |touched: Touched<'_>| {
            telling.tell(match touched {
                Touched::Key(key) => Change::of(resources::uri_of(key)),
                Touched::Anything => Change::of_anything(),
            });
        };
        let engine = options.engine(folder)?;
        let store = options.store(Arc::new(tell), folder)?;
        let (is_writable, is_per_caller) = (options.is_writable(), options.is_per_caller());
        Ok(Self { engine, store, changes, is_writable, is_per_caller })
    }

    /// Pools and stores, for whoever operates this.
    pub(super) fn figures(&self) -> Value {
        json!({ "sql": self.engine.figures(), "keyValue": self.store.figures() })
    }

    /// What this caller sees of the key-value store.
    fn shelf(&self, who: &Who) -> Shelf<'_> {
        Shelf::new(&self.store, self.is_per_caller.then_some(who))
    }

    fn tools(&self) -> &'static Tools<Self> {
        if self.is_writable { &TOOLS_THAT_WRITE } else { &TOOLS }
    }
}

#[tool_handler(router = self.tools())]
impl ServerHandler for Data {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_completions()
            .enable_resources()
            .enable_resources_subscribe()
            .build();
        let info = Implementation::new("data", env!("CARGO_PKG_VERSION")).with_title("Data");
        ServerConfig::new(capabilities).with_server_info(info).with_instructions(
            "A database: read data://tables and the schemas of the tables before you `query`; \
             values go into `params`, never into the SQL. Beside it a key-value store.",
        )
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::listed()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let read = resources::read(self, &uri, &Who::of(&context)).await;
        read.map(Into::into).map_err(|fault| fault.into_error_of(Some(&uri)))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let Reference::Resource(template) = &request.r#ref else {
            return Ok(CompleteResult::new(completed(Vec::new())));
        };
        let begun = &request.argument.value;
        let values = match resources::completing(&template.uri, &request.argument.name) {
            None => Vec::new(),
            Some(Completing::Keys) => {
                let shelf = self.shelf(&Who::of(&context));
                shelf.keys(begun).await.map_err(Fault::from)?
            }
            Some(Completing::Tables) => {
                let tables = self.engine.tables().await.map_err(Fault::from)?;
                let names = tables.into_iter().map(|table| table.name);
                names.filter(|name| name.starts_with(begun)).collect()
            }
        };
        Ok(CompleteResult::new(completed(values)))
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            // One listen is for all callers: what is one's own is told to none.
            uris.retain(|uri| !self.is_per_caller && resources::is_value(uri));
            if !uris.is_empty() {
                self.store.watch();
            }
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.changes.serve(context).await
    }
}

/// What is said of a statement that writes where writing is not allowed.
fn read_only() -> Trouble {
    let text = "only reading is allowed here: whoever runs the gateway may set `writable = true`";
    Trouble::new(Code::ReadOnly, text)
}

/// What is said of too many or too few values for a statement's parameters.
fn wrong_count(wanted: usize, came: usize) -> Trouble {
    let text =
        format!("params: expected as many values as there are parameters: {wanted}, came {came}");
    Trouble::new(Code::Validation, text)
}
