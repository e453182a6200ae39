//! The tools that the scenarios of tasks call, on the Rust SDK, which implements the extension.

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities,
    ContentBlock, CreateTaskResult, GetTaskParams, GetTaskResult, InputRequest,
    InputRequiredResult, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskExit, TaskManager, TaskOptions};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::rmcp_server::RmcpServer;

/// What a task proposes to wait between two looks at it, in milliseconds.
const PAUSE_MS: u64 = 100;
/// How long `failing_job` works before it fails.
const FAILING_WORK: Duration = Duration::from_millis(300);
/// The one key under which the tool asks that asks before its task begins.
const USER_NAME: &str = "user_name";

/// Serves them until the value goes.
pub(crate) async fn start() -> RmcpServer {
    let tasks = TaskManager::new();
    RmcpServer::serving(move || TaskTools { tasks: tasks.clone() }).await
}

/// What a task does.
type Work = Result<CallToolResult, TaskExit>;

#[derive(Clone)]
struct TaskTools {
    tasks: TaskManager,
}

impl TaskTools {
    fn task<F>(&self, work: F) -> CallToolResponse
    where
        F: FnOnce(rmcp::task_manager::TaskContext) -> rmcp::task_manager::TaskFuture,
    {
        let options = TaskOptions::new().with_poll_interval_ms(PAUSE_MS);
        CallToolResponse::Task(CreateTaskResult::new(self.tasks.spawn(options, work)))
    }

    /// Sleeps, in a task where the client takes one.
    async fn slow_compute(&self, arguments: &JsonObject, by_task: bool) -> CallToolResponse {
        let seconds = arguments.get("seconds").and_then(Value::as_f64).unwrap_or_default();
        let label = arguments.get("label").and_then(Value::as_str).unwrap_or_default();
        let work = Duration::from_secs_f64(seconds.clamp(0.0, 600.0));
        let done = said(format!("{label}: computed for {seconds} s"));
        if !by_task {
            sleep(work).await;
            return done.into();
        }
        self.task(|context| {
            Box::pin(async move {
                tokio::select! {
                    () = context.cancelled() => Err(TaskExit::Cancelled),
                    () = sleep(work) => Ok(done),
                }
            })
        })
    }

    /// Asks in a task as often as there are keys, all at once.
    fn asking(&self, keys: &'static [&'static str], done: String) -> CallToolResponse {
        self.task(move |context| {
            Box::pin(async move {
                let asked = keys.iter().map(|key| context.request_input(*key, form(key)));
                futures_util::future::try_join_all(asked).await?;
                Ok(said(done))
            })
        })
    }

    /// Asks before there is a task.
    fn named(&self, request: CallToolRequestParams) -> CallToolResponse {
        let answers = request.input_responses.unwrap_or_default();
        let Some(answer) = answers.get(USER_NAME) else {
            let asks = BTreeMap::from([(USER_NAME.to_owned(), form("name"))]);
            return InputRequiredResult::new(Some(asks), Some("asked once".to_owned())).into();
        };
        let name = answer["content"]["name"].as_str().unwrap_or_default().to_owned();
        self.task(|_| Box::pin(async move { Ok(said(format!("Hello, {name}!"))) }))
    }
}

impl ServerHandler for TaskTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tasks().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = TOOLS.iter().map(|(name, does, arguments)| {
            let properties: JsonObject = arguments
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind })))
                .collect();
            let schema = json!({ "type": "object", "properties": properties });
            Tool::new(*name, *does, schema.as_object().cloned().unwrap_or_default())
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let by_task = context.client_capabilities().is_some_and(|client| client.supports_tasks());
        let arguments = request.arguments.clone().unwrap_or_default();
        let text =
            |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match &*request.name {
            "greet" => return Ok(said(format!("Hello, {}!", text("name"))).into()),
            "slow_compute" => return Ok(self.slow_compute(&arguments, by_task).await),
            _ if !by_task => {
                let needed = ClientCapabilities::builder().enable_tasks().build();
                return Err(ErrorData::missing_required_client_capability(needed));
            }
            _ => {}
        }
        Ok(match &*request.name {
            "failing_job" => self.task(|_| {
                Box::pin(async {
                    sleep(FAILING_WORK).await;
                    Work::Ok(CallToolResult::error(vec![ContentBlock::text("the job failed")]))
                })
            }),
            "protocol_error_job" => self.task(|_| {
                Box::pin(async { Err(ErrorData::internal_error("the job broke", None).into()) })
            }),
            "confirm_delete" => {
                self.asking(&["confirm"], format!("{} is deleted", text("filename")))
            }
            "multi_input" => self.asking(&["first", "second"], "both came".to_owned()),
            "test_tool_with_task" => self.named(request),
            name => {
                return Err(ErrorData::invalid_params(format!("no tool is called {name}"), None));
            }
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}

/// A tool: its name, what it does, its arguments and their types.
type Described = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// All of them; the suite has fixed the names.
const TOOLS: [Described; 7] = [
    ("greet", "Answers at once.", &[("name", "string")]),
    ("slow_compute", "Sleeps.", &[("seconds", "number"), ("label", "string")]),
    ("failing_job", "Fails in a task, and only there.", &[]),
    ("protocol_error_job", "Breaks in a task.", &[]),
    ("confirm_delete", "Asks once in a task.", &[("filename", "string")]),
    ("multi_input", "Asks twice at the same time in a task.", &[]),
    ("test_tool_with_task", "Asks, and then goes on in a task.", &[]),
];

fn said(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// A form with one field.
fn form(field: &str) -> InputRequest {
    let kind = if field == "name" { "string" } else { "boolean" };
    let schema = json!({ "type": "object", "properties": { field: { "type": kind } } });
    let params = json!({ "mode": "form", "message": field, "requestedSchema": schema });
    serde_json::from_value(json!({ "method": "elicitation/create", "params": params }))
        .expect("the SDK reads a question of its own")
}
