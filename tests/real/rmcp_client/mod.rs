//! The Rust SDK as a client: plays a plan inside the test, with the lines that the scripts print.
#![expect(deprecated, reason = "the legacy era subscribes by requests that the modern one lacks")]

mod answers;

use std::process::Stdio;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, CompleteRequestParams,
    GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams, ServerNotification,
    SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, PeerRequestOptions, RoleClient,
    RunningService, ServiceError,
};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use self::answers::Answers;
use crate::client::{Era, Target};

/// As in the scripts: one step may wait for a slow child's start.
const STEP_MAX: Duration = Duration::from_secs(60);
const LIST_PAUSE: Duration = Duration::from_millis(100);

struct Session {
    service: RunningService<RoleClient, Answers>,
    progress: mpsc::Receiver<Value>,
    updates: mpsc::Receiver<String>,
    era: Era,
}

/// Connects, plays every step, closes; a line for each.
pub(crate) async fn play(era: Era, target: &Target, plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |step: &str, outcome: Result<Value, Value>| {
        let mut line = outcome.unwrap_or_else(|error| json!({"error": error}));
        line["step"] = step.into();
        lines.push(line.to_string());
    };
    let mut session = match bounded(Session::connect(era, target, plan)).await {
        Ok(session) => session,
        Err(error) => panic!("rmcp does not connect to {target:?}: {error}"),
    };
    say("connect", Ok(session.about()));
    for step in plan["steps"].as_array().into_iter().flatten() {
        let label = step["step"].as_str().unwrap_or_default();
        say(label, bounded(session.step(step)).await);
    }
    let closed = session.service.cancel().await;
    say("close", closed.map(|_| json!({})).map_err(|error| json!(error.to_string())));
    lines
}

async fn bounded<T>(step: impl Future<Output = Result<T, Value>>) -> Result<T, Value> {
    match timeout(STEP_MAX, step).await {
        Ok(outcome) => outcome,
        Err(_) => Err(json!({"message": format!("no outcome within {STEP_MAX:?}")})),
    }
}

impl Session {
    async fn connect(era: Era, target: &Target, plan: &Value) -> Result<Self, Value> {
        let mode = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let (answers, progress, updates) = Answers::new(era, &plan["answers"]);
        let service = match target {
            Target::Url(url) => {
                let transport = StreamableHttpClientTransport::from_uri(url.as_str());
                answers.serve_with_lifecycle(transport, mode).await
            }
            Target::Over(way, _) => return Err(json!(format!("rmcp has no {way:?}"))),
            Target::Spawned(program) => {
                let mut command = tokio::process::Command::new(&program.command);
                command.args(&program.args).envs(&program.env);
                let (transport, _) = TokioChildProcess::builder(command)
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| json!(error.to_string()))?;
                answers.serve_with_lifecycle(transport, mode).await
            }
        };
        let service = service.map_err(|error: ClientInitializeError| json!(error.to_string()))?;
        Ok(Self { service, progress, updates, era })
    }

    fn about(&self) -> Value {
        let info = self.service.peer_info().map(|info| json!(*info)).unwrap_or_default();
        let capabilities = info["capabilities"].as_object();
        let names: Vec<&String> = capabilities.into_iter().flat_map(|all| all.keys()).collect();
        json!({
            "protocol": info["protocolVersion"],
            "server": info["serverInfo"]["name"],
            "capabilities": names,
        })
    }

    async fn step(&mut self, step: &Value) -> Result<Value, Value> {
        let service = &self.service;
        match step["do"].as_str().unwrap_or_default() {
            "tools" | "resources" | "templates" | "prompts" => self.list(step).await,
            "call" => result(service.call_tool(call(step)).await),
            "read" => {
                service.clear_response_cache().await;
                let params: ReadResourceRequestParams = typed(json!({"uri": step["uri"]}));
                result(service.read_resource(params).await)
            }
            "prompt" => {
                let asked = json!({"name": step["name"], "arguments": step["arguments"]});
                let params: GetPromptRequestParams = typed(asked);
                result(service.get_prompt(params).await)
            }
            "complete" => {
                let mut asked = json!({"ref": step["ref"], "argument": step["argument"]});
                if step["context"].is_object() {
                    asked["context"] = step["context"].clone();
                }
                let params: CompleteRequestParams = typed(asked);
                result(service.complete(params).await)
            }
            "progress" => self.progress(step).await,
            "cancel" => self.cancel(step).await,
            "watch" => self.watch(step).await,
            other => panic!("no such step: {other}"),
        }
    }

    /// A gateway may list its mounts one by one as they come up: `until` names what must be there.
    async fn list(&self, step: &Value) -> Result<Value, Value> {
        let service = &self.service;
        let starts = step["until"].as_array().cloned().unwrap_or_default();
        // A little before the step's own limit, so that this says what was awaited.
        let end = Instant::now() + STEP_MAX - Duration::from_secs(1);
        loop {
            // Every answer shall come from the server, none from this client's own cache.
            service.clear_response_cache().await;
            let outcome = match step["do"].as_str().unwrap_or_default() {
                "tools" => items(service.list_all_tools().await),
                "resources" => items(service.list_all_resources().await),
                "templates" => items(service.list_all_resource_templates().await),
                _ => items(service.list_all_prompts().await),
            }?;
            let awaited = starts.iter().filter(|start| !has_name(&outcome, start));
            let awaited: Vec<&Value> = awaited.collect();
            if awaited.is_empty() {
                return Ok(outcome);
            }
            if Instant::now() > end {
                let text = format!("not listed within {STEP_MAX:?}: {awaited:?}");
                return Err(json!({"message": text}));
            }
            tokio::time::sleep(LIST_PAUSE).await;
        }
    }

    async fn progress(&mut self, step: &Value) -> Result<Value, Value> {
        self.forget_progress();
        let mut outcome = result(self.service.call_tool(call(step)).await)?;
        let mut seen = Vec::new();
        while let Ok(report) = self.progress.try_recv() {
            seen.push(report);
        }
        outcome["progress"] = Value::Array(seen);
        Ok(outcome)
    }

    /// Cancels after the first progress, so that the call is certainly under way.
    async fn cancel(&mut self, step: &Value) -> Result<Value, Value> {
        self.forget_progress();
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(call(step)));
        let options = PeerRequestOptions::no_options();
        let sent = self.service.send_cancellable_request(request, options).await;
        let mut handle = sent.map_err(failure)?;
        tokio::select! {
            Some(_) = self.progress.recv() => {}
            answer = &mut handle.rx => {
                let answer = answer.map_err(|lost| json!({"message": lost.to_string()}))?;
                return result(answer);
            }
        }
        handle.cancel(Some("the test has seen enough".to_owned())).await.map_err(failure)?;
        Ok(json!({"progress": 1, "surfaced": "cancelled"}))
    }

    /// The trigger is a tool that starts updates on its first call and ends them on the second.
    async fn watch(&mut self, step: &Value) -> Result<Value, Value> {
        let uri = step["uri"].as_str().unwrap_or_default();
        let trigger = call(&step["trigger"]);
        let updated = if self.era == Era::Modern {
            let filter: SubscriptionFilter = typed(json!({"resourceSubscriptions": [uri]}));
            let mut events = self.service.listen(filter).await.map_err(failure)?;
            self.trigger(&trigger).await?;
            let updated = match events.next().await.map_err(failure)? {
                Some(ServerNotification::ResourceUpdatedNotification(note)) => note.params.uri,
                other => return Err(json!({"message": format!("no update but {other:?}")})),
            };
            events.cancel().await.map_err(failure)?;
            updated
        } else {
            let subscribe: SubscribeRequestParams = typed(json!({"uri": uri}));
            let unsubscribe: UnsubscribeRequestParams = typed(json!({"uri": uri}));
            self.service.subscribe(subscribe).await.map_err(failure)?;
            self.trigger(&trigger).await?;
            let updated = self.updates.recv().await.unwrap_or_default();
            self.service.unsubscribe(unsubscribe).await.map_err(failure)?;
            updated
        };
        self.service.call_tool(trigger).await.map_err(failure)?;
        Ok(json!({"updated": updated}))
    }

    /// A tool that refuses to start updates ends the watch at once.
    async fn trigger(&self, trigger: &CallToolRequestParams) -> Result<(), Value> {
        let started = self.service.call_tool(trigger.clone()).await.map_err(failure)?;
        match started.is_error {
            Some(true) => Err(json!({"message": "the trigger failed", "data": started})),
            _ => Ok(()),
        }
    }

    /// This SDK asks for progress on every request; what an earlier one brought is not wanted.
    fn forget_progress(&mut self) {
        while self.progress.try_recv().is_ok() {}
    }
}

fn has_name(outcome: &Value, start: &Value) -> bool {
    let start = start.as_str().unwrap_or_default();
    let mut items = outcome["items"].as_array().into_iter().flatten();
    items.any(|item| item["name"].as_str().is_some_and(|name| name.starts_with(start)))
}

/// Many of the SDK's types can only be made from JSON or by their own builders.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> T {
    let shown = value.to_string();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

fn call(step: &Value) -> CallToolRequestParams {
    typed(json!({"name": step["name"], "arguments": step["arguments"]}))
}

fn items<T: serde::Serialize>(outcome: Result<Vec<T>, ServiceError>) -> Result<Value, Value> {
    outcome.map(|items| json!({"items": items})).map_err(failure)
}

fn result<T: serde::Serialize>(outcome: Result<T, ServiceError>) -> Result<Value, Value> {
    outcome.map(|result| json!({"result": result})).map_err(failure)
}

fn failure(error: ServiceError) -> Value {
    match error {
        ServiceError::McpError(said) => json!(said),
        other => json!({"message": other.to_string()}),
    }
}
