//! Ids of tasks on their way to a client and back: sealed, and good for one principal at one
//! endpoint.
//!
//! The gateway keeps nothing of a task: the id says where it is, and its child knows for how long.

use protocol::json::{Members, ObjectEdit};
use protocol::method::notice;
use protocol::question::Abilities;
use protocol::task::{self, Status};
use protocol::{Method, Raw};
use serde::{Deserialize, Serialize};

use super::Seal;
use super::states::check;
use crate::call::{Call, Endpoint, Fault, Kind, Reply, ReplyKind};

/// What the seal is for: nothing else that is sealed opens as a task.
const PURPOSE: &str = "task";
/// The longest sealed id that is given out or looked at, in bytes: it stands in a header.
const SEALED_BYTES_MAX: usize = 4096;
/// Tasks that one listen may ask for.
const LISTENED_MAX: usize = 1000;

#[derive(Serialize, Deserialize)]
struct Sealed {
    task: String,
    principal: String,
    endpoint: Option<String>,
}

/// The ids in one request, as the client knows them, by what they are called within.
#[derive(Debug, Default, Clone)]
pub(super) struct Known(Vec<(String, String)>);

/// The call with the ids within in the place of those that the client has. One that was not given
/// out to this principal at this endpoint becomes one that no task has.
///
/// # Errors
/// [`Kind::Invalid`] when the params have another shape.
pub(super) fn opened(seal: &Seal, mut call: Call) -> Result<(Call, Known), Fault> {
    let bad = |fault: protocol::NotJson| Fault::invalid(format!("params: {fault}"));
    let mut known = Known::default();
    let mut open = |sealed: String| {
        let task = open(seal, &call, &sealed)?;
        known.0.push((task.clone(), sealed));
        Some(task)
    };
    if call.method.is_of_task() {
        let members = Members::read(&call.params).map_err(bad)?;
        if let Some(sealed) = task::id(&members) {
            let task = open(sealed).unwrap_or_default();
            call.params = task::with_id(&call.params, &task).map_err(bad)?;
        }
    } else if call.method == Method::Listen
        && let Ok(Some(sealed)) = task::listened(&call.params)
    {
        if sealed.len() > LISTENED_MAX {
            let came = sealed.len();
            let text =
                format!("params.notifications.taskIds: at most {LISTENED_MAX}, found {came}");
            return Err(Fault::invalid(text));
        }
        let tasks: Vec<String> = sealed.into_iter().filter_map(open).collect();
        call.params = task::with_listened(&call.params, &tasks).map_err(bad)?;
    }
    Ok((call, known))
}

fn endpoint(call: &Call) -> Option<String> {
    match &call.endpoint {
        Endpoint::Merged => None,
        Endpoint::Mount(prefix) => Some(prefix.to_string()),
    }
}

fn open(seal: &Seal, call: &Call, sealed: &str) -> Option<String> {
    let text = seal.open(PURPOSE, sealed, SEALED_BYTES_MAX)?;
    let opened: Sealed = serde_json::from_str(&text).ok()?;
    let same = *opened.principal == *call.caller.principal.0 && opened.endpoint == endpoint(call);
    same.then_some(opened.task)
}

/// The reply to `asked` with ids that the client can come back with.
///
/// # Errors
/// [`Kind::MissingCapability`] when the task asks what the client cannot answer (check 112).
pub(super) fn closed(
    seal: &Seal,
    asked: &Call,
    known: &Known,
    reply: Reply,
) -> Result<Reply, Fault> {
    let result = match (&asked.method, reply.kind) {
        (Method::ToolsCall, ReplyKind::Task) => {
            let members = Members::read(&reply.result).map_err(internal)?;
            let sealed = Sealed {
                task: task::id(&members).unwrap_or_default(),
                principal: asked.caller.principal.0.to_string(),
                endpoint: endpoint(asked),
            };
            let text = serde_json::to_string(&sealed).unwrap_or_default();
            let id = seal.close(PURPOSE, &text).filter(|id| id.len() <= SEALED_BYTES_MAX);
            let id = id.ok_or_else(|| {
                Fault::new(Kind::Internal, "the id of the task could not be sealed")
            })?;
            task::with_id(&reply.result, &id).map_err(internal)?
        }
        (Method::TasksGet, _) => {
            if task::check_state(&reply.result) == Ok(Status::InputRequired) {
                let asks = super::states::read(&reply)?;
                check(&asks, Abilities::read(&asked.caller.capabilities))?;
            }
            match known.0.first() {
                Some((_, sealed)) => task::with_id(&reply.result, sealed).map_err(internal)?,
                None => return Ok(reply),
            }
        }
        _ => return Ok(reply),
    };
    Ok(Reply { result, ..reply })
}

fn internal(fault: protocol::NotJson) -> Fault {
    Fault::new(Kind::Internal, format!("a task without an id: {fault}"))
}

impl Known {
    /// What is told on a listen, with the ids that the client knows; `None` for news of a task that
    /// it did not ask for.
    pub(super) fn told(&self, method: &str, params: &Raw) -> Option<Raw> {
        let name = |task: &str| {
            self.0.iter().find(|(within, _)| within == task).map(|(_, sealed)| sealed.clone())
        };
        match method {
            notice::TASKS => {
                let members = Members::read(params).ok()?;
                let sealed = name(&task::id(&members)?)?;
                let mut edit = ObjectEdit::new(&members);
                Some(edit.set(task::ID, protocol::json::quoted(&sealed)).finish_raw())
            }
            notice::ACKNOWLEDGED => match task::listened(params) {
                Ok(Some(tasks)) => {
                    let sealed: Vec<_> = tasks.iter().filter_map(|task| name(task)).collect();
                    task::with_listened(params, &sealed).ok()
                }
                _ => Some(params.clone()),
            },
            _ => Some(params.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::{Caller, Principal};

    fn call(method: Method, params: &str) -> Call {
        let params = Raw::parse(params.to_owned().into()).unwrap();
        Call::own(method, params, Caller::gateway())
    }

    fn given(seal: &Seal) -> String {
        let created = r#"{"resultType":"task","taskId":"m/0/own","status":"working"}"#;
        let reply = Reply::of(Raw::from_static(created), ReplyKind::Task);
        let asked = call(Method::ToolsCall, "{}");
        let reply = closed(seal, &asked, &Known::default(), reply).unwrap();
        task::id(&Members::read(&reply.result).unwrap()).unwrap()
    }

    fn within(seal: &Seal, call: Call) -> String {
        let (call, _) = opened(seal, call).unwrap();
        task::id(&Members::read(&call.params).unwrap()).unwrap()
    }

    #[test]
    fn c181_c199_an_id_opens_for_the_principal_and_the_endpoint_that_it_was_given_to() {
        let seal = Seal::new(None).unwrap();
        let id = given(&seal);
        assert_ne!(id, given(&seal), "nobody guesses the next");
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
        let ask = |id: &str| call(Method::TasksGet, &format!(r#"{{"taskId":"{id}"}}"#));
        assert_eq!(within(&seal, ask(&id)), "m/0/own");
        let other = Call { endpoint: Endpoint::Mount("m".into()), ..ask(&id) };
        assert_eq!(within(&seal, other), "");
        let foreign = Caller { principal: Principal::anonymous(), ..(*Caller::gateway()).clone() };
        assert_eq!(within(&seal, Call { caller: Arc::new(foreign), ..ask(&id) }), "");
        assert_eq!(within(&Seal::new(None).unwrap(), ask(&id)), "");
        for forged in ["m/0/own", "", &id[1..], &seal.close("state", "{}").unwrap()] {
            assert_eq!(within(&seal, ask(forged)), "", "{forged}");
        }
    }

    #[test]
    fn c181_a_listen_tells_of_the_tasks_that_it_names_under_the_names_it_has_for_them() {
        let seal = Seal::new(None).unwrap();
        let id = given(&seal);
        let params = format!(r#"{{"notifications":{{"taskIds":["{id}","m/0/own","x"]}}}}"#);
        let (listen, known) = opened(&seal, call(Method::Listen, &params)).unwrap();
        assert_eq!(task::listened(&listen.params), Ok(Some(vec!["m/0/own".to_owned()])));
        let told = known.told(notice::ACKNOWLEDGED, &listen.params).unwrap();
        assert_eq!(task::listened(&told), Ok(Some(vec![id.clone()])));
        let news = Raw::from_static(r#"{"taskId":"m/0/own","status":"working"}"#);
        let told = known.told(notice::TASKS, &news).unwrap();
        assert_eq!(told.as_str(), format!(r#"{{"taskId":"{id}","status":"working"}}"#));
        let news = Raw::from_static(r#"{"taskId":"m/0/other","status":"working"}"#);
        assert_eq!(known.told(notice::TASKS, &news), None);
        let many: Vec<_> = (0..=LISTENED_MAX).map(|_| id.clone()).collect();
        assert!(opened(&seal, call(Method::Listen, task::listen_to(&many).as_str())).is_err());
    }
}
