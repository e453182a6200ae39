//! A long call that can be watched and cancelled: to try progress, logs and cancellation with.

use std::time::Duration;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Toolbox;
use crate::fault::{Code, Fault};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountDownArguments {
    /// From where to count down to zero.
    #[schemars(range(min = 1, max = 100))]
    steps: u32,
    /// How long each step takes, in milliseconds.
    #[schemars(range(max = 1_000))]
    delay_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct CountedDown {
    /// How many steps were taken.
    steps: u32,
}

#[tool_router(router = count_tools, vis = "pub(super)")]
impl Toolbox {
    #[tool(
        title = "Count down",
        description = "Counts down slowly, with progress and log messages; can be cancelled.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn count_down(
        &self,
        Parameters(CountDownArguments { steps, delay_ms }): Parameters<CountDownArguments>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<CountedDown>, Fault> {
        for step in 1..=steps {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
                () = context.ct.cancelled() => {
                    let text = format!("after {} of {steps} steps", step - 1);
                    return Err(Fault::new(Code::Cancelled, text));
                }
            }
            report(&context, step, steps).await;
        }
        Ok(Json(CountedDown { steps }))
    }
}

/// Tells of one step. Whoever does not want to hear, or no longer, does not stop the count.
#[expect(deprecated, reason = "logging is deprecated in 2026-07-28, and still part of it")]
async fn report(context: &RequestContext<RoleServer>, step: u32, steps: u32) {
    use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};

    let left = steps - step;
    let log = LoggingMessageNotificationParam::new(
        if left == 0 { LoggingLevel::Notice } else { LoggingLevel::Info },
        json!({ "step": step, "left": left }),
    );
    context.peer.notify_logging_message(log.with_logger("count_down")).await.ok();
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, f64::from(step))
            .with_total(f64::from(steps))
            .with_message(format!("{left} left"));
        context.peer.notify_progress(progress).await.ok();
    }
}
