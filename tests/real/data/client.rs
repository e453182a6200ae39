//! The Rust SDK's client with several calls under way, and the updates that it hears of.
#![expect(deprecated, reason = "the legacy era subscribes by requests that the modern one lacks")]

use std::time::Duration;

use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientConfig, ClientRequest, ProtocolVersion,
    ResourceUpdatedNotificationParam, ServerNotification, SubscribeRequestParams,
    SubscriptionFilter,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, PeerRequestOptions, RequestHandle,
    RoleClient, RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{Era, Target};
use crate::rmcp_client::typed;

/// Far above what a loaded machine needs: it only keeps a hang from lasting for ever.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// More updates than any test waits for.
const HEARD_MAX: usize = 256;

/// A client that is connected.
pub(super) struct Client {
    service: RunningService<RoleClient, Ears>,
    era: Era,
    updates: mpsc::Receiver<String>,
    told: mpsc::Sender<String>,
}

/// Hears of updates where the era sends them to the session.
struct Ears {
    era: Era,
    told: mpsc::Sender<String>,
}

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        typed(json!({
            "protocolVersion": self.era.protocol(),
            "capabilities": {},
            "clientInfo": { "name": "real-data", "version": "1.0.0" },
        }))
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.told.send(params.uri).await.ok();
    }
}

impl Client {
    pub(super) async fn connect(era: Era, target: &Target) -> Self {
        let Target::Url(url) = target else { panic!("expected a URL, came {target:?}") };
        let mode = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let (told, updates) = mpsc::channel(HEARD_MAX);
        let transport = StreamableHttpClientTransport::from_uri(url.as_str());
        let ears = Ears { era, told: told.clone() };
        let connecting = ears.serve_with_lifecycle(transport, mode);
        let service = timeout(WAIT_MAX, connecting).await.expect("a connection in time");
        Self { service: service.expect("a connection"), era, updates, told }
    }

    /// Starts a call and leaves it running.
    pub(super) fn start(&self, tool: &str, arguments: Value) -> JoinHandle<Value> {
        let peer = self.service.peer().clone();
        let call = call(tool, &arguments);
        tokio::spawn(async move { json!(peer.call_tool(call).await.expect("an answer")) })
    }

    /// Starts a call that is going to be cancelled.
    pub(super) async fn start_cancellable(
        &self,
        tool: &str,
        arguments: Value,
    ) -> RequestHandle<RoleClient> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(call(tool, &arguments)));
        let options = PeerRequestOptions::no_options();
        self.service.send_cancellable_request(request, options).await.expect("a call under way")
    }

    /// Calls a tool: its whole result.
    pub(super) async fn tool(&self, tool: &str, arguments: Value) -> Value {
        let answering = self.start(tool, arguments);
        timeout(WAIT_MAX, answering).await.expect("an answer in time").expect("no panic")
    }

    /// Calls a tool that works: its structured content.
    pub(super) async fn works(&self, tool: &str, arguments: Value) -> Value {
        worked(&self.tool(tool, arguments).await)
    }

    /// Calls a tool that fails in band: what it says.
    pub(super) async fn fails(&self, tool: &str, arguments: Value) -> String {
        let result = self.tool(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// Calls a tool until it works: what has to become free or come back does so in its own time.
    pub(super) async fn works_in_time(&self, tool: &str, arguments: Value) -> Value {
        let working = async {
            loop {
                let result = self.tool(tool, arguments.clone()).await;
                if result["isError"] != true {
                    return worked(&result);
                }
            }
        };
        timeout(WAIT_MAX, working).await.expect("a result in time")
    }

    /// Reads a resource as JSON.
    pub(super) async fn read(&self, uri: &str) -> Value {
        let params = typed(json!({ "uri": uri }));
        let read = json!(self.service.read_resource(params).await.expect("a resource"));
        let text = read["contents"][0]["text"].as_str().expect("a text");
        serde_json::from_str(text).expect("JSON")
    }

    /// Subscribes to a resource; returns when the server has said that it watches.
    pub(super) async fn subscribe(&self, uri: &str) {
        if self.era == Era::Legacy {
            let params: SubscribeRequestParams = typed(json!({ "uri": uri }));
            self.service.subscribe(params).await.expect("a subscription");
            return;
        }
        let filter: SubscriptionFilter = typed(json!({ "resourceSubscriptions": [uri] }));
        let mut events = self.service.listen(filter).await.expect("a listen");
        let told = self.told.clone();
        tokio::spawn(async move {
            while let Ok(Some(event)) = events.next().await {
                if let ServerNotification::ResourceUpdatedNotification(update) = event {
                    told.send(update.params.uri).await.ok();
                }
            }
        });
    }

    /// Waits until it is told of an update.
    pub(super) async fn updated(&mut self) -> String {
        let update = timeout(WAIT_MAX, self.updates.recv()).await;
        update.expect("an update in time").expect("a session")
    }

    /// Forgets the updates that it was told of so far.
    pub(super) fn forget(&mut self) {
        while self.updates.try_recv().is_ok() {}
    }

    pub(super) async fn close(self) {
        self.service.cancel().await.expect("an end in good order");
    }
}

/// The structured content of a result that is no error.
pub(super) fn worked(result: &Value) -> Value {
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

fn call(tool: &str, arguments: &Value) -> CallToolRequestParams {
    typed(json!({ "name": tool, "arguments": arguments }))
}
