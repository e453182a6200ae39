//! A call whose client takes no task: the child is polled until there is a result, and what the
//! task asks is asked in the call.

use std::sync::Arc;
use std::time::Duration;

use protocol::json::{self, Members};
use protocol::question::{Abilities, Input, InputRequired, STATE_BYTES_MAX};
use protocol::task::{self, Status};
use protocol::{ErrorObject, Raw, error};
use tokio::time::sleep;

use super::{Tasks, knowing};
use crate::call::{Call, Caller, Fault, Kind, Reply, ReplyKind};

/// The shortest and the longest pause between two looks at a task, whatever its child proposes.
const POLL_PAUSE_MIN: Duration = Duration::from_millis(50);
const POLL_PAUSE_MAX: Duration = Duration::from_secs(10);
/// The pause where the child proposes none.
const POLL_PAUSE: Duration = Duration::from_secs(1);
/// Questions of one task; a child that asks on is cut off.
const QUESTIONS_MAX: usize = 100;
/// How long a child may take to cancel a task that nobody waits for.
pub(super) const CANCEL_WAIT: Duration = Duration::from_secs(10);

/// What a task is waited for with: its id, and the questions that were answered.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Waited {
    id: String,
    answered: Vec<String>,
}

/// The pause before the next look at a task.
pub(super) fn pace(state: &Raw) -> Duration {
    let proposed = || Members::read(state).ok()?.get("pollIntervalMs")?.parse().ok();
    let pause = proposed().map_or(POLL_PAUSE, Duration::from_millis);
    pause.clamp(POLL_PAUSE_MIN, POLL_PAUSE_MAX)
}

/// Cancels a task unless its outcome is known or its client is asked.
struct Abandoned<'a> {
    tasks: Option<&'a Arc<Tasks>>,
    caller: &'a Arc<Caller>,
    id: &'a str,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks {
            tasks.abandon(Arc::clone(self.caller), self.id);
        }
    }
}

impl Tasks {
    /// What the client of a call comes back to; `None` when it is no task.
    pub(super) fn waited_for(&self, input: &Input) -> Option<Result<Waited, Fault>> {
        let state = json::string(input.state.as_ref()?)?;
        let text = state.strip_prefix(&*self.mark)?;
        let bad = |_| Fault::invalid("params.requestState: it was not given out here");
        Some(serde_json::from_str(text).map_err(bad))
    }

    /// Waits for the outcome of a new task.
    pub(super) async fn wait(self: &Arc<Self>, call: Call, created: &Raw) -> Result<Reply, Fault> {
        let members = Members::read(created).map_err(|fault| self.bad(&fault.0))?;
        let id = task::id(&members).unwrap_or_default();
        self.outcome(&call, Waited { id, answered: Vec::new() }, pace(created)).await
    }

    /// The client is back with answers.
    ///
    /// Its state is good more than once, unlike that of a parked call (check 114): nothing is
    /// executed by it, an answer that the task has got already is left aside, and who uses it again
    /// gets what has become of the task. Were it good once, a client whose answer was lost on the
    /// way would have lost the result of a call that was carried out, with no id to ask for it.
    pub(super) async fn answered(
        self: &Arc<Self>,
        call: Call,
        mut waited: Waited,
        input: &Input,
    ) -> Result<Reply, Fault> {
        let call = match &self.experiment {
            None => knowing(call),
            Some(_) => call,
        };
        if let (None, Some((key, refusal))) = (&self.experiment, call.refused.first()) {
            self.abandon(Arc::clone(&call.caller), &waited.id);
            let text = format!(
                "the server asked the client something (`{key}`), and the client answered with an \
                 error: {:.200} ({}); the task was cancelled",
                refusal.message, refusal.code
            );
            return Err(Fault::new(Kind::Unanswered, text));
        }
        self.update(&call, &waited.id, input).await?;
        let keys = input.responses.iter().map(|(key, _)| key);
        waited.answered.extend(keys.chain(call.refused.iter().map(|(key, _)| key)).cloned());
        if waited.answered.len() > QUESTIONS_MAX {
            self.abandon(Arc::clone(&call.caller), &waited.id);
            let text = format!(
                "the server asked more than {QUESTIONS_MAX} questions in one task, which is the \
                 limit: the task was cancelled"
            );
            return Err(Fault::new(Kind::Unanswered, text));
        }
        self.outcome(&call, waited, POLL_PAUSE_MIN).await
    }

    async fn outcome(
        self: &Arc<Self>,
        call: &Call,
        waited: Waited,
        first: Duration,
    ) -> Result<Reply, Fault> {
        let mut abandoned = Abandoned { tasks: Some(self), caller: &call.caller, id: &waited.id };
        let mut pause = first;
        loop {
            sleep(pause).await;
            let state = self.state(&call.caller, &waited.id).await;
            let state = state.map_err(|fault| self.unknown(fault))?;
            // The child is alive and says so: for time-outs that is progress.
            call.back.touch();
            pause = pace(&state);
            let status = task::check_state(&state).map_err(|fault| self.bad(&fault.0))?;
            let outcome = match status {
                Status::Working => continue,
                Status::InputRequired => match self.asks(call, &waited, &state)? {
                    None => continue,
                    Some(asks) => Ok(asks),
                },
                Status::Completed => Ok(Reply::complete(member(&state, "result"))),
                Status::Failed => Err(Fault::child(ErrorObject::read(&member(&state, "error")))),
                Status::Cancelled => {
                    let text = "the server cancelled the task that this call had become";
                    Err(Fault::child(ErrorObject::new(error::INTERNAL_ERROR, text)))
                }
            };
            abandoned.tasks = None;
            return outcome;
        }
    }

    /// What the task asks that was not answered yet, as a question of the call.
    ///
    /// # Errors
    /// [`Kind::MissingCapability`] when the client cannot answer it; the task is then cancelled.
    fn asks(&self, call: &Call, waited: &Waited, state: &Raw) -> Result<Option<Reply>, Fault> {
        let mut asks = InputRequired::read(state).map_err(|fault| self.bad(&fault.0))?;
        asks.requests.retain(|one| !waited.answered.contains(&one.key));
        if asks.requests.is_empty() {
            return Ok(None);
        }
        let able = Abilities::read(&call.caller.capabilities);
        let lacking = asks.requests.iter().find_map(|one| able.lacks(one.question, &one.params));
        if let Some(lacks) = lacking {
            let text = "the server asks in this task what needs client capabilities that this \
                        request did not declare; the task was cancelled";
            return Err(Fault::new(Kind::MissingCapability(lacks), text));
        }
        let text = serde_json::to_string(waited).unwrap_or_default();
        let state = Raw::of(&format!("{}{text}", self.mark));
        if state.len() > STATE_BYTES_MAX {
            return Err(self.bad("its questions have keys that are too long to be remembered"));
        }
        asks.state = Some(state);
        Ok(Some(Reply::of(asks.to_raw(), ReplyKind::InputRequired)))
    }

    /// Why the outcome of a task is not known: the call that made it was executed, so no fault may
    /// let it be sent again.
    fn unknown(&self, fault: Fault) -> Fault {
        match fault.kind {
            Kind::Unreachable { .. } | Kind::Limited { .. } => {
                let mount = Arc::clone(&self.mount);
                let text =
                    format!("the call became a task, whose outcome is not known: {}", fault.text);
                Fault { kind: Kind::OutcomeUnknown { mount }, text, ..fault }
            }
            _ => fault,
        }
    }
}

fn member(state: &Raw, key: &str) -> Raw {
    let members = Members::read(state).ok();
    let text = members.as_ref().and_then(|members| members.get(key));
    text.map(|text| state.slice(text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c186_a_child_is_polled_at_a_bounded_pace() {
        let pace = |text: &'static str| pace(&Raw::from_static(text)).as_millis();
        assert_eq!(pace(r#"{"pollIntervalMs":0}"#), 50);
        assert_eq!(pace(r#"{"pollIntervalMs":200}"#), 200);
        assert_eq!(pace(r#"{"pollIntervalMs":999999999}"#), 10_000);
        assert_eq!(pace(r#"{"pollIntervalMs":-1}"#), 1000);
        assert_eq!(pace("{}"), 1000);
    }
}
