//! A server written by hand that does what a good server should not have to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomNotification,
    CustomRequest, CustomResult, InputRequiredResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ServerCapabilities, ServerConfig, ServerNotification,
    SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, ServiceError};
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

/// What a test shares with the server that it mounted.
pub(crate) struct Shared {
    /// Waits of calls that meet each other.
    pub(crate) meeting: Barrier,
    /// Told when a hanging call has begun.
    pub(crate) begun: Notify,
    /// Told when a task that a call spawned saw the cancellation.
    pub(crate) cancelled: Notify,
    /// Peers that the server kept.
    pub(crate) peers: Mutex<Vec<Peer<RoleServer>>>,
    /// What the server was asked to subscribe to and from.
    pub(crate) subscriptions: Mutex<Vec<String>>,
    /// Told after each of those.
    pub(crate) subscribed: Notify,
    /// Handlers that run.
    pub(crate) running: AtomicUsize,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            meeting: Barrier::new(2),
            begun: Notify::new(),
            cancelled: Notify::new(),
            peers: Mutex::default(),
            subscriptions: Mutex::default(),
            subscribed: Notify::new(),
            running: AtomicUsize::new(0),
        })
    }

    pub(crate) fn last_peer(&self) -> Peer<RoleServer> {
        self.peers.lock().unwrap().last().unwrap().clone()
    }
}

/// A server of the handshake eras: it has no listen of its own, and keeps peers.
pub(crate) struct Probe(pub(crate) Arc<Shared>);

struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.running.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn said(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

impl Probe {
    async fn call(
        &self,
        name: &str,
        arguments: Value,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let peer = context.peer.clone();
        match name {
            "meta" => Ok(CallToolResult::structured(Value::Object(context.meta.0.0)).into()),
            "echo" => Ok(CallToolResult::structured(arguments).into()),
            "panic" => panic!("as asked"),
            "hang" => {
                self.0.begun.notify_one();
                std::future::pending().await
            }
            "hang_in_task" => {
                let shared = self.0.clone();
                tokio::spawn(async move {
                    context.ct.cancelled().await;
                    shared.cancelled.notify_one();
                });
                self.0.begun.notify_one();
                std::future::pending().await
            }
            "count" => {
                count(&context, arguments["steps"].as_u64().unwrap(), || async {}).await;
                said("counted")
            }
            "count_together" => {
                let meet = || async {
                    self.0.meeting.wait().await;
                };
                count(&context, 3, meet).await;
                said("counted")
            }
            "log_together" | "log" | "log_in_tasks" => self.logs(name, &arguments, peer).await,
            "flood" => said(flood(&context, &self.0.begun).await),
            "ask" => said(ask(&peer).await),
            "ask_in_task" => said(tokio::spawn(async move { ask(&peer).await }).await.unwrap()),
            "custom" => {
                let custom = CustomNotification::new("com.example/hint", Some(json!({"a": 1})));
                peer.send_notification(custom_notification(custom)).await.unwrap();
                said("sent")
            }
            "keep_peer" => {
                self.0.peers.lock().unwrap().push(peer);
                said("kept")
            }
            "needs_input" => Ok(InputRequiredResult::from_request_state("again").into()),
            other => Err(ErrorData::invalid_params(format!("no tool {other}"), None)),
        }
    }
}

impl Probe {
    async fn logs(
        &self,
        name: &str,
        arguments: &Value,
        peer: Peer<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match name {
            "log_together" => {
                for step in 0..3 {
                    self.0.meeting.wait().await;
                    log(&peer, "warning", json!([arguments["who"], step])).await;
                }
                said("logged")
            }
            "log" => {
                for level in ["debug", "info", "error"] {
                    log(&peer, level, json!(level)).await;
                }
                said("logged")
            }
            _ => {
                for number in 0..8 {
                    let (peer, counted) = (peer.clone(), Counted::new(&self.0));
                    tokio::spawn(async move {
                        log(&peer, "error", json!(number)).await;
                        drop(counted);
                    });
                }
                std::future::pending().await
            }
        }
    }
}

fn custom_notification(custom: CustomNotification) -> ServerNotification {
    ServerNotification::CustomNotification(custom)
}

async fn count<F, M>(context: &RequestContext<RoleServer>, steps: u64, meet: M)
where
    F: Future<Output = ()>,
    M: Fn() -> F,
{
    let Some(token) = context.meta.get_progress_token() else { return };
    for step in 1..=steps {
        meet().await;
        let progress = ProgressNotificationParam::new(token.clone(), step as f64);
        context.peer.notify_progress(progress).await.unwrap();
    }
}

/// Sends two hundred reports without waiting for any; why one was refused.
async fn flood(context: &RequestContext<RoleServer>, begun: &Notify) -> String {
    let token = context.meta.get_progress_token().unwrap();
    let mut sends = tokio::task::JoinSet::new();
    for step in 0..200 {
        let (peer, token) = (context.peer.clone(), token.clone());
        sends.spawn(async move {
            let progress = ProgressNotificationParam::new(token, f64::from(step));
            peer.notify_progress(progress).await
        });
    }
    let mut refused = None;
    for _ in 0..200 - 66 {
        refused = sends.join_next().await.unwrap().unwrap().err();
    }
    begun.notify_one();
    while sends.join_next().await.is_some() {}
    why(refused.as_ref())
}

fn why(refused: Option<&ServiceError>) -> String {
    match refused {
        Some(ServiceError::TransportSend(error)) => error.error.to_string(),
        other => format!("{other:?}"),
    }
}

#[expect(deprecated, reason = "roots are the one question that needs no feature of rmcp")]
async fn ask(peer: &Peer<RoleServer>) -> String {
    match peer.list_roots().await {
        Ok(_) => "answered".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[expect(deprecated, reason = "logging is deprecated in 2026-07-28, and still part of it")]
pub(crate) async fn log(peer: &Peer<RoleServer>, level: &str, data: Value) {
    use rmcp::model::LoggingMessageNotificationParam;

    let level = serde_json::from_value(json!(level)).unwrap();
    peer.notify_logging_message(LoggingMessageNotificationParam::new(level, data)).await.ok();
}

impl ServerHandler for Probe {
    #[expect(deprecated, reason = "logging is deprecated in 2026-07-28, and still part of it")]
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_logging()
                .enable_tools()
                .enable_tool_list_changed()
                .enable_resources()
                .enable_resources_subscribe()
                .build(),
        )
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _counted = Counted::new(&self.0);
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        self.call(&request.name, arguments, context).await
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::default())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        match request.method.as_str() {
            "com.example/echo" => {
                let echo = json!({ "params": request.params, "meta": context.meta });
                Ok(CustomResult::new(echo))
            }
            "com.example/number" => Ok(CustomResult::new(json!(7))),
            _ => {
                Err(ErrorData::new(rmcp::model::ErrorCode::METHOD_NOT_FOUND, request.method, None))
            }
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if request.uri.starts_with("none:") {
            return Err(ErrorData::resource_not_found("no such resource", None));
        }
        self.0.peers.lock().unwrap().push(context.peer);
        self.0.subscriptions.lock().unwrap().push(format!("+{}", request.uri));
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.subscriptions.lock().unwrap().push(format!("-{}", request.uri));
        self.0.subscribed.notify_one();
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.0.peers.lock().unwrap().push(context.peer);
        self.0.subscribed.notify_one();
    }
}
