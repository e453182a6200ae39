//! Putting questions to one legacy client within one of its requests, and taking the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::question::{Request, check_answer, for_legacy};
use protocol::{ErrorObject, Raw, Version, envelope, error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::live::Live;
use crate::call::{Fault, Kind};

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

/// The questions of one request that its client has not answered, by what their child calls them.
#[derive(Clone, Debug, Default)]
pub(super) struct Unanswered(Arc<Mutex<HashMap<String, Put>>>);

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
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Put { id, withdraw } = all.remove(key.as_ref())?;
        // Who waits for it may have been cancelled.
        let _gone = withdraw.send(());
        Some(cancelled(&id, "the server needs no answer any more"))
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
        let mut all = self.asker.unanswered.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(self.key);
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
        let questions = Questions { out: messages, unanswered: unanswered.clone() };
        (Self { live, out, unanswered, version, wait, ending }, questions)
    }

    /// Asks everything at once; what came, by key, without what was taken back.
    ///
    /// # Errors
    /// [`Kind::Unanswered`] when the client cannot be reached, or lets the time pass.
    pub(super) async fn ask(&self, requests: &[Request]) -> Result<Vec<(String, Answer)>, Fault> {
        let until = Instant::now() + self.wait;
        let all = try_join_all(requests.iter().map(|request| self.one(request, until))).await?;
        let came = requests.iter().zip(all).filter_map(|(request, came)| match came {
            Came::Answer(answer) => Some((request.key.clone(), answer)),
            Came::Withdrawn => None,
        });
        Ok(came.collect())
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
        self.unanswered
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(request.key.clone(), Put { id: id.clone(), withdraw });
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

fn cancelled(id: &Raw, reason: &str) -> Bytes {
    let params = ObjectWriter::new().raw("requestId", id).string("reason", reason).finish();
    envelope::notification(notice::CANCELLED, &params)
}
