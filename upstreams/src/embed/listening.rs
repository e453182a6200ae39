//! Serves a listen for servers that were written before there was one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientRequest, ErrorCode, ErrorData, ProtocolVersion, Request, ServerCapabilities,
    ServerResult, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use tokio::task::JoinSet;

use super::Embed;
use super::line::Server;
use super::switchboard::Switchboard;

/// How long a server may take to forget one subscription.
const UNSUBSCRIBE_MAX: Duration = Duration::from_secs(5);

/// Subscriptions made with servers of the handshake eras.
#[derive(Default)]
pub(super) struct Subscribing {
    /// Held while a subscription is made or ended: ending one must not overtake making it again.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Subscriptions being ended for listens that were dropped, one task a listen.
    farewells: Mutex<JoinSet<()>>,
}

/// Whether rmcp says that the handler does not serve listens.
pub(super) fn is_unserved(error: &ErrorData) -> bool {
    error.code == ErrorCode::METHOD_NOT_FOUND && error.message == "subscriptions/listen"
}

impl Embed {
    /// Listens in the server's stead, by what its capabilities promise; pending until dropped.
    ///
    /// # Errors
    /// `unserved`, when the capabilities promise no change of anything.
    pub(super) async fn listen(
        &self,
        id: i64,
        wanted: SubscriptionFilter,
        context: RequestContext<RoleServer>,
        unserved: ErrorData,
    ) -> Result<ServerResult, ErrorData> {
        let capabilities = self.server.get_info().capabilities;
        if !promises_changes(&capabilities) {
            return Err(unserved);
        }
        let mut honoured = wanted.supported_by(&capabilities);
        let mut watched = Watched { embed: self, id, uris: Vec::new() };
        let turn = self.subscribing.turn.lock().await;
        for uri in honoured.resource_subscriptions.iter().flatten() {
            watched.uris.push(uri.clone());
            if !self.subscribe(uri, &context).await {
                watched.uris.pop();
            }
        }
        honoured.resource_subscriptions =
            Some(watched.uris.clone()).filter(|uris| !uris.is_empty());
        let params = serde_json::json!({ "notifications": honoured });
        self.switchboard.acknowledge(id, &honoured, params);
        drop(turn);
        std::future::pending().await
    }

    /// Subscribes as a client of the handshake eras would; whether updates will come.
    async fn subscribe(&self, uri: &str, context: &RequestContext<RoleServer>) -> bool {
        let Some(context) = in_handshake_era(&self.server, context) else {
            return true;
        };
        let request = Request::new(SubscribeRequestParams::new(uri));
        let request = ClientRequest::SubscribeRequest(request);
        match self.server.handle_request(request, context).await {
            Ok(_) => true,
            // It promises updates and wants no subscription: it tells of every change.
            Err(error) => error.code == ErrorCode::METHOD_NOT_FOUND,
        }
    }
}

/// The URIs that a listen has subscribed to; dropping it subscribes from those nobody else wants.
struct Watched<'a> {
    embed: &'a Embed,
    id: i64,
    uris: Vec<String>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.embed.switchboard.remove(self.id);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.uris.is_empty() {
            return;
        }
        let farewell = Farewell {
            server: self.embed.server.clone(),
            switchboard: self.embed.switchboard.clone(),
            turn: self.embed.subscribing.turn.clone(),
            peer: self.embed.shared_peer(),
            uris: std::mem::take(&mut self.uris),
        };
        let farewells = &self.embed.subscribing.farewells;
        let mut farewells = farewells.lock().unwrap_or_else(PoisonError::into_inner);
        while farewells.try_join_next().is_some() {}
        farewells.spawn_on(farewell.say(), &runtime);
    }
}

/// What it takes to end subscriptions after their listen is gone.
struct Farewell {
    server: Server,
    switchboard: Arc<Switchboard>,
    turn: Arc<tokio::sync::Mutex<()>>,
    peer: rmcp::Peer<RoleServer>,
    uris: Vec<String>,
}

impl Farewell {
    async fn say(self) {
        let context = RequestContext::new(rmcp::model::NumberOrString::Number(0), self.peer);
        for uri in self.uris {
            let _turn = self.turn.lock().await;
            if self.switchboard.is_watched(&uri) {
                continue;
            }
            let Some(context) = in_handshake_era(&self.server, &context) else { return };
            let request = Request::new(UnsubscribeRequestParams::new(uri));
            let request = ClientRequest::UnsubscribeRequest(request);
            let ended = self.server.handle_request(request, context);
            // A server that fails or hangs here hurts nobody: its updates are dropped anyway.
            tokio::time::timeout(UNSUBSCRIBE_MAX, ended).await.ok();
        }
    }
}

/// The same context in the newest version that the server knows a handshake for.
fn in_handshake_era(
    server: &Server,
    context: &RequestContext<RoleServer>,
) -> Option<RequestContext<RoleServer>> {
    let versions = server.supported_protocol_versions();
    let newest = versions
        .iter()
        .filter(|version| version.has_initialize())
        .max_by(|left, right| left.as_str().cmp(right.as_str()))?;
    let mut context = context.clone();
    context.meta.set_protocol_version(ProtocolVersion::clone(newest));
    Some(context)
}

fn promises_changes(capabilities: &ServerCapabilities) -> bool {
    let tools = capabilities.tools.as_ref().and_then(|tools| tools.list_changed);
    let prompts = capabilities.prompts.as_ref().and_then(|prompts| prompts.list_changed);
    let resources = capabilities.resources.as_ref();
    let lists = resources.and_then(|resources| resources.list_changed);
    let updates = resources.and_then(|resources| resources.subscribe);
    [tools, prompts, lists, updates].contains(&Some(true))
}
