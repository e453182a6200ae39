//! The tools of the echo child.

use protocol::json::{Members, ObjectWriter, elements, quoted};
use protocol::{ChildRequest, ErrorObject, Raw, error};
use tokio::sync::broadcast;

use super::lists::string;
use super::{Event, bad};

/// Calls one tool:
/// `echo` says its arguments as text; `params` gives all params back as structured content;
/// `answer {result}` answers with exactly that result; `fail {error}` with exactly that error;
/// `slow {steps}` tells these progress values first; `wait` waits until released or cancelled;
/// `poll` lets its client come back later, and waits like `wait`;
/// `log {levels}` logs one message of each level; `place` has arguments mirrored in headers.
pub(super) async fn call(
    request: &ChildRequest,
    events: &broadcast::Sender<Event>,
    more: &[String],
) -> Result<Raw, ErrorObject> {
    let params = &request.params;
    let name = string(params, "name")?;
    let members = Members::read(params).map_err(bad)?;
    let arguments = members.get("arguments").unwrap_or("{}");
    let inside = Members::read(arguments).map_err(bad)?;
    match name.as_str() {
        "echo" | "place" => Ok(text(arguments)),
        "params" => {
            let object = ObjectWriter::new().raw("content", "[]");
            Ok(object.raw("structuredContent", params).finish())
        }
        "answer" => Ok(params.slice(inside.get("result").unwrap_or("{}"))),
        "fail" => {
            let error = params.slice(inside.get("error").unwrap_or("{}"));
            Err(ErrorObject::read(&error))
        }
        "slow" => {
            for step in inside.get("steps").and_then(elements).unwrap_or_default() {
                progress(request, step).await;
            }
            Ok(text("\"done\""))
        }
        "wait" => {
            let mut events = events.subscribe();
            progress(request, "0").await;
            while !events.recv().await.is_ok_and(|event| event.method == "release") {}
            Ok(text("\"released\""))
        }
        "poll" => {
            let mut events = events.subscribe();
            request.back.notify("gateway/poll", Raw::default()).await;
            while !events.recv().await.is_ok_and(|event| event.method == "release") {}
            Ok(text("\"polled\""))
        }
        "log" => {
            for level in inside.get("levels").and_then(elements).unwrap_or_default() {
                let object = ObjectWriter::new().raw("level", level);
                let message = object.string("logger", "echo").raw("data", level).finish();
                request.back.notify("notifications/message", message).await;
            }
            Ok(text("\"logged\""))
        }
        name if more.iter().any(|known| known == name) => Ok(text("\"late\"")),
        _ => Err(ErrorObject::new(error::INVALID_PARAMS, format!("no tool `{name}`"))),
    }
}

/// Progress, whether a token came or not: what was not asked for must not arrive.
async fn progress(request: &ChildRequest, step: &str) {
    let members = Members::read(&request.params).ok();
    let meta = members.as_ref().and_then(|members| members.get("_meta"));
    let meta = meta.and_then(|text| Members::read(text).ok());
    let token = meta.as_ref().and_then(|meta| meta.get("progressToken")).unwrap_or("\"none\"");
    let object = ObjectWriter::new().raw("progressToken", token).raw("progress", step);
    request.back.notify("notifications/progress", object.raw("total", "9").finish()).await;
}

fn text(json: &str) -> Raw {
    let content = format!(r#"[{{"type":"text","text":{}}}]"#, quoted(json));
    ObjectWriter::new().raw("content", &content).finish()
}
