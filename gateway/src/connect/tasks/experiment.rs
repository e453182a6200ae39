//! A child of the experiment of 2025-11-25, asked in its own words and told in those of the
//! extension.

use std::sync::Arc;

use protocol::json::{Members, ObjectEdit, ObjectWriter};
use protocol::question::Input;
use protocol::task::{self, Status};
use protocol::{Method, Raw, error};

use super::dialogue::Dialogues;
use super::outcomes::{Outcome, Outcomes};
use super::support::Support;
use crate::call::{Call, Caller, Fault, Kind, Link, Reply, ReplyKind};
use crate::connect::dialect::bad_answer;

/// The member of a call that asks for a task, and of its result that is one.
const TASK: &str = "task";

/// What is known of one connection to such a child.
pub(super) struct Experiment {
    mount: Arc<str>,
    pub(super) support: Arc<Support>,
    dialogues: Dialogues,
    outcomes: Outcomes,
}

/// A call that asks for a task or does not, whatever its client wrote there.
pub(super) fn augmented(call: Call, by_task: bool) -> Result<Call, Fault> {
    let bad = |fault| Fault::invalid(format!("params: {fault}"));
    let members = Members::read(&call.params).map_err(bad)?;
    let mut edit = ObjectEdit::new(&members);
    match by_task {
        true => edit.set(TASK, "{}"),
        false => edit.remove(TASK),
    };
    if edit.is_empty() {
        return Ok(call);
    }
    let params = edit.finish_raw();
    Ok(Call { params, ..call })
}

/// The task in the result of a call that asked for one.
pub(super) fn created(result: &Raw) -> Option<Raw> {
    let members = Members::read(result).ok()?;
    let task = result.slice(members.get(TASK).filter(|text| text.starts_with('{'))?);
    let flat = flat(&task, &[("resultType", "\"task\"")]).ok()?;
    Some(flat)
}

/// A task in the words of the extension, with `more` beside.
fn flat(task: &Raw, more: &[(&str, &str)]) -> Result<Raw, protocol::NotJson> {
    let members = Members::read(task)?;
    let mut edit = ObjectEdit::new(&members);
    edit.remove("ttl").remove("pollInterval").remove("_meta");
    edit.set("ttlMs", members.get("ttl").unwrap_or("null"));
    if let Some(pause) = members.get("pollInterval") {
        edit.set("pollIntervalMs", pause);
    }
    for (key, value) in more {
        edit.set((*key).to_owned(), (*value).to_owned());
    }
    Ok(edit.finish_raw())
}

/// The result of a call without what says which task it was: that id is the child's own.
fn unrelated(result: &Raw) -> Raw {
    let without = || {
        let members = Members::read(result).ok()?;
        let meta = Members::read(members.get("_meta")?).ok()?;
        meta.get(task::RELATED)?;
        let mut edit = ObjectEdit::new(&members);
        match meta.len() {
            1 => edit.remove("_meta"),
            _ => edit.set("_meta", ObjectEdit::new(&meta).remove(task::RELATED).finish()),
        };
        Some(edit.finish_raw())
    };
    without().unwrap_or_else(|| result.clone())
}

/// A request about the task `id`, of the child's own words.
pub(super) fn about(method: Method, caller: &Arc<Caller>, id: &str) -> Call {
    let params = ObjectWriter::new().string(task::ID, id).finish();
    Call::own(method, params, Arc::clone(caller))
}

/// The request for what has become of a task, on which the child also asks.
pub(super) fn result_of(caller: &Arc<Caller>, id: &str) -> Call {
    about(Method::read("tasks/result"), caller, id)
}

impl Experiment {
    pub(super) fn new(mount: Arc<str>, support: Arc<Support>) -> Self {
        Self { mount, support, dialogues: Dialogues::default(), outcomes: Outcomes::default() }
    }

    /// Whether somebody is asked something.
    pub(super) fn is_busy(&self) -> bool {
        self.dialogues.is_busy()
    }

    /// Ends what is asked.
    pub(super) fn end(&self) {
        self.dialogues.end();
    }

    /// Answers a request of the extension.
    pub(super) async fn serve(&self, link: &Arc<dyn Link>, call: Call) -> Result<Reply, Fault> {
        let members = Members::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
        let id = task::id(&members).unwrap_or_default();
        let result = match call.method {
            Method::TasksGet => self.state(link, &call.caller, &id).await?,
            Method::TasksUpdate => {
                let input = Input::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
                self.update(link, &call, &id, &input).await?;
                Raw::default()
            }
            _ => {
                self.cancel(link, &call.caller, &id).await?;
                Raw::default()
            }
        };
        Ok(Reply::complete(result))
    }

    /// Takes the answers to what a task asks. What is not asked, or not any more, is left aside.
    pub(super) async fn update(
        &self,
        link: &Arc<dyn Link>,
        call: &Call,
        id: &str,
        input: &Input,
    ) -> Result<(), Fault> {
        if !self.dialogues.has(id) {
            // Nothing is asked; a task that there is not is said so.
            link.serve(about(Method::TasksGet, &call.caller, id)).await?;
            return Ok(());
        }
        self.dialogues.update(link, call, id, input).await
    }

    /// Has a task cancelled; one that is over is left as it is.
    async fn cancel(
        &self,
        link: &Arc<dyn Link>,
        caller: &Arc<Caller>,
        id: &str,
    ) -> Result<(), Fault> {
        match link.serve(about(Method::TasksCancel, caller, id)).await {
            Err(Fault { kind: Kind::Child(refused), .. })
                if refused.code == error::INVALID_PARAMS =>
            {
                link.serve(about(Method::TasksGet, caller, id)).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// How a task is, in the words of the extension.
    async fn state(
        &self,
        link: &Arc<dyn Link>,
        caller: &Arc<Caller>,
        id: &str,
    ) -> Result<Raw, Fault> {
        let asked = link.serve(about(Method::TasksGet, caller, id)).await;
        if let Err(Fault { kind: Kind::Child(_), .. }) = &asked {
            self.outcomes.forget(id);
        }
        let task = asked?.result;
        let bad =
            |fault: protocol::NotJson| bad_answer(&self.mount, &format!("how a task is: {fault}"));
        let status = Status::of(&Members::read(&task).map_err(bad)?).map_err(bad)?;
        let told = match status {
            Status::Working | Status::Cancelled => flat(&task, &[]),
            Status::Completed | Status::Failed => {
                let (status, key, value) = self.outcome(link, caller, id, status).await?;
                flat(&task, &[("status", status), (key, &value)])
            }
            Status::InputRequired => match self.dialogues.asked(link, caller, id).await? {
                Some(asked) => flat(&task, &[("inputRequests", &asked)]),
                // It says so and does not ask yet.
                None => flat(&task, &[("status", "\"working\"")]),
            },
        };
        told.map_err(bad)
    }

    /// What has become of a task that is over: how the extension calls that, and what belongs to
    /// it. A result is a result, be it of a tool that failed (digest 2.6). It is asked for once;
    /// an error of a task that did not fail is not kept, since it may be one of the asking.
    async fn outcome(
        &self,
        link: &Arc<dyn Link>,
        caller: &Arc<Caller>,
        id: &str,
        status: Status,
    ) -> Result<Outcome, Fault> {
        if let Some(outcome) = self.outcomes.get(id) {
            return Ok(outcome);
        }
        let outcome = match self.dialogues.outcome(id).await {
            Some(outcome) => outcome,
            None => link.serve(result_of(caller, id)).await,
        };
        let (outcome, lasts) = match outcome {
            Ok(reply) if reply.kind == ReplyKind::Complete => {
                (("\"completed\"", "result", unrelated(&reply.result)), true)
            }
            Ok(_) => return Err(bad_answer(&self.mount, "a task that is over still asks")),
            Err(Fault { kind: Kind::Child(refused), .. }) => {
                (("\"failed\"", "error", refused.relayed().to_raw()), status == Status::Failed)
            }
            Err(fault) => return Err(fault),
        };
        if lasts {
            self.outcomes.keep(id, &outcome);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn c183_a_task_of_the_experiment_is_told_in_the_words_of_the_extension() {
        let result = Raw::from_static(
            r#"{"task":{"taskId":"t","status":"working","createdAt":"c","lastUpdatedAt":"l","ttl":null,"pollInterval":5,"x":1.0},"_meta":{}}"#,
        );
        expect![[r#"{"taskId":"t","status":"working","createdAt":"c","lastUpdatedAt":"l","x":1.0,"ttlMs":null,"pollIntervalMs":5,"resultType":"task"}"#]]
            .assert_eq(&created(&result).unwrap());
        let task = Raw::from_static(r#"{"taskId":"t","status":"failed","ttl":60000}"#);
        expect![[r#"{"taskId":"t","status":"completed","ttlMs":60000,"result":{}}"#]]
            .assert_eq(&flat(&task, &[("status", "\"completed\""), ("result", "{}")]).unwrap());
        assert_eq!(created(&Raw::from_static(r#"{"content":[]}"#)), None);
    }

    #[test]
    fn the_childs_own_id_is_not_in_the_result_of_a_task() {
        let unrelated = |text| unrelated(&Raw::from_static(text)).to_string();
        expect![[r#"{"content":[]}"#]].assert_eq(&unrelated(
            r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#,
        ));
        expect![[r#"{"content":[],"_meta":{"a":1}}"#]].assert_eq(&unrelated(
            r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},"a":1}}"#,
        ));
        expect![[r#"{"_meta":{"a":1}}"#]].assert_eq(&unrelated(r#"{"_meta":{"a":1}}"#));
    }
}
