//! Putting questions to one legacy client within one of its requests, and taking the answers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::question::{Request, check_answer, for_legacy};
use protocol::{ErrorObject, Raw, Version, envelope, error};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::live::Live;
use crate::call::{Fault, Future, Kind};

/// Messages that may wait to be written within one request.
const ASKED_QUEUED_MAX: usize = 128;

/// What a client answers: a result, or an error of its own.
pub(super) type Answer = Result<Raw, ErrorObject>;

/// What has come of one question.
enum Came {
    Answer(Answer),
    /// The child took it back, or needs it no more.
    Withdrawn,
}

/// The questions of one request that its client has not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Unanswered(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// By what their child calls them.
    put: Mutex<HashMap<String, Put>>,
    /// The child asked more meanwhile.
    more: Notify,
}

/// A question that was put to the client.
#[derive(Debug)]
struct Put {
    /// What the client knows it by.
    id: Raw,
    /// Ends the wait for its answer.
    withdraw: oneshot::Sender<()>,
}

impl Unanswered {
    /// The child takes back what it calls so; the message that says this to the client.
    pub(super) fn withdraw(&self, params: &Raw) -> Option<Bytes> {
        let members = Members::read(params).ok()?;
        let key = members.get_string("requestId")?;
        let Put { id, withdraw } = self.put().remove(key.as_ref())?;
        // Who waits for it may have been cancelled.
        let _gone = withdraw.send(());
        Some(cancelled(&id, "the server needs no answer any more"))
    }

    /// The child asked more, which is to be fetched.
    pub(super) fn more(&self) {
        self.0.more.notify_one();
    }

    fn put(&self) -> MutexGuard<'_, HashMap<String, Put>> {
        self.0.put.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to ask one client within one request.
pub(super) struct Asker {
    live: Arc<Live>,
    out: mpsc::Sender<Bytes>,
    unanswered: Unanswered,
    version: Version,
    wait: Duration,
    ending: CancellationToken,
}

/// Where the questions of a request come out, and what takes them back.
pub(super) struct Questions {
    pub(super) out: mpsc::Receiver<Bytes>,
    pub(super) unanswered: Unanswered,
    /// How long the client may take, be it away meanwhile.
    pub(super) wait: Duration,
}

/// A question's place among those that a session has open. Without an answer, the client is told
/// that none is wanted.
struct Open<'a> {
    asker: &'a Asker,
    key: &'a str,
    id: Raw,
    settled: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.asker.live.asked.remove(self.id.as_str());
        self.asker.unanswered.put().remove(self.key);
        if !self.settled {
            // A client that left needs not be told.
            let _left = self.asker.out.try_send(cancelled(&self.id, "no answer is wanted"));
        }
    }
}

impl Asker {
    /// How long a client may take to answer.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// Waits until the gateway ends.
    pub(super) async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// An asker of the client of `live`, which waits so long for an answer.
    pub(super) fn new(
        live: Arc<Live>,
        version: Version,
        wait: Duration,
        ending: CancellationToken,
    ) -> (Self, Questions) {
        let (out, messages) = mpsc::channel(ASKED_QUEUED_MAX);
        let unanswered = Unanswered::default();
        let questions = Questions { out: messages, unanswered: unanswered.clone(), wait };
        (Self { live, out, unanswered, version, wait, ending }, questions)
    }

    /// The questions of one call, of which none is put yet.
    pub(super) fn asks(&self) -> Asks<'_> {
        Asks { asker: self, keys: HashSet::new(), open: FuturesUnordered::new() }
    }

    async fn one(&self, request: &Request, until: Instant) -> Result<Came, Fault> {
        let question = request.question;
        let method = question.as_str();
        let name = format!("{:032x}", rand::random::<u128>());
        let id = Raw::of(&name);
        let (answer, answered) = oneshot::channel();
        let (withdraw, withdrawn) = oneshot::channel();
        if !self.live.ask(&id, answer) {
            let text = format!("{method}: the client has too many unanswered questions already");
            return Err(Fault::new(Kind::Unanswered, text));
        }
        let mut open = Open { asker: self, key: &request.key, id: id.clone(), settled: false };
        self.unanswered.put().insert(request.key.clone(), Put { id: id.clone(), withdraw });
        let params = for_legacy(question, &request.params, self.version, &name);
        let message = envelope::request(&id, method, &params);
        let unreachable = || {
            let text = format!("{method}: the client has left, or takes no questions");
            Fault::new(Kind::Unanswered, text)
        };
        self.out.send(message).await.map_err(|_| unreachable())?;
        let came = tokio::select! {
            biased;
            answer = timeout_at(until, answered) => match answer {
                Ok(Ok(answer)) => Came::Answer(self.checked(request, answer)),
                Ok(Err(_)) => return Err(unreachable()),
                Err(_) => {
                    let wait = self.wait.as_secs();
                    let text = format!("{method}: no answer in {wait} s (question_wait)");
                    return Err(Fault::new(Kind::Unanswered, text));
                }
            },
            Ok(()) = withdrawn => Came::Withdrawn,
            () = self.out.closed() => return Err(unreachable()),
            () = self.ending.cancelled() => {
                let text = format!("{method}: the gateway is shutting down");
                return Err(Fault::new(Kind::Unanswered, text));
            }
        };
        open.settled = true;
        Ok(came)
    }

    /// An answer of another shape is none, and the child hears that.
    fn checked(&self, request: &Request, answer: Answer) -> Answer {
        let answer = answer?;
        match check_answer(request.question, &answer) {
            Ok(()) => Ok(answer),
            Err(text) => {
                let method = request.question.as_str();
                let text = format!("the client's answer to {method} is none: {text}");
                Err(ErrorObject::new(error::INVALID_PARAMS, text))
            }
        }
    }
}

/// The questions of one call that are put to its client, over all rounds.
pub(super) struct Asks<'a> {
    asker: &'a Asker,
    /// Of those that have no answer yet.
    keys: HashSet<String>,
    open: FuturesUnordered<Future<'a, (String, Result<Came, Fault>)>>,
}

/// Answers by key, without what the child took back.
pub(super) type Answers = Vec<(String, Answer)>;

impl Asks<'_> {
    /// Puts what is not put already.
    pub(super) fn put(&mut self, requests: Vec<Request>) {
        let (asker, until) = (self.asker, Instant::now() + self.asker.wait);
        for request in requests {
            if self.keys.insert(request.key.clone()) {
                self.open.push(Box::pin(async move {
                    let came = asker.one(&request, until).await;
                    (request.key, came)
                }));
            }
        }
    }

    /// Waits for all answers.
    ///
    /// # Errors
    /// [`Kind::Unanswered`] when the client cannot be reached, or lets the time pass.
    pub(super) async fn all(&mut self) -> Result<Answers, Fault> {
        let mut answers = Answers::new();
        while let Some(came) = self.open.next().await {
            self.add(came, &mut answers)?;
        }
        Ok(answers)
    }

    /// Waits until there is an answer, or the child asked more; what answers there are by then.
    ///
    /// # Errors
    /// Those of [`Self::all`].
    pub(super) async fn some(&mut self) -> Result<Answers, Fault> {
        let mut answers = Answers::new();
        tokio::select! {
            biased;
            Some(came) = self.open.next() => self.add(came, &mut answers)?,
            () = self.asker.unanswered.0.more.notified() => {}
        }
        while let Some(Some(came)) = self.open.next().now_or_never() {
            self.add(came, &mut answers)?;
        }
        Ok(answers)
    }

    fn add(
        &mut self,
        (key, came): (String, Result<Came, Fault>),
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        self.keys.remove(&key);
        if let Came::Answer(answer) = came? {
            answers.push((key, answer));
        }
        Ok(())
    }
}

fn cancelled(id: &Raw, reason: &str) -> Bytes {
    let params = ObjectWriter::new().raw("requestId", id).string("reason", reason).finish();
    envelope::notification(notice::CANCELLED, &params)
}
