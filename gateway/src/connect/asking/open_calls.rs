//! The calls that are open on one connection to a legacy child: whose question it is that comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::{self, Members};
use protocol::method::notice;
use protocol::question::{Input, Question};
use protocol::{Raw, error, task};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asked::Asked;
use super::dropped::{Dropped, KeptTurn};
use super::parks::gone;
use super::talk::{Talk, check};
use super::visits::Visits;
use super::voice::Voice;
use super::{Asking, Rules};
use crate::call::{
    Aside, Backchannel, Call, Caller, Fault, Future, Kind, Principal, Reply, Switch,
};

/// How long a call waits for its turn where a connection has one at a time.
const TURN_WAIT: Duration = Duration::from_secs(30);
/// How long the end of a connection waits for the calls that wait for their clients.
const PARKS_END_WAIT: Duration = Duration::from_secs(5);

/// A session or connection of a client, and who it says it is.
pub(super) type Client = (u64, Principal);

/// The calls that are open on one connection.
pub(in crate::connect) struct OpenCalls {
    asking: Asking,
    state: Mutex<State>,
    /// Given to one call at a time where a connection may have but one that asks.
    turn: Option<Arc<Semaphore>>,
    /// Ends those that wait for their clients.
    pub(super) ended: CancellationToken,
    pub(super) parked: TaskTracker,
    /// Pages that clients were sent to.
    visits: Mutex<Visits>,
    /// Who calls, where each client or session has a connection of its own.
    owner: Mutex<Owner>,
    /// Log messages that belonged to no single call and no single client.
    logs_dropped: AtomicU64,
}

/// The clients of a connection that not everybody shares.
#[derive(Default)]
enum Owner {
    #[default]
    Nobody,
    One(Aside),
    /// Sessions of one caller.
    Several,
}

impl Owner {
    fn calls(&mut self, who: &Aside) {
        *self = match std::mem::take(self) {
            Self::One(known) if known.leads() && !known.is(who) => Self::Several,
            Self::Several => Self::Several,
            _ => Self::One(who.clone()),
        };
    }
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Open>,
    dropped: Dropped,
    /// Requests of the gateway's own, such as a page of a list.
    own: usize,
}

/// A call that is open.
struct Open {
    /// The way to it; `None` for one that cannot be asked about.
    voice: Option<Voice>,
    /// The task whose result it asks for.
    task: Option<String>,
    /// Where its log messages go.
    back: Switch,
    client: Option<Client>,
    /// What it is called on the wire.
    sent: Option<u64>,
    /// The child is done with it, or never heard of it.
    over: bool,
}

/// Where a question came without a word of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connect) enum Channel {
    /// On the one channel that a connection has.
    Only,
    /// Beside the streams of calls, on one that by the protocol belongs to none.
    Aside,
}

/// A call's place among the open ones.
pub(super) struct Place {
    pub(super) calls: Arc<OpenCalls>,
    number: u64,
    turn: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// The call has an outcome. Its child asks nothing more for it if it is `over`.
    pub(super) fn leave(&mut self, over: bool) {
        self.go(over, None);
    }

    /// Nobody waits for the call any more, and its child may be at it.
    pub(super) fn give_up(&mut self) {
        self.go(false, self.calls.rules().interactive);
    }

    /// `keeps` is how long the next call waits for this one to be over, where that can be told.
    fn go(&mut self, over: bool, keeps: Option<Duration>) {
        let turn = self.turn.take();
        let until = Instant::now() + self.calls.rules().dropped_counts;
        let mut state = self.calls.state();
        // The turn is given back after this, so that no other call is open beside it.
        let Some(open) = state.open.remove(&self.number) else { return };
        // Over HTTP, what cannot be asked about needs no name; on a wire everything has one. What
        // is asked for a task names it.
        let may_ask = (open.voice.is_some() || open.sent.is_some()) && open.task.is_none();
        if !over && !open.over && may_ask {
            let turn = turn.zip(keeps.filter(|_| open.sent.is_some()));
            let turn = turn.and_then(|(turn, wait)| self.calls.keep(turn, wait));
            state.dropped.add(open.sent, open.client, until, turn);
        }
    }

    /// The roots that the configuration has for this child.
    pub(super) fn roots(&self) -> Option<Raw> {
        self.calls.rules().roots_result()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A request of the gateway's own, while it is open.
struct Own<'a>(&'a OpenCalls);

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.0.state().own -= 1;
    }
}

impl OpenCalls {
    pub(in crate::connect) fn new(asking: Asking) -> Arc<Self> {
        let turn = asking.0.interactive.map(|_| Arc::new(Semaphore::new(1)));
        Arc::new(Self {
            asking,
            state: Mutex::default(),
            turn,
            ended: CancellationToken::new(),
            parked: TaskTracker::new(),
            visits: Mutex::default(),
            owner: Mutex::default(),
            logs_dropped: AtomicU64::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a question may belong to a call on whose stream it did not come.
    pub(in crate::connect) fn hears_aside(&self) -> bool {
        self.rules().interactive.is_some() || self.rules().apart
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.asking.0
    }

    /// Serves a call that may be answered by questions: begun by `begin`, or gone on with where its
    /// client comes back. `sent` is what it is called on the wire, if that tells a late answer.
    pub(in crate::connect) async fn serve(
        self: &Arc<Self>,
        mut call: Call,
        sent: Option<u64>,
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
        let task = task_of(&call);
        // What is asked for a task names it, so others may ask meanwhile.
        let turn = if task.is_none() { self.turn().await? } else { None };
        let (voice, heard) = Voice::open();
        let (back, switch) = Backchannel::switched(call.back.clone());
        call.back = back;
        let (caller, aside) = (Arc::clone(&call.caller), call.aside.clone());
        if self.rules().apart {
            self.owner().calls(&aside);
        }
        let open = Open {
            voice: Some(voice.clone()),
            task,
            back: switch.clone(),
            client: client(&caller),
            sent,
            over: false,
        };
        let place = self.enter(open, turn);
        let talk = Talk::new(begin(call, voice), heard, switch, (caller, aside), place);
        talk.go_on(&self.rules().parks).await
    }

    /// Serves a call that cannot be asked about, and counts among those that a question may belong
    /// to.
    pub(in crate::connect) async fn count<T>(
        self: &Arc<Self>,
        call: &Call,
        sent: Option<u64>,
        serving: impl std::future::Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let turn = self.turn().await?;
        let (_, back) = Backchannel::switched(call.back.clone());
        let client = client(&call.caller);
        let open = Open { voice: None, task: None, back, client, sent, over: false };
        let mut place = self.enter(open, turn);
        let outcome = serving.await;
        place.leave(true);
        outcome
    }

    /// Serves a request of the gateway's own: it is nobody's, and needs no turn.
    pub(in crate::connect) async fn own<T>(
        &self,
        serving: impl std::future::Future<Output = T>,
    ) -> T {
        self.state().own += 1;
        let _own = Own(self);
        serving.await
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

    /// Keeps the turn of a call that was given up, until what comes back is dropped or for `wait`.
    fn keep(&self, turn: OwnedSemaphorePermit, wait: Duration) -> Option<KeptTurn> {
        // Calls may be dropped while the runtime ends: nobody has a turn then.
        let runtime = Handle::try_current().ok()?;
        let (kept, over) = oneshot::channel();
        let ended = self.ended.clone();
        let keeping = async move {
            tokio::select! {
                _over = over => {}
                () = ended.cancelled() => {}
                () = sleep(wait) => {}
            }
            drop(turn);
        };
        // The tracker owns it.
        drop(self.parked.spawn_on(keeping, &runtime));
        Some(kept)
    }

    fn enter(self: &Arc<Self>, open: Open, turn: Option<OwnedSemaphorePermit>) -> Place {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        state.open.insert(number, open);
        Place { calls: Arc::clone(self), number, turn }
    }

    async fn resume(&self, call: &Call, input: &Input, state: &Raw) -> Result<Reply, Fault> {
        let parks = &self.rules().parks;
        let name = json::string(state).unwrap_or_default();
        let looked = parks.look(&name, &call.caller.principal, |put| check(put, call, input));
        looked.ok_or_else(gone)??;
        let mut talk = parks.take(&name).await.ok_or_else(gone)?;
        talk.resume(call, input);
        talk.go_on(parks).await
    }

    /// Whether a call is open, be it one that waits for its client.
    pub(in crate::connect) fn is_busy(&self) -> bool {
        !self.state().open.is_empty()
    }

    /// What was called so on the wire is answered though nobody waits any more, or never left.
    pub(in crate::connect) fn over(&self, sent: u64) {
        let mut state = self.state();
        state.dropped.answered(sent);
        for open in state.open.values_mut().filter(|open| open.sent == Some(sent)) {
            open.over = true;
        }
    }

    /// The child was started anew: what was given up before is over.
    pub(in crate::connect) fn anew(&self) {
        self.state().dropped.forget_all();
    }

    /// Ends the calls that wait for their clients, and waits until the child was told.
    pub(in crate::connect) async fn end(&self) {
        self.ended.cancel();
        self.parked.close();
        if timeout(PARKS_END_WAIT, self.parked.wait()).await.is_err() {
            tracing::warn!(mount = &*self.rules().mount, "calls that wait did not end in time");
        }
    }

    /// The child asks: in the task that it names, or, where nothing says in which call, in the only
    /// open one.
    pub(in crate::connect) fn ask(&self, asked: Asked, channel: Channel) {
        let whose = match asked.task() {
            Some(task) => self.of_task(task),
            None => self.only(asked.question(), channel),
        };
        match whose {
            Ok(voice) => voice.ask(asked),
            Err(why) => self.refuse(asked, &why),
        }
    }

    /// The child asks in a request that it may not ask in, or that is the gateway's own.
    pub(in crate::connect) fn ask_in_own(&self, asked: Asked) {
        self.refuse(asked, "nobody can be asked about this request");
    }

    /// The request for the result of this task, in which alone the task's questions are asked.
    fn of_task(&self, task: &str) -> Result<Voice, String> {
        let state = self.state();
        let open = state.open.values().find(|open| open.task.as_deref() == Some(task));
        let voice = open.and_then(|open| open.voice.clone());
        voice.ok_or_else(|| "nobody waits for the result of the task that it names".to_owned())
    }

    /// The one call that a question without a word of its call can belong to, or why it is none.
    fn only(&self, question: Question, channel: Channel) -> Result<Voice, String> {
        const WAYS_OUT: &str = "the gateway's settings share = \"caller\", share = \"session\" or \
                                interactive = 1 for this server are the ways out";
        let rules = self.rules();
        let mut state = self.state();
        let State { open, dropped, own, .. } = &mut *state;
        let of_tasks = open.values().filter(|open| open.task.is_some()).count();
        // A question for a task says so (2025-11-25, tasks), unless its child leaves that out where
        // nothing else is open.
        let mut all = open.values().filter(|one| one.task.is_none() || of_tasks == open.len());
        let Some(first) = all.next() else {
            return Err("no call is open that this could belong to".to_owned());
        };
        if channel == Channel::Aside && !rules.apart && rules.interactive.is_none() {
            return Err(format!(
                "it came on the standing stream, which belongs to no call, so whose client is to \
                 be asked is not known; ask on the stream of the call, or: {WAYS_OUT}"
            ));
        }
        let others = all.count() + dropped.of_others(first.client.as_ref());
        if others > 0 {
            let calls = others + 1;
            return Err(format!(
                "{calls} calls are open on this connection (those count that were given up and \
                 may go on here), so whose client is to be asked is not known; {WAYS_OUT}"
            ));
        }
        if question == Question::Roots && *own > 0 {
            return Err("it may be about a list that the gateway reads".to_owned());
        }
        let voice = first.voice.clone();
        voice.ok_or_else(|| "the one call that is open cannot be asked about".to_owned())
    }

    fn refuse(&self, asked: Asked, why: &str) {
        if let (Question::Roots, Some(roots)) = (asked.question(), self.rules().roots_result()) {
            return asked.answer(Ok(roots));
        }
        let text = format!("{}: {why}", asked.question().as_str());
        let mount = &self.rules().mount;
        tracing::warn!(target: "child", mount = &**mount, "a question is refused: {text}");
        asked.refuse(error::INVALID_PARAMS, text);
    }

    /// A log message of which nothing says in which call it was: it goes where a question would,
    /// else to the one client of the connection.
    pub(in crate::connect) fn log(&self, params: Raw, channel: Channel) {
        let back = {
            let mut state = self.state();
            let State { open, dropped, .. } = &mut *state;
            let rules = self.rules();
            let belongs = channel == Channel::Only || rules.apart || rules.interactive.is_some();
            let mut all = open.values();
            let first = all.next().filter(|_| belongs && all.next().is_none());
            let only = first.filter(|one| dropped.of_others(one.client.as_ref()) == 0);
            only.map(|one| one.back.now())
        };
        if !back.is_some_and(|back| back.tell(notice::MESSAGE, params.clone())) {
            if let Owner::One(client) = &*self.owner()
                && client.leads()
            {
                return client.tell(notice::MESSAGE, &params);
            }
            let dropped = self.logs_dropped.fetch_add(1, Ordering::Relaxed) + 1;
            let mount = &*self.rules().mount;
            tracing::debug!(target: "child", mount, dropped, "a log message belongs to no call");
        }
    }

    fn owner(&self) -> MutexGuard<'_, Owner> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The child tells that a page was visited that it sent somebody to.
    pub(in crate::connect) fn visited(&self, params: &Raw) {
        self.visits().over(params);
    }

    /// The child takes back a question of which nothing says in which call it was.
    pub(in crate::connect) fn withdraw(&self, id: &Raw) {
        let voices: Vec<Voice> =
            self.state().open.values().filter_map(|open| open.voice.clone()).collect();
        for voice in voices {
            voice.withdraw(id);
        }
    }
}

/// Which client a call is of, where it has a session or a connection of its own.
fn client(caller: &Caller) -> Option<Client> {
    Some((caller.session?, caller.principal.clone()))
}

/// The task that a call asks for the result of.
fn task_of(call: &Call) -> Option<String> {
    // The other calls that may be asked about have no such member.
    let asks_for = !protocol::question::may_ask(&call.method);
    task::id(&Members::read(&call.params).ok().filter(|_| asks_for)?)
}
