//! Tasks: which mount has one, and what it is called there.

use protocol::json::Members;
use protocol::question::Input;
use protocol::{Method, Raw, extension, rewrite, task, uri};

use super::answer::{exposes, read_params, string_member};
use super::lookup::not_offered;
use super::mounted::Mounted;
use super::view::{Snapshot, View, endpoint_name};
use crate::call::{Call, Endpoint, Fault, Kind, Reply, Serve};

impl Snapshot {
    /// `tasks/get`, `tasks/update` and `tasks/cancel`.
    pub(super) async fn task(&self, view: &View, mut call: Call) -> Result<Reply, Fault> {
        if !view.capabilities.tasks {
            return Err(not_offered(call.method.as_str()));
        }
        check_declared(&call)?;
        let asked = string_member(&call.params, task::ID)?;
        check_answers(&call)?;
        let (place, own) = self.task_place(&call.endpoint, &asked).ok_or_else(unknown)?;
        let mounted = self.mounts.get(place).ok_or_else(unknown)?;
        call.params = task::with_id(&call.params, own)
            .map_err(|fault| Fault::invalid(format!("params: {fault}")))?;
        let reply = mounted.serve.serve(call).await?;
        let result = state(&reply.result, exposes(view, mounted).then_some(mounted));
        Ok(Reply { result, ..reply })
    }

    /// The place of the mount that a task is at, and the rest of its id.
    pub(super) fn task_place<'i>(
        &self,
        endpoint: &Endpoint,
        id: &'i str,
    ) -> Option<(usize, &'i str)> {
        let (mount, own) = task::unnest(id)?;
        let place = self.mounts.iter().position(|mounted| *mounted.name == *mount)?;
        let here = match endpoint {
            Endpoint::Merged => true,
            Endpoint::Mount(prefix) => endpoint_name(self.mounts.get(place)?) == *prefix,
        };
        here.then_some((place, own))
    }
}

/// How a task is, with the URIs that clients see where `mounted` exposes them.
pub(super) fn state(state: &Raw, mounted: Option<&std::sync::Arc<Mounted>>) -> Raw {
    match mounted {
        None => state.clone(),
        Some(mounted) => rewrite::task_state(state, &|own| Some(uri::expose(&mounted.prefix, own))),
    }
}

/// A new task under the name of its mount.
pub(super) fn created(reply: Reply, mounted: &Mounted) -> Result<Reply, Fault> {
    let named = || {
        let members = Members::read(&reply.result).ok()?;
        let id = task::nest(&mounted.name, &task::id(&members)?);
        task::with_id(&reply.result, &id).ok()
    };
    match named() {
        Some(result) => Ok(Reply { result, ..reply }),
        None => Err(Fault::new(Kind::Internal, "a task without an id came through")),
    }
}

/// Looks whether the client of this request declared that it knows tasks.
///
/// # Errors
/// [`Kind::MissingCapability`] (check 179).
pub(super) fn check_declared(call: &Call) -> Result<(), Fault> {
    match extension::declares(&call.caller.capabilities, extension::TASKS) {
        true => Ok(()),
        false => {
            let text = format!(
                "{} needs the extension {}, which this request does not declare",
                call.method.as_str(),
                extension::TASKS
            );
            Err(Fault::new(Kind::MissingCapability(extension::required(extension::TASKS)), text))
        }
    }
}

/// Looks whether an update brings answers, which no child need be asked about.
///
/// # Errors
/// [`Kind::Invalid`] when it does not.
fn check_answers(call: &Call) -> Result<(), Fault> {
    if call.method != Method::TasksUpdate {
        return Ok(());
    }
    let input = Input::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    match input.answers {
        true => Ok(()),
        false => Err(Fault::invalid("params.inputResponses: expected an object, found nothing")),
    }
}

/// The tasks that a listen names, by what they are called here.
pub(super) fn listened(call: &Call) -> Result<Option<Vec<String>>, Fault> {
    read_params(&call.params)?;
    task::listened(&call.params).map_err(|fault| Fault::invalid(format!("params.{fault}")))
}

fn unknown() -> Fault {
    Fault::invalid(
        "params.taskId: no task has this id: it was not given out to this client at this \
         endpoint, or its server is gone",
    )
}
