//! What the tasks of a child of the experiment ask: each on a request for its result that is held
//! open, answered when the client brings the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::{self, ObjectWriter};
use protocol::question::{Abilities, Input, InputRequired, check_answer, for_modern};
use protocol::{ErrorObject, Raw, extension};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::experiment::result_of;
use crate::call::{Call, Caller, Fault, Kind, Link, Reply, ReplyKind};

/// Tasks of one connection that ask at the same time.
const DIALOGUES_MAX: usize = 1000;
/// How long a look at a task that waits for answers waits for the question itself.
const QUESTION_WAIT: Duration = Duration::from_secs(5);

/// The tasks that ask, by the child's own ids.
#[derive(Default)]
pub(super) struct Dialogues {
    open: Mutex<HashMap<String, Dialogue>>,
}

/// What one task asks.
struct Dialogue {
    /// A part of each key, by chance: no key is used twice in the life of a task, which is longer
    /// than that of a connection or of this process (check 184).
    name: String,
    /// Who is asked.
    caller: Arc<Caller>,
    turn: watch::Sender<Turn>,
    /// Waits for what the child says next.
    listening: AbortOnDropHandle<()>,
}

/// Whose turn it is.
#[derive(Clone, Default)]
enum Turn {
    /// The child's.
    #[default]
    Childs,
    /// The client's: it is asked this.
    Clients(InputRequired),
    /// Nobody's: this came of it.
    Over(Result<Reply, Fault>),
}

impl Dialogue {
    /// A client looks, or answers. That it did not declare roots this time does not take them from
    /// one that did.
    fn is_with(&mut self, caller: &Arc<Caller>) {
        let caller = asked_for(caller);
        let has_roots = |caller: &Caller| Abilities::read(&caller.capabilities).roots;
        if !knows_tasks(&caller) || has_roots(&caller) || !has_roots(&self.caller) {
            self.caller = caller;
        }
    }
}

impl Dialogues {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Dialogue>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody is asked something.
    pub(super) fn is_busy(&self) -> bool {
        self.open().values().any(|one| !matches!(&*one.turn.borrow(), Turn::Over(_)))
    }

    /// Ends all.
    pub(super) fn end(&self) {
        self.open().clear();
    }

    /// Whether this task asked something.
    pub(super) fn has(&self, id: &str) -> bool {
        self.open().contains_key(id)
    }

    /// What came of a task that asked; once.
    pub(super) async fn outcome(&self, id: &str) -> Option<Result<Reply, Fault>> {
        let mut turn = self.open().get(id)?.turn.subscribe();
        // The answer to the last request for the result is under way.
        let turned = turn.wait_for(|turn| !matches!(turn, Turn::Childs));
        let turn = match timeout(QUESTION_WAIT, turned).await {
            Ok(Ok(turn)) => turn.clone(),
            _ => return None,
        };
        self.open().remove(id);
        match turn {
            Turn::Over(outcome @ (Ok(_) | Err(Fault { kind: Kind::Child(_), .. }))) => {
                Some(outcome)
            }
            _ => None,
        }
    }

    /// What a task asks now, as `inputRequests`; `None` when it does not ask yet.
    pub(super) async fn asked(
        &self,
        link: &Arc<dyn Link>,
        caller: &Arc<Caller>,
        id: &str,
    ) -> Result<Option<Raw>, Fault> {
        let (name, mut turn) = self.listen(link, caller, id)?;
        let waiting = turn.wait_for(|turn| !matches!(turn, Turn::Childs));
        let turn = match timeout(QUESTION_WAIT, waiting).await {
            Ok(Ok(turn)) => turn.clone(),
            _ => return Ok(None),
        };
        Ok(match turn {
            Turn::Clients(asks) => Some(written(&name, &asks)),
            // The state that was read is older than this.
            Turn::Over(_) | Turn::Childs => None,
        })
    }

    /// The dialogue of a task, begun where there is none.
    fn listen(
        &self,
        link: &Arc<dyn Link>,
        caller: &Arc<Caller>,
        id: &str,
    ) -> Result<(String, watch::Receiver<Turn>), Fault> {
        let mut open = self.open();
        let over = open.get(id).is_some_and(|one| matches!(&*one.turn.borrow(), Turn::Over(_)));
        if over {
            // It ended, and the task asks all the same: in a new one.
            open.remove(id);
        }
        if let Some(dialogue) = open.get_mut(id) {
            dialogue.is_with(caller);
            return Ok((dialogue.name.clone(), dialogue.turn.subscribe()));
        }
        open.retain(|_, one| !matches!(&*one.turn.borrow(), Turn::Over(_)));
        if open.len() >= DIALOGUES_MAX {
            let text = format!("{DIALOGUES_MAX} tasks of this server wait for answers, the limit");
            return Err(Fault::new(Kind::Limited { retry_after: None }, text));
        }
        let caller = asked_for(caller);
        let name = format!("{:016x}", rand::random::<u64>());
        let turn = watch::Sender::new(Turn::Childs);
        let heard = turn.subscribe();
        let listening = listen(link, result_of(&caller, id), turn.clone());
        let dialogue = Dialogue { name: name.clone(), caller, turn, listening };
        open.insert(id.to_owned(), dialogue);
        Ok((name, heard))
    }

    /// Brings answers to what a task asks; those to something else are left aside.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an answer of another shape; nothing is answered then.
    pub(super) fn update(
        &self,
        link: &Arc<dyn Link>,
        call: &Call,
        id: &str,
        input: &Input,
    ) -> Result<(), Fault> {
        let mut open = self.open();
        let Some(dialogue) = open.get_mut(id) else { return Ok(()) };
        let Turn::Clients(asks) = dialogue.turn.borrow().clone() else { return Ok(()) };
        let mut brought = Input { state: asks.state.clone(), answers: true, ..Input::default() };
        let mut refused: Vec<(String, ErrorObject)> = Vec::new();
        for request in &asks.requests {
            let key = key(&dialogue.name, &request.key);
            if let Some((_, answer)) = input.responses.iter().find(|(name, _)| *name == key) {
                check_answer(request.question, answer).map_err(|text| {
                    let key = json::quoted(&key);
                    Fault::invalid(format!("params.inputResponses[{key}]: {text}"))
                })?;
                brought.responses.push((request.key.clone(), answer.clone()));
            } else if let Some((_, error)) = call.refused.iter().find(|(name, _)| *name == key) {
                refused.push((request.key.clone(), error.clone()));
            }
        }
        if brought.responses.is_empty() && refused.is_empty() {
            return Ok(());
        }
        dialogue.is_with(&call.caller);
        let mut resumed = result_of(&dialogue.caller, id);
        resumed.params = brought.put(&resumed.params).map_err(|fault| Fault::invalid(fault.0))?;
        resumed.refused = refused.into();
        dialogue.turn.send_replace(Turn::Childs);
        dialogue.listening = listen(link, resumed, dialogue.turn.clone());
        Ok(())
    }
}

/// The caller as the child's questions see it.
///
/// A client that knows tasks says anew with each look what it can answer, and is then shown no more
/// than that (check 112): a question waits for the look of one that can, whatever was declared when
/// the last answers came. A client that knows none is there for this one call, and is asked what it
/// declared. Roots are asked for in passing by servers that do well without, so a client that has
/// none says so at once.
fn asked_for(caller: &Arc<Caller>) -> Arc<Caller> {
    if !knows_tasks(caller) {
        return Arc::clone(caller);
    }
    let roots = Abilities::read(&caller.capabilities).roots;
    let able = Abilities { roots, ..Abilities::ALL }.to_raw();
    let capabilities = extension::and(&able, extension::TASKS);
    Arc::new(Caller { capabilities, ..(**caller).clone() })
}

fn knows_tasks(caller: &Caller) -> bool {
    extension::declares(&caller.capabilities, extension::TASKS)
}

/// Sends a request for a result and tells what comes of it.
fn listen(link: &Arc<dyn Link>, call: Call, turn: watch::Sender<Turn>) -> AbortOnDropHandle<()> {
    let link = Arc::clone(link);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let outcome = link.serve(call).await;
        let next = match outcome {
            Ok(reply) if reply.kind == ReplyKind::InputRequired => {
                match InputRequired::read(&reply.result) {
                    Ok(asks) => Turn::Clients(asks),
                    Err(fault) => Turn::Over(Err(Fault::new(Kind::Internal, fault.0))),
                }
            }
            other => Turn::Over(other),
        };
        turn.send_replace(next);
    }))
}

/// What a client knows a question by.
fn key(dialogue: &str, key: &str) -> String {
    format!("{dialogue}.{key}")
}

fn written(dialogue: &str, asks: &InputRequired) -> Raw {
    let write = |all: ObjectWriter, one: &protocol::question::Request| {
        let params = for_modern(one.question, &one.params);
        let request = ObjectWriter::new().string("method", one.question.as_str());
        all.raw(&key(dialogue, &one.key), &request.raw("params", &params).finish())
    };
    asks.requests.iter().fold(ObjectWriter::new(), write).finish()
}
