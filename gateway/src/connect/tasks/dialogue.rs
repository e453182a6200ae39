//! What the tasks of a child of the experiment ask: each on a request for its result that is held
//! open, answered when the client brings the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::{self, ObjectWriter};
use protocol::question::{Abilities, Input, InputRequired, check_answer, for_modern};
use protocol::{ErrorObject, Raw, extension};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
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

    /// Goes on with the request for the result, with these answers and refusals.
    fn go_on(
        &mut self,
        (link, id): (&Arc<dyn Link>, &str),
        asks: InputRequired,
        input: &Input,
        refused: Vec<(String, ErrorObject)>,
    ) -> Result<(), Fault> {
        let mut resumed = result_of(&self.caller, id);
        resumed.params = input.put(&resumed.params).map_err(|fault| Fault::invalid(fault.0))?;
        resumed.refused = refused.into();
        self.turn.send_replace(Turn::Childs);
        self.listening = listen(link, resumed, self.turn.clone(), Some(asks));
        Ok(())
    }
}

/// What comes back for what is asked, without an answer yet.
fn back_for(asks: &InputRequired) -> Input {
    Input { state: asks.state.clone(), answers: true, ..Input::default() }
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
            // The time in which its client may answer begins anew with each look, and what the
            // child asked since the last one is asked too.
            let asked = dialogue.turn.borrow().clone();
            if let Turn::Clients(asks) = asked {
                let nothing = back_for(&asks);
                dialogue.go_on((link, id), asks, &nothing, Vec::new())?;
            }
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
        let listening = listen(link, result_of(&caller, id), turn.clone(), None);
        let dialogue = Dialogue { name: name.clone(), caller, turn, listening };
        open.insert(id.to_owned(), dialogue);
        Ok((name, heard))
    }

    /// Brings answers to what a task asks; those to something else are left aside.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an answer of another shape; nothing is answered then.
    pub(super) async fn update(
        &self,
        link: &Arc<dyn Link>,
        call: &Call,
        id: &str,
        input: &Input,
    ) -> Result<(), Fault> {
        let until = Instant::now() + QUESTION_WAIT;
        loop {
            let turn = self.open().get(id).map(|dialogue| dialogue.turn.subscribe());
            let Some(mut turn) = turn else { return Ok(()) };
            // A look, or other answers, may be on the way to the child at this moment.
            let turned = turn.wait_for(|turn| !matches!(turn, Turn::Childs));
            if !matches!(timeout_at(until, turned).await, Ok(Ok(_))) {
                return Ok(());
            }
            if let Some(brought) = self.bring(link, call, id, input) {
                return brought;
            }
        }
    }

    /// The same at this moment; `None` when it is the child's turn again.
    fn bring(
        &self,
        link: &Arc<dyn Link>,
        call: &Call,
        id: &str,
        input: &Input,
    ) -> Option<Result<(), Fault>> {
        let mut open = self.open();
        let Some(dialogue) = open.get_mut(id) else { return Some(Ok(())) };
        let asks = match dialogue.turn.borrow().clone() {
            Turn::Childs => return None,
            Turn::Clients(asks) => asks,
            Turn::Over(_) => return Some(Ok(())),
        };
        let mut brought = back_for(&asks);
        let mut refused: Vec<(String, ErrorObject)> = Vec::new();
        for request in &asks.requests {
            let key = key(&dialogue.name, &request.key);
            if let Some((_, answer)) = input.responses.iter().find(|(name, _)| *name == key) {
                if let Err(text) = check_answer(request.question, answer) {
                    let key = json::quoted(&key);
                    let text = format!("params.inputResponses[{key}]: {text}");
                    return Some(Err(Fault::invalid(text)));
                }
                brought.responses.push((request.key.clone(), answer.clone()));
            } else if let Some((_, error)) = call.refused.iter().find(|(name, _)| *name == key) {
                refused.push((request.key.clone(), error.clone()));
            }
        }
        if brought.responses.is_empty() && refused.is_empty() {
            return Some(Ok(()));
        }
        dialogue.is_with(&call.caller);
        Some(dialogue.go_on((link, id), asks, &brought, refused))
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

/// Sends a request for a result and tells what comes of it. It goes on with what `asked` stands
/// for, which a client that cannot be asked the rest of it leaves as it was.
fn listen(
    link: &Arc<dyn Link>,
    call: Call,
    turn: watch::Sender<Turn>,
    asked: Option<InputRequired>,
) -> AbortOnDropHandle<()> {
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
            Err(fault) if matches!(fault.kind, Kind::MissingCapability(_)) => {
                asked.map_or(Turn::Over(Err(fault)), Turn::Clients)
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

#[cfg(test)]
mod tests {
    use protocol::Method;
    use protocol::question::{Question, Request};
    use tokio::sync::mpsc;

    use super::*;
    use crate::call::{About, Future, List};

    /// A child that is played by a test: its calls, and how each is answered.
    struct Played(mpsc::Sender<(Call, tokio::sync::oneshot::Sender<Reply>)>);

    impl Link for Played {
        fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
            let (answer, answered) = tokio::sync::oneshot::channel();
            self.0.try_send((call, answer)).unwrap();
            Box::pin(async { Ok(answered.await.unwrap()) })
        }

        fn about(&self) -> &About {
            unreachable!("nobody looks")
        }

        fn tells_changes(&self, _: List) -> bool {
            false
        }

        fn lost(&self) -> Future<'_, String> {
            Box::pin(std::future::pending())
        }

        fn probe(&self) -> Future<'_, Result<(), Fault>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn close(&self) -> Future<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    /// A result that asks these, to be answered with this state.
    fn asks(keys: &[&str], state: &str) -> Reply {
        let request = |key: &&str| Request {
            key: (*key).to_owned(),
            question: Question::Elicitation,
            params: Raw::from_static(r#"{"mode":"form","message":"?","requestedSchema":{}}"#),
        };
        let requests = keys.iter().map(request).collect();
        let asks = InputRequired { requests, state: Some(Raw::of(state)) };
        Reply::of(asks.to_raw(), ReplyKind::InputRequired)
    }

    /// The keys of what is asked.
    fn keys(asked: &Raw) -> Vec<String> {
        let members = json::Members::read(asked).unwrap();
        members.iter().map(|(key, _)| key.to_owned()).collect()
    }

    fn update(key: &str) -> (Call, Input) {
        let answer = Raw::from_static(r#"{"action":"decline"}"#);
        let input =
            Input { answers: true, responses: vec![(key.to_owned(), answer)], ..Input::default() };
        (Call::own(Method::TasksUpdate, Raw::default(), Caller::gateway()), input)
    }

    #[tokio::test]
    async fn c119_each_look_renews_the_wait_for_an_answer_and_finds_what_was_asked_meanwhile() {
        let (calls, mut played) = mpsc::channel(8);
        let link: Arc<dyn Link> = Arc::new(Played(calls));
        let (dialogues, caller) = (Dialogues::default(), Caller::gateway());
        let mut look = async |reply: Reply| {
            let looking = dialogues.asked(&link, &caller, "t");
            let playing = async {
                let (call, answer) = played.recv().await.unwrap();
                answer.send(reply).unwrap();
                call.params.to_string()
            };
            let (asked, params) = tokio::join!(looking, playing);
            (keys(&asked.unwrap().unwrap()), params)
        };
        let (first, begun) = look(asks(&["q1"], "one")).await;
        assert_eq!(begun, r#"{"taskId":"t"}"#);
        let (second, resumed) = look(asks(&["q1", "q2"], "two")).await;
        assert_eq!(resumed, r#"{"taskId":"t","requestState":"one","inputResponses":{}}"#);
        assert_eq!(
            (second.len(), &second[0]),
            (2, &first[0]),
            "the same key for the same question"
        );
    }

    #[tokio::test]
    async fn an_answer_that_comes_while_a_look_is_at_the_child_is_brought_after_it() {
        let (calls, mut played) = mpsc::channel(8);
        let link: Arc<dyn Link> = Arc::new(Played(calls));
        let (dialogues, caller) = (Dialogues::default(), Caller::gateway());
        let looking = dialogues.asked(&link, &caller, "t");
        let playing = async {
            let (_call, answer) = played.recv().await.unwrap();
            answer.send(asks(&["q1", "q2"], "one")).unwrap();
        };
        let (asked, ()) = tokio::join!(looking, playing);
        let key = keys(&asked.unwrap().unwrap()).remove(1);
        let (call, input) = update(&key);
        let playing = async {
            let (_look, answer) = played.recv().await.unwrap();
            // The look is at the child, and so the answer waits.
            tokio::task::yield_now().await;
            answer.send(asks(&["q1", "q2"], "two")).unwrap();
            let (brought, answer) = played.recv().await.unwrap();
            answer.send(asks(&["q1"], "three")).unwrap();
            brought.params.to_string()
        };
        let looking = dialogues.asked(&link, &caller, "t");
        let updating = dialogues.update(&link, &call, "t", &input);
        let (asked, updated, brought) = tokio::join!(looking, updating, playing);
        assert!(asked.unwrap().is_some() && updated.is_ok());
        let expected = r#""requestState":"two","inputResponses":{"q2":{"action":"decline"}}}"#;
        assert!(brought.ends_with(expected), "{brought}");
    }
}
