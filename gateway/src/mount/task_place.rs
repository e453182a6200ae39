//! Tasks of a mount with several replicas: the id says which of them has it.

use protocol::json::Members;
use protocol::{Method, Raw, task};

use crate::call::{Call, Reply, ReplyKind};

/// The replica that alone can serve `call`, because it has the task.
pub(super) fn of(call: &Call) -> Option<usize> {
    let place_in = |id: &str| task::unnest(id)?.0.parse().ok();
    if call.method.is_of_task() {
        let members = Members::read(&call.params).ok()?;
        return place_in(&task::id(&members)?);
    }
    match call.method {
        Method::Listen => place_in(task::listened(&call.params).ok()??.first()?),
        _ => None,
    }
}

/// `call` with the ids that the child has for its tasks.
pub(super) fn own(mut call: Call) -> Call {
    let params = match call.method {
        Method::Listen => own_listened(&call.params),
        _ if call.method.is_of_task() => own_id(&call.params),
        _ => None,
    };
    call.params = params.unwrap_or(call.params);
    call
}

fn own_id(params: &Raw) -> Option<Raw> {
    let members = Members::read(params).ok()?;
    let id = task::id(&members)?;
    task::with_id(params, task::unnest(&id)?.1).ok()
}

fn own_listened(params: &Raw) -> Option<Raw> {
    let ids = task::listened(params).ok()??;
    let own = ids.iter().filter_map(|id| Some(task::unnest(id)?.1.to_owned()));
    task::with_listened(params, &own.collect::<Vec<_>>()).ok()
}

/// A new task under the place of the replica that has it.
pub(super) fn created(reply: Reply, place: usize) -> Reply {
    let named = || {
        let members = Members::read(&reply.result).ok()?;
        task::with_id(&reply.result, &task::nest(&place.to_string(), &task::id(&members)?)).ok()
    };
    match reply.kind {
        ReplyKind::Task => Reply { result: named().unwrap_or(reply.result), ..reply },
        _ => reply,
    }
}
