//! Where the tasks of a mount are: the id says which replica has it, and for what clients the
//! connection was made that it began on.

use protocol::json::Members;
use protocol::question::Abilities;
use protocol::{Method, Raw, task};

use crate::call::{Call, Caller, Reply, ReplyKind};

/// The place of a task: its replica, and what the client could be asked that it began for.
type Place = (usize, Option<Abilities>);

/// The replica that alone can serve `call`, because it has the task.
pub(super) fn of(call: &Call) -> Option<usize> {
    place(call).map(|(replica, _)| replica)
}

fn place(call: &Call) -> Option<Place> {
    let place_in = |id: &str| read(task::unnest(id)?.0);
    if call.method.is_of_task() {
        let members = Members::read(&call.params).ok()?;
        return place_in(&task::id(&members)?);
    }
    match call.method {
        // All that one listen names are at the same place.
        Method::Listen => place_in(task::listened(&call.params).ok()??.first()?),
        _ => None,
    }
}

fn read(written: &str) -> Option<Place> {
    match written.split_once('.') {
        Some((replica, able)) => {
            Some((replica.parse().ok()?, Abilities::of_number(able.parse().ok()?)))
        }
        None => Some((written.parse().ok()?, None)),
    }
}

/// `call` with the ids that the child has for its tasks.
pub(super) fn own(mut call: Call) -> Call {
    let params = match call.method {
        Method::Listen => own_listened(&call.params),
        _ if call.method.is_of_task() => own_id(&call.params),
        _ => None,
    };
    if params.is_some() {
        call.begun_with = place(&call).and_then(|(_, able)| able);
    }
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

/// A new task under the place of the replica that has it, and of the client that began it.
pub(super) fn created(reply: Reply, replica: usize, caller: &Caller) -> Reply {
    let named = || {
        let members = Members::read(&reply.result).ok()?;
        let place = format!("{replica}.{}", Abilities::read(&caller.capabilities).number());
        task::with_id(&reply.result, &task::nest(&place, &task::id(&members)?)).ok()
    };
    match reply.kind {
        ReplyKind::Task => Reply { result: named().unwrap_or(reply.result), ..reply },
        _ => reply,
    }
}
