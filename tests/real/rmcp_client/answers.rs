//! What the Rust client answers when a server asks, and where it keeps what a server tells.

use rmcp::ErrorData;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ListRootsResult, ProgressNotificationParam, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::typed;
use crate::client::Era;

/// More than any step of a plan brings.
const KEPT_MAX: usize = 256;

pub(super) struct Answers {
    era: Era,
    canned: Value,
    progress: mpsc::Sender<Value>,
    updates: mpsc::Sender<String>,
}

impl Answers {
    pub(super) fn new(
        era: Era,
        canned: &Value,
    ) -> (Self, mpsc::Receiver<Value>, mpsc::Receiver<String>) {
        let (progress, seen) = mpsc::channel(KEPT_MAX);
        let (updates, updated) = mpsc::channel(KEPT_MAX);
        (Self { era, canned: canned.clone(), progress, updates }, seen, updated)
    }
}

impl ClientHandler for Answers {
    fn get_info(&self) -> ClientConfig {
        // A client can be asked only if its plan says what it answers.
        let capabilities = if self.canned.is_null() {
            json!({})
        } else {
            json!({"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}})
        };
        typed(json!({
            "protocolVersion": self.era.protocol(),
            "capabilities": capabilities,
            "clientInfo": {"name": "real-rmcp", "version": "1.0.0"},
        }))
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let asked = json!(params.messages.last());
        let block = asked["content"].get(0).unwrap_or(&asked["content"]);
        let text = block["text"].as_str().unwrap_or_default();
        Ok(typed(json!({
            "role": "assistant",
            "content": {"type": "text", "text": format!("sampled: {text}")},
            "model": "canned",
            "stopReason": "endTurn",
        })))
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(typed(json!({"roots": self.canned["roots"]})))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = json!(request);
        let url = asked["url"].as_str();
        Ok(typed(match (self.canned["says"].as_bool(), url) {
            (Some(true), Some(url)) if url.ends_with("/no") => json!({"action": "decline"}),
            (Some(true), Some(_)) => json!({"action": "accept"}),
            (Some(true), None) => {
                let said = format!("said: {}", asked["message"].as_str().unwrap_or_default());
                json!({"action": "accept", "content": {"said": said}})
            }
            _ => json!({"action": "accept", "content": self.canned["elicit"]}),
        }))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        // A full channel is shown by the report: what is missing there was not kept here.
        let _ = self.progress.try_send(json!([params.progress, params.total]));
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let _ = self.updates.try_send(params.uri);
    }
}
