//! What the tasks of a child of the experiment ask: each on a request for its result that is held
//! open, answered when the client brings the answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::{self, ObjectWriter};
use protocol::question::{Input, InputRequired, check_answer, for_modern};
use protocol::{ErrorObject, Raw};
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
    /// Counts the requests for results that were opened: a part of each key, so that no key is
    /// used twice in the life of a task (check 184).
    opened: AtomicU64,
}

/// What one task asks.
struct Dialogue {
    number: u64,
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
        let (number, mut turn) = self.listen(link, caller, id)?;
        let waiting = turn.wait_for(|turn| !matches!(turn, Turn::Childs));
        let turn = match timeout(QUESTION_WAIT, waiting).await {
            Ok(Ok(turn)) => turn.clone(),
            _ => return Ok(None),
        };
        Ok(match turn {
            Turn::Clients(asks) => Some(written(number, &asks)),
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
    ) -> Result<(u64, watch::Receiver<Turn>), Fault> {
        let mut open = self.open();
        let over = open.get(id).is_some_and(|one| matches!(&*one.turn.borrow(), Turn::Over(_)));
        if over {
            // It ended, and the task asks all the same: in a new one.
            open.remove(id);
        }
        if let Some(dialogue) = open.get(id) {
            return Ok((dialogue.number, dialogue.turn.subscribe()));
        }
        open.retain(|_, one| !matches!(&*one.turn.borrow(), Turn::Over(_)));
        if open.len() >= DIALOGUES_MAX {
            let text = format!("{DIALOGUES_MAX} tasks of this server wait for answers, the limit");
            return Err(Fault::new(Kind::Limited { retry_after: None }, text));
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let turn = watch::Sender::new(Turn::Childs);
        let heard = turn.subscribe();
        let listening = listen(link, result_of(caller, id), turn.clone());
        open.insert(id.to_owned(), Dialogue { number, turn, listening });
        Ok((number, heard))
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
            let key = key(dialogue.number, &request.key);
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
        let mut resumed = result_of(&call.caller, id);
        resumed.params = brought.put(&resumed.params).map_err(|fault| Fault::invalid(fault.0))?;
        resumed.refused = refused.into();
        dialogue.turn.send_replace(Turn::Childs);
        dialogue.listening = listen(link, resumed, dialogue.turn.clone());
        Ok(())
    }
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
fn key(number: u64, key: &str) -> String {
    format!("{number}.{key}")
}

fn written(number: u64, asks: &InputRequired) -> Raw {
    let write = |all: ObjectWriter, one: &protocol::question::Request| {
        let params = for_modern(one.question, &one.params);
        let request = ObjectWriter::new().string("method", one.question.as_str());
        all.raw(&key(number, &one.key), &request.raw("params", &params).finish())
    };
    asks.requests.iter().fold(ObjectWriter::new(), write).finish()
}
