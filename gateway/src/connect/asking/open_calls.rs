//! The calls that are open on one connection to a legacy child: whose question it is that comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json;
use protocol::question::{Input, Question};
use protocol::{Raw, error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::asked::Asked;
use super::parks::gone;
use super::talk::{Event, Talk, check};
use super::{Asking, Rules};
use crate::call::{Backchannel, Call, Fault, Future, Kind, Reply};

/// Questions of one call that wait to be looked at.
const EVENTS_QUEUED_MAX: usize = 16;
/// How long a call waits for its turn where a connection has one at a time.
const TURN_WAIT: Duration = Duration::from_secs(30);
/// How long a child may still ask for a call that was cancelled at it.
const CANCELLED_COUNTS: Duration = Duration::from_secs(60);

/// The calls that are open on one connection.
pub(in crate::connect) struct OpenCalls {
    asking: Asking,
    state: Mutex<State>,
    /// Given to one call at a time where a connection may have but one that asks.
    turn: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// The way to each call; `None` for one that cannot be asked about.
    open: HashMap<u64, Option<Voice>>,
    /// Until when a call that was cancelled may be what a question belongs to.
    cancelled_until: Option<Instant>,
}

/// The way from a child to one of its open calls.
#[derive(Clone)]
pub(in crate::connect) struct Voice(mpsc::Sender<Event>);

impl Voice {
    /// The child asks in this call.
    pub(in crate::connect) fn ask(&self, asked: Asked) {
        // What finds no room is answered where it is dropped.
        let _full = self.0.try_send(Event::Asked(asked));
    }

    /// The child takes back the question that it called `id`.
    pub(in crate::connect) fn withdraw(&self, id: &Raw) {
        let _full = self.0.try_send(Event::Withdrawn(id.clone()));
    }
}

/// A call's place among the open ones.
pub(super) struct Place {
    calls: Arc<OpenCalls>,
    number: u64,
    answered: bool,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// The child is done with the call: it asks nothing more for it.
    pub(super) fn is_answered(&mut self) {
        self.answered = true;
    }

    /// The roots that the configuration has for this child.
    pub(super) fn roots(&self) -> Option<Raw> {
        self.calls.rules().roots_result()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.calls.state();
        state.open.remove(&self.number);
        if !self.answered {
            state.cancelled_until = Some(Instant::now() + CANCELLED_COUNTS);
        }
    }
}

impl OpenCalls {
    pub(in crate::connect) fn new(asking: Asking) -> Arc<Self> {
        let turn = asking.0.interactive.then(|| Arc::new(Semaphore::new(1)));
        Arc::new(Self { asking, state: Mutex::default(), turn })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> &Rules {
        &self.asking.0
    }

    /// Serves a call that may be answered by questions: begun by `begin`, or gone on with where its
    /// client comes back.
    pub(in crate::connect) async fn serve(
        self: &Arc<Self>,
        mut call: Call,
        begin: impl FnOnce(Call, Voice) -> Future<'static, Result<Reply, Fault>>,
    ) -> Result<Reply, Fault> {
        let input = Input::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
        if let Some(state) = &input.state {
            return self.resume(&call, &input, state).await;
        }
        if input.answers {
            let text = "params.inputResponses without params.requestState, which always comes with \
                        the questions of this server: nothing was done; to begin anew, call \
                        without both";
            return Err(Fault::invalid(text));
        }
        let turn = self.turn().await?;
        let (voice, events) = mpsc::channel(EVENTS_QUEUED_MAX);
        let voice = Voice(voice);
        let place = self.enter(Some(voice.clone()), turn);
        let (back, switch) = Backchannel::switched(call.back.clone());
        call.back = back;
        let caller = Arc::clone(&call.caller);
        let talk = Talk::new(begin(call, voice), events, switch, caller, place);
        talk.go_on(&self.rules().parks).await
    }

    /// Serves a call that cannot be asked about, and counts among those that a question may belong
    /// to.
    pub(in crate::connect) async fn count<T>(
        self: &Arc<Self>,
        serving: impl std::future::Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let turn = self.turn().await?;
        let mut place = self.enter(None, turn);
        let outcome = serving.await;
        place.is_answered();
        outcome
    }

    async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, Fault> {
        let Some(turn) = &self.turn else { return Ok(None) };
        match timeout(TURN_WAIT, Arc::clone(turn).acquire_owned()).await {
            Ok(turn) => Ok(turn.ok()),
            Err(_) => Err(Fault::new(
                Kind::Limited { retry_after: Some(TURN_WAIT) },
                format!(
                    "another call is open at this server, which takes one at a time \
                     (interactive = 1), and did not end within {} s; try again later",
                    TURN_WAIT.as_secs()
                ),
            )),
        }
    }

    fn enter(self: &Arc<Self>, voice: Option<Voice>, turn: Option<OwnedSemaphorePermit>) -> Place {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        state.open.insert(number, voice);
        Place { calls: Arc::clone(self), number, answered: false, _turn: turn }
    }

    async fn resume(&self, call: &Call, input: &Input, state: &Raw) -> Result<Reply, Fault> {
        let parks = &self.rules().parks;
        let name = json::string(state).unwrap_or_default();
        let looked =
            parks.look(&name, &call.caller.principal, |place| check(&place.questions, input));
        looked.ok_or_else(gone)??;
        let mut talk = parks.take(&name).await.ok_or_else(gone)?;
        talk.resume(call, input);
        talk.go_on(parks).await
    }

    /// Whether a call is open, be it one that waits for its client.
    pub(in crate::connect) fn is_busy(&self) -> bool {
        !self.state().open.is_empty()
    }

    /// The child asks, and nothing says in which call: it is the only open one, or none.
    pub(in crate::connect) fn ask(&self, asked: Asked) {
        let only = {
            let state = self.state();
            let cancelled = state.cancelled_until.is_some_and(|until| Instant::now() < until);
            match (state.open.len(), cancelled) {
                (1, false) => state.open.values().next().cloned().flatten().ok_or(1),
                (open, cancelled) => Err(open + usize::from(cancelled)),
            }
        };
        match only {
            Ok(voice) => voice.ask(asked),
            Err(open) => self.refuse(asked, open),
        }
    }

    fn refuse(&self, asked: Asked, open: usize) {
        let mount = &self.rules().mount;
        let method = asked.question().as_str();
        if let (Question::Roots, Some(roots)) = (asked.question(), self.rules().roots_result()) {
            return asked.answer(Ok(roots));
        }
        let text = match open {
            0 => format!("{method}: no call is open that this could belong to"),
            1 => format!("{method}: the one call that is open cannot be asked about"),
            _ => format!(
                "{method}: {open} calls are open on this connection (those cancelled within the \
                 last {} s count), so whose client is to be asked is not known; the gateway's \
                 settings share = \"caller\", share = \"session\" or interactive = 1 for this \
                 server are the ways out",
                CANCELLED_COUNTS.as_secs()
            ),
        };
        tracing::warn!(target: "child", mount = &**mount, "a question is refused: {text}");
        asked.refuse(error::INVALID_PARAMS, text);
    }

    /// The child takes back a question of which nothing says in which call it was.
    pub(in crate::connect) fn withdraw(&self, id: &Raw) {
        let voices: Vec<Voice> = self.state().open.values().flatten().cloned().collect();
        for voice in voices {
            voice.withdraw(id);
        }
    }
}
