//! One call at a legacy child, and all that is asked while it is open.

use std::sync::Arc;
use std::time::Duration;

use protocol::json::{self, Members, ObjectWriter};
use protocol::method::notice;
use protocol::question::{
    Abilities, Input, InputRequired, Question, REQUESTS_MAX, Request, check_answer,
};
use protocol::{ErrorObject, Raw, error};
use tokio::time::{Instant, sleep_until};

use super::asked::Asked;
use super::open_calls::{OpenCalls, Place};
use super::parks::{Parks, fresh_key};
use super::voice::{Event, Heard};
use crate::call::{Aside, Call, Caller, Fault, Future, Kind, Principal, Reply, ReplyKind, Switch};

/// How long more questions are waited for after one came: a client is asked all of them at once.
/// Nothing says that a child has put its last, so no length is sure; what comes later is asked in
/// another round.
const GATHER_WAIT: Duration = Duration::from_millis(5);
/// Questions of one call; a child that asks on is cut off.
pub(super) const QUESTIONS_MAX: usize = 100;

type Outcome = Result<Reply, Fault>;

/// A question that waits for its answer.
struct Open {
    key: String,
    asked: Asked,
    /// Whether the client was told of it: nobody answers what he was not asked.
    put: bool,
}

/// One call at a child. Dropping it answers what the child asked and cancels the call there.
pub(super) struct Talk {
    // In the order in which they may go: a child that hears first that the call is cancelled does
    // not take what it then gets for an answer to go on with.
    running: Option<Future<'static, Outcome>>,
    open: Vec<Open>,
    outcome: Option<Outcome>,
    heard: Heard,
    switch: Switch,
    caller: Arc<Caller>,
    aside: Aside,
    asked: usize,
    /// What the client lacked to be asked, if the child did ask it.
    lacked: Option<Fault>,
    place: Place,
}

impl Talk {
    pub(super) fn new(
        running: Future<'static, Outcome>,
        heard: Heard,
        switch: Switch,
        (caller, aside): (Arc<Caller>, Aside),
        place: Place,
    ) -> Self {
        let (open, running) = (Vec::new(), Some(running));
        let (outcome, lacked, asked) = (None, None, 0);
        Self { running, open, outcome, heard, switch, caller, aside, asked, lacked, place }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// The connection that it is open on.
    pub(super) fn calls(&self) -> &Arc<OpenCalls> {
        &self.place.calls
    }

    /// Whether the child is done with it.
    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Gives the call up: the child hears of it, and a client that waits to answer.
    pub(super) fn end(mut self) {
        self.running = None;
        self.withdraw_all();
    }

    /// What the client was told of and may answer.
    pub(super) fn put(&self) -> Vec<Request> {
        self.open.iter().filter(|open| open.put).map(Open::request).collect()
    }

    /// Goes on until the call has an outcome, or its client has to be asked: then it is parked.
    pub(super) async fn go_on(mut self, parks: &Arc<Parks>) -> Outcome {
        let mut until: Option<Instant> = (!self.open.is_empty()).then(Instant::now);
        loop {
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
            let gathered = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.step() => {}
                () = gathered => return self.park(parks),
            }
            until = match (until, self.open.is_empty()) {
                (_, true) => None,
                (None, false) => Some(Instant::now() + GATHER_WAIT),
                (until, false) => until,
            };
        }
    }

    /// Waits while the call is parked until something happens; whether its client may come back.
    pub(super) async fn wait(&mut self) -> bool {
        let back = self.switch.now();
        tokio::select! {
            biased;
            () = back.left() => false,
            () = self.step(), if self.outcome.is_none() => {
                if self.outcome.is_some() {
                    self.withdraw_all();
                } else if back.is_held() && self.open.iter().any(|open| !open.put) {
                    back.tell_more();
                }
                true
            }
        }
    }

    /// Takes the next thing that the child does. Nothing is lost when it is dropped.
    async fn step(&mut self) {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let event = tokio::select! {
            biased;
            event = self.heard.events.recv() => event,
            outcome = running => {
                self.place.leave(is_over(&outcome));
                if let Err(Fault { kind: Kind::Child(error), .. }) = &outcome {
                    self.place.calls.visits().required(error, &self.aside);
                }
                self.running = None;
                self.outcome = Some(explained(outcome, self.lacked.take()));
                return;
            }
            // The child may wait for that answer for ever.
            Some(fault) = self.heard.undelivered.recv() => return self.fail(fault),
        };
        match event {
            Some(Event::Asked(asked)) => {
                if let Err(fault) = self.take(asked) {
                    self.fail(fault);
                }
            }
            Some(Event::Withdrawn(id)) => self.withdraw(&id),
            // The connection holds the other end for as long as the call is open.
            None => std::future::pending().await,
        }
    }

    /// Cancels the call at the child.
    fn fail(&mut self, fault: Fault) {
        // First, so that the child hears of it as of a call that is cancelled.
        self.running = None;
        self.place.give_up();
        self.outcome = Some(Err(fault));
    }

    fn take(&mut self, asked: Asked) -> Result<(), Fault> {
        self.asked += 1;
        if self.asked > QUESTIONS_MAX {
            asked.refuse(error::INVALID_PARAMS, "this call has asked enough");
            let text = format!(
                "the server asked more than {QUESTIONS_MAX} questions in one call, which is the \
                 limit: the call was cancelled"
            );
            return Err(Fault::new(Kind::Unanswered, text));
        }
        if let Some(lacks) = lacks(&self.caller, asked.question(), asked.params()) {
            self.turn_away(asked, lacks);
            return Ok(());
        }
        if asked.question() == Question::Elicitation {
            self.place.calls.visits().asked(asked.params(), &self.aside, &self.switch);
        }
        self.open.push(Open { key: format!("q{}", self.asked), asked, put: false });
        Ok(())
    }

    /// Answers the child for a client that cannot be asked this.
    fn turn_away(&mut self, asked: Asked, lacks: Raw) {
        let question = asked.question();
        let method = question.as_str();
        if question == Question::Roots {
            if let Some(roots) = self.place.roots() {
                return asked.answer(Ok(roots));
            }
            // Many servers ask for them in passing and do well without.
            let text = "the client of this call did not declare roots";
            return asked.refuse(error::METHOD_NOT_FOUND, text);
        }
        let text = format!("{method}: the client of this call did not declare {lacks:?}");
        asked.refuse(error::INVALID_PARAMS, text);
        let text = format!(
            "the server asks {method} in this call, which needs client capabilities that this \
             request did not declare, and failed without"
        );
        self.lacked.get_or_insert(Fault::new(Kind::MissingCapability(lacks), text));
    }

    fn withdraw(&mut self, id: &str) {
        let Some(at) = self.open.iter().position(|open| open.asked.is(id)) else { return };
        let Open { key, asked, .. } = self.open.remove(at);
        asked.forget();
        self.tell_withdrawn(&key);
    }

    /// The call is over, and with it all that was asked.
    fn withdraw_all(&mut self) {
        for Open { key, asked, .. } in std::mem::take(&mut self.open) {
            drop(asked);
            self.tell_withdrawn(&key);
        }
    }

    /// A client that stays waits for the answer itself: it need not any more.
    fn tell_withdrawn(&self, key: &str) {
        let params = ObjectWriter::new().string("requestId", key).finish();
        let _left = self.switch.now().tell(notice::CANCELLED, params);
    }

    fn park(mut self, parks: &Arc<Parks>) -> Outcome {
        let key = fresh_key();
        // What is more than one result may hold is asked when the client is back.
        for (at, open) in self.open.iter_mut().enumerate() {
            open.put = at < REQUESTS_MAX;
        }
        let asks = InputRequired { requests: self.put(), state: Some(key.clone()) };
        let name = json::string(&key).unwrap_or_default();
        parks.hold(&name, self)?;
        Ok(Reply { parked: true, ..Reply::of(asks.to_raw(), ReplyKind::InputRequired) })
    }

    /// The client is back, with a request of its own and with answers.
    pub(super) fn resume(&mut self, call: &Call, input: &Input) {
        self.caller = Arc::clone(&call.caller);
        self.aside = call.aside.clone();
        self.switch.point(call.back.clone());
        for open in std::mem::take(&mut self.open) {
            let answer = open.put.then(|| answer_to(&open.key, call, input)).flatten();
            match (answer, lacks(&call.caller, open.asked.question(), open.asked.params())) {
                (Some(answer), _) => open.asked.answer(answer),
                // Asked meanwhile, and this request cannot be told of it.
                (None, Some(lacks)) => self.turn_away(open.asked, lacks),
                (None, None) => self.open.push(open),
            }
        }
    }
}

impl Open {
    fn request(&self) -> Request {
        let (key, params) = (self.key.clone(), self.asked.params().clone());
        Request { key, question: self.asked.question(), params }
    }
}

/// The capabilities that the client of a call lacks to be asked this.
fn lacks(caller: &Caller, question: Question, params: &Raw) -> Option<Raw> {
    Abilities::read(&caller.capabilities).lacks(question, params)
}

/// What the client brings for the question of this key.
fn answer_to(key: &str, call: &Call, input: &Input) -> Option<Result<Raw, ErrorObject>> {
    let response = input.responses.iter().find(|(name, _)| name == key);
    let refusal = call.refused.iter().find(|(name, _)| name == key);
    let response = response.map(|(_, response)| Ok(response.clone()));
    response.or_else(|| refusal.map(|(_, error)| Err(error.clone())))
}

/// Whether the child is certainly done with the call: it answered, or never got it.
fn is_over(outcome: &Outcome) -> bool {
    match outcome {
        Ok(_) => true,
        Err(fault) => matches!(
            fault.kind,
            Kind::Child(_)
                | Kind::Unreachable { .. }
                | Kind::BadAnswer { .. }
                | Kind::Invalid { .. }
        ),
    }
}

/// What has become of a call whose client could not be asked: a child that did well without has its
/// result told; any other end is for want of the answer.
fn explained(outcome: Outcome, lacked: Option<Fault>) -> Outcome {
    let Some(lacked) = lacked else { return outcome };
    match &outcome {
        Ok(reply) if is_failure(&reply.result) => Err(lacked),
        Err(Fault { kind: Kind::Child(_), .. }) => Err(lacked),
        _ => outcome,
    }
}

fn is_failure(result: &Raw) -> bool {
    Members::read(result).is_ok_and(|members| members.get("isError") == Some("true"))
}

/// Looks at what a client brings before the call is touched, so that it can come back with better:
/// answers that are none, and capabilities with which what is left cannot be asked again.
pub(super) fn check(put: &[Request], call: &Call, input: &Input) -> Result<(), Fault> {
    for request in put {
        let (key, question) = (json::quoted(&request.key), request.question);
        match answer_to(&request.key, call, input) {
            Some(Ok(answer)) => check_answer(question, &answer)
                .map_err(|text| Fault::invalid(format!("params.inputResponses[{key}]: {text}")))?,
            Some(Err(_)) => {}
            None => {
                let Some(lacks) = lacks(&call.caller, question, &request.params) else { continue };
                let text = format!(
                    "params.inputResponses[{key}]: {} has no answer yet, and this request does not \
                     declare what it takes to be asked again; nothing was done: come back with the \
                     same requestState, and an answer or the capability",
                    question.as_str()
                );
                return Err(Fault::new(Kind::MissingCapability(lacks), text));
            }
        }
    }
    Ok(())
}
