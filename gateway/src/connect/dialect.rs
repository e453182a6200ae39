//! A call in the words of either era, and the child's answer in ours.

use protocol::json::{Members, ObjectEdit, ObjectWriter};
use protocol::meta::{self, Stamp};
use protocol::question::{InputRequired, STATE_BYTES_MAX, may_ask};
use protocol::task::{self, Status};
use protocol::{ErrorObject, Method, Raw, Version, error, extension, rewrite};

use super::identity::IDENTITY;
use crate::call::{Call, Fault, Kind, Reply, ReplyKind};

/// The params of `call` for a modern child: every required member of `_meta` is stamped (check 25),
/// foreign ones stay.
///
/// `token` is the progress token of this hop; it is used only when the client wants progress.
///
/// # Errors
/// [`Kind::Unanswered`] when the client refused to answer the child: the modern era has no words
/// for that, so the call ends here.
pub(super) fn modern_params(call: &Call, version: Version, token: u64) -> Result<Raw, Fault> {
    if let Some((key, error)) = call.refused.first() {
        let text = format!(
            "the server asked the client something (`{key}`), and the client answered with an \
             error: {:.200} ({}); the call was given up",
            error.message, error.code
        );
        return Err(Fault::new(Kind::Unanswered, text));
    }
    let stamp = Stamp {
        version: Some(version.as_str()),
        client_capabilities: Some(&call.caller.capabilities),
        client_info: Some(IDENTITY),
        log_level: call.log_level,
        progress_token: call.wants_progress.then_some(token),
        caller: call.told.as_deref(),
    };
    meta::stamp(&call.params, &stamp).map_err(|fault| Fault::invalid(format!("params: {fault}")))
}

/// The params of `call` for a legacy child.
pub(super) fn legacy_params(call: &Call, token: u64) -> Result<Raw, Fault> {
    let bad = |fault| Fault::invalid(format!("params: {fault}"));
    let stamp = Stamp {
        progress_token: call.wants_progress.then_some(token),
        caller: call.told.as_deref(),
        ..Stamp::default()
    };
    let params = meta::stamp(&call.params, &stamp).map_err(bad)?;
    let members = Members::read(&params).map_err(bad)?;
    let mut edit = ObjectEdit::new(&members);
    edit.remove("inputResponses").remove("requestState");
    Ok(if edit.is_empty() { params.clone() } else { edit.finish_raw() })
}

/// What a modern child's result is to the middle.
///
/// # Errors
/// [`Kind::BadAnswer`] for a result that is no object, has an unknown type (check 5), asks for
/// input where that is not allowed (check 110) or not as the protocol says (check 111), or is a
/// task that the client does not know how to take (check 185).
pub(super) fn modern_reply(call: &Call, result: Raw, mount: &str) -> Result<Reply, Fault> {
    let bad = |text: &str| bad_answer(mount, text);
    let reply = Reply::read(result).map_err(|fault| bad(&fault.0))?;
    let method = call.method.as_str();
    match (reply.kind, &call.method) {
        (ReplyKind::InputRequired, method) if !may_ask(method) => {
            Err(bad(&format!("it asked for input in answer to {}", method.as_str())))
        }
        (ReplyKind::InputRequired, _) => check_asks(&reply.result, mount).map(|()| reply),
        (ReplyKind::Task | ReplyKind::Complete, Method::TasksGet) => {
            let status = task::check_state(&reply.result).map_err(|fault| bad(&fault.0))?;
            if status == Status::InputRequired {
                check_asks(&reply.result, mount)?;
            }
            // Examples of the extension say `task` here, and its text `complete` (check 183).
            let result = rewrite::set_string(&reply.result, "resultType", "complete");
            Ok(Reply::complete(result.map_err(|fault| bad(&fault.0))?))
        }
        (ReplyKind::Task, Method::ToolsCall)
            if extension::declares(&call.caller.capabilities, extension::TASKS) =>
        {
            task::check_created(&reply.result).map_err(|fault| bad(&fault.0))?;
            Ok(reply)
        }
        (ReplyKind::Task, _) => {
            Err(bad(&format!("it answered {method} by a task, which this request does not take")))
        }
        _ => Ok(reply),
    }
}

/// Looks at what a modern child asks for.
fn check_asks(result: &Raw, mount: &str) -> Result<(), Fault> {
    let bad = |text: &str| bad_answer(mount, &format!("it asked for input, but {text}"));
    let asks = InputRequired::read(result).map_err(|fault| bad(&fault.0))?;
    match asks.state.map(|state| state.len()) {
        Some(came) if came > STATE_BYTES_MAX => Err(bad(&format!(
            "requestState: expected at most {STATE_BYTES_MAX} bytes, found {came}"
        ))),
        _ => Ok(()),
    }
}

/// What a legacy child's result is to the middle: always complete (check 5).
///
/// # Errors
/// [`Kind::BadAnswer`] for a result that is no object.
pub(super) fn legacy_reply(result: Raw, mount: &str) -> Result<Reply, Fault> {
    if !result.is_object() {
        return Err(bad_answer(mount, "its result is no object"));
    }
    Ok(Reply::complete(result))
}

/// A child's error; the not-found of the legacy era becomes that of the modern one, with the URI
/// (check 14).
pub(super) fn child_error(call: &Call, mut error: ErrorObject) -> Fault {
    if error.code == error::RESOURCE_NOT_FOUND_LEGACY && call.method == Method::ResourcesRead {
        error.code = error::INVALID_PARAMS;
        if error.data.is_none() {
            let members = Members::read(&call.params).ok();
            let uri = members.as_ref().and_then(|members| members.get("uri"));
            error.data = uri.map(|uri| ObjectWriter::new().raw("uri", uri).finish());
        }
    }
    Fault::child(error)
}

/// The child answered with something that is no answer.
pub(super) fn bad_answer(mount: &str, text: &str) -> Fault {
    Fault::new(
        Kind::BadAnswer { mount: mount.into() },
        format!("the server behind `{mount}` sent an answer that is none: {text}"),
    )
}
