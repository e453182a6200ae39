//! One connection shared by many calls: ids, answers, progress, cancellation; of either era.

mod words;
mod overlong;
mod cable;
mod lines;
mod frames;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dashmap::DashMap;
use protocol::envelope::{self, Body, Malformed, Message};
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::{ErrorObject, Method, Raw, meta};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

pub(super) use cable::{Cable, CableSettings};
pub(super) use words::LastWords;

use super::asking::Delivery;
use super::dialect::bad_answer;
use super::unreachable::unreachable;
use crate::call::{Backchannel, Fault, Kind};

/// Messages that may wait to be written; callers wait when it is full.
const OUTGOING_QUEUED_MAX: usize = 1024;

/// Takes what a child says by itself. Called from the reading task: it must not block.
pub(super) trait Hear: Send + Sync + 'static {
    /// A notification that is not progress.
    fn notification(&self, wire: &Wire, method: &str, params: Raw);

    /// A request of the child.
    fn request(&self, wire: &Wire, id: &Raw, method: &str, params: Raw);

    /// A request of ours that nobody waits for any more is answered, or was never written.
    fn over(&self, _id: u64) {}
}

/// A message on its way to the child.
pub(super) struct Outgoing {
    /// The call, when it is one.
    id: Option<u64>,
    /// The message.
    pub(super) bytes: Bytes,
    /// Where it is said that it was not taken, when it answers a question.
    pub(super) delivery: Option<Delivery>,
}

impl Outgoing {
    /// Whether an answer is waited for.
    pub(super) fn is_request(&self) -> bool {
        self.id.is_some()
    }
}

/// The child's answer: its result or its own error.
pub(super) type Answer = Result<Raw, ErrorObject>;

struct Pending {
    outcome: oneshot::Sender<Result<Answer, Fault>>,
    progress: Option<Backchannel>,
    /// Whether doing it twice does no harm.
    harmless: bool,
    written: bool,
}

/// One connection to a child. A framing layer feeds it ([`Wire::receive`], [`Wire::end`]) and
/// writes what comes out of its queue, asking [`Wire::takes_off`] before each message.
pub(super) struct Wire {
    mount: Arc<str>,
    queue: mpsc::Sender<Outgoing>,
    pending: DashMap<u64, Pending>,
    next_id: AtomicU64,
    ear: Mutex<Option<Arc<dyn Hear>>>,
    lost: watch::Sender<Option<Arc<str>>>,
    words: Arc<LastWords>,
}

impl Wire {
    /// A connection, and what is to be written on it.
    pub(super) fn new(
        mount: Arc<str>,
        words: Arc<LastWords>,
    ) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (queue, out) = mpsc::channel(OUTGOING_QUEUED_MAX);
        let wire = Self {
            mount,
            queue,
            pending: DashMap::new(),
            next_id: AtomicU64::new(1),
            ear: Mutex::new(None),
            lost: watch::Sender::new(None),
            words,
        };
        (Arc::new(wire), out)
    }

    /// The mount, for faults.
    pub(super) fn mount(&self) -> &str {
        &self.mount
    }

    /// Who hears from now on what the child says by itself.
    pub(super) fn heard_by(&self, ear: Arc<dyn Hear>) {
        *self.ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(ear);
    }

    /// An id that this connection never used; it is the progress token of that call too.
    pub(super) fn fresh_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request and waits for its answer. Dropping the future cancels it at the child,
    /// except the requests that must not or need not be cancelled.
    ///
    /// `progress` is told what the child says of the progress of this request.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] when it was certainly not done, or may be done again;
    /// [`Kind::OutcomeUnknown`] when the connection was lost after it was written;
    /// [`Kind::BadAnswer`] when an answer came that cannot be read.
    pub(super) async fn request(
        &self,
        id: u64,
        method: &Method,
        params: &Raw,
        progress: Option<Backchannel>,
    ) -> Result<Answer, Fault> {
        let (outcome, answered) = oneshot::channel();
        let harmless = is_harmless(method);
        self.pending.insert(id, Pending { outcome, progress, harmless, written: false });
        let cancellable = is_cancellable(method);
        let mut flight = Flight { wire: self, id, cancellable, heard: false };
        // After the entry: either this sees the loss, or the loss sees the entry.
        if let Some(why) = self.why_lost() {
            return Err(unreachable(&self.mount, &why));
        }
        let bytes = envelope::request(&id.to_string(), method.as_str(), params);
        if self.queue.send(Outgoing { id: Some(id), bytes, delivery: None }).await.is_err() {
            let why = self.why_lost().unwrap_or_else(|| "the connection is closing".into());
            return Err(unreachable(&self.mount, &why));
        }
        let dropped = || Err(Fault::new(Kind::Internal, "the answer was dropped in the gateway"));
        let answer = answered.await;
        flight.heard = true;
        answer.unwrap_or_else(|_| dropped())
    }

    /// Queues a request whose answer nobody waits for; `false` when the queue is full or closed.
    pub(super) fn request_unwaited(&self, method: &Method, params: &Raw) -> bool {
        self.say(envelope::request(&self.fresh_id().to_string(), method.as_str(), params))
    }

    /// Queues a notification; `false` when the queue is full or closed.
    pub(super) fn notify(&self, method: &str, params: &Raw) -> bool {
        self.say(envelope::notification(method, params))
    }

    /// Queues the answer to a request of the child; `false` when the queue is full, of which
    /// `delivery` hears, or closed: then the connection ends, and every call with it.
    pub(super) fn answer(&self, id: &Raw, answer: &Answer, delivery: Option<Delivery>) -> bool {
        let bytes = match answer {
            Ok(result) => envelope::result(id, result),
            Err(error) => envelope::error(Some(id), error),
        };
        let queued = self.queue.try_send(Outgoing { id: None, bytes, delivery });
        if let Err(TrySendError::Full(Outgoing { delivery: Some(delivery), .. })) = &queued {
            delivery.failed("it takes no messages");
        }
        queued.is_ok()
    }

    fn say(&self, bytes: Bytes) -> bool {
        self.queue.try_send(Outgoing { id: None, bytes, delivery: None }).is_ok()
    }

    /// Whether `message` is still to be written: a call that was dropped while it waited is not.
    /// From here on it counts as written.
    pub(super) fn takes_off(&self, message: &Outgoing) -> bool {
        let Some(id) = message.id else { return true };
        match self.pending.get_mut(&id) {
            Some(mut pending) => {
                pending.written = true;
                true
            }
            None => false,
        }
    }

    /// Takes one message of the child, or a batch (2025-03-26), without blanks around it. Whether
    /// somebody waited for it, or for a part of it.
    pub(super) fn receive(&self, text: &Bytes) -> bool {
        match Body::read(text.clone()) {
            Ok(Body::One(message)) => self.deliver(message),
            Ok(Body::Batch(list)) => {
                let mut awaited = false;
                for part in list {
                    match part {
                        Ok(message) => awaited |= self.deliver(message),
                        Err(fault) => self.odd(&format!("in a batch: {}", fault.error.message)),
                    }
                }
                awaited
            }
            Err(fault) => {
                self.malformed(text, &fault);
                false
            }
        }
    }

    fn deliver(&self, message: Message) -> bool {
        match message {
            Message::Response { id: Some(id), outcome } => return self.answered(&id, outcome),
            Message::Response { id: None, outcome } => {
                let text = outcome.err().map_or_else(String::new, |error| error.message);
                self.odd(&format!("an error without the id of a request: {text}"));
            }
            Message::Notification { method, params } if method == notice::PROGRESS => {
                self.progress(params);
            }
            Message::Notification { method, params } => match self.ear() {
                Some(ear) => ear.notification(self, &method, params),
                None => self.odd(&format!("`{method}` before anything was agreed")),
            },
            Message::Request { id, method, params } => match self.ear() {
                Some(ear) => ear.request(self, &id, &method, params),
                None => self.odd(&format!("a request `{method}` before anything was agreed")),
            },
        }
        false
    }

    fn answered(&self, id: &Raw, outcome: Answer) -> bool {
        let asked = id.parse().ok().filter(|id| *id < self.next_id.load(Ordering::Relaxed));
        match asked.map(|id: u64| (id, self.pending.remove(&id))) {
            // Nobody waits any more when the call is being dropped at this moment.
            Some((_, Some((_, pending)))) => return pending.outcome.send(Ok(outcome)).is_ok(),
            // Usual after a cancellation, so it is not worth a line of the last words.
            Some((id, None)) => {
                let mount = &*self.mount;
                tracing::debug!(target: "child", mount, id, "an answer that nobody waits for");
                self.is_over(id);
            }
            None => self.odd(&format!("an answer to no request of ours, id {:.40}", id.as_str())),
        }
        false
    }

    fn progress(&self, params: Raw) {
        let members = Members::read(&params).ok();
        let token = members.as_ref().and_then(|members| members.get(meta::PROGRESS_TOKEN));
        let call = token.and_then(|token| token.parse().ok()).and_then(|id: u64| {
            // Cloned, so that no lock of the table is held while the client is told.
            self.pending.get(&id).and_then(|pending| pending.progress.clone())
        });
        match call {
            Some(back) => drop(back.tell(notice::PROGRESS, params)),
            None => self.odd("progress of no open request that asked for it"),
        }
    }

    /// A text that is no message. If it was meant as an answer, its call does not hang.
    fn malformed(&self, text: &Bytes, fault: &Malformed) {
        let shown = String::from_utf8_lossy(text);
        self.odd(&format!("{}: {shown:.200}", fault.error.message));
        let members = Members::read(&shown).ok().filter(|all| all.get("method").is_none());
        let id = members.as_ref().and_then(|members| members.get("id"));
        if let Some(id) = id.and_then(|id| id.parse().ok()) {
            self.spoil(id, &fault.error.message);
        }
    }

    /// A message has `length` bytes or more, which is more than may be read; `answered` is the
    /// request it answered, if known.
    pub(super) fn too_long(&self, answered: Option<u64>, length: usize) {
        let text = format!("a message of {length} bytes or more, and result_bytes_max is less");
        self.odd(&text);
        if let Some(id) = answered {
            self.spoil(id, &text);
        }
    }

    /// A message was not taken by the child, where that can be told of a single one; `sent` says
    /// whether it may have been seen all the same.
    pub(super) fn not_taken(&self, message: &Outgoing, sent: bool, why: &str) {
        let Some((_, pending)) = message.id.and_then(|id| self.pending.remove(&id)) else {
            return self.odd(why);
        };
        let fault = match sent && !pending.harmless {
            true => outcome_unknown(&self.mount, why),
            false => unreachable(&self.mount, why),
        };
        drop(pending.outcome.send(Err(fault)));
    }

    fn spoil(&self, id: u64, why: &str) {
        match self.pending.remove(&id) {
            Some((_, pending)) => drop(pending.outcome.send(Err(bad_answer(&self.mount, why)))),
            None => self.is_over(id),
        }
    }

    /// Notes something that a child should not have said.
    pub(super) fn odd(&self, text: &str) {
        tracing::debug!(target: "child", mount = &*self.mount, "unexpected: {text}");
        self.words.push(&format!("[unexpected output] {text}"));
    }

    fn is_over(&self, id: u64) {
        if let Some(ear) = self.ear() {
            ear.over(id);
        }
    }

    fn ear(&self) -> Option<Arc<dyn Hear>> {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection is lost: every open call ends now. Only the first reason counts.
    pub(super) fn end(&self, why: &str) {
        let first = self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            if first {
                *lost = Some(why.into());
            }
            first
        });
        if !first {
            return;
        }
        let ids: Vec<u64> = self.pending.iter().map(|entry| *entry.key()).collect();
        for (_, pending) in ids.iter().filter_map(|id| self.pending.remove(id)) {
            let fault = if pending.written && !pending.harmless {
                outcome_unknown(&self.mount, why)
            } else {
                unreachable(&self.mount, why)
            };
            drop(pending.outcome.send(Err(fault)));
        }
    }

    /// Why the connection is lost, once it is.
    pub(super) fn why_lost(&self) -> Option<Arc<str>> {
        self.lost.borrow().clone()
    }

    /// Waits for the loss of the connection.
    pub(super) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        let why = lost.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.map_or_else(String::new, |why| why.to_string())
    }

    /// How many calls are open.
    #[cfg(test)]
    pub(super) fn calls_open(&self) -> usize {
        self.pending.len()
    }
}

/// Takes a call out of the table when its caller no longer waits, and tells the child.
struct Flight<'a> {
    wire: &'a Wire,
    id: u64,
    cancellable: bool,
    /// Whether its outcome was heard.
    heard: bool,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let Some((_, pending)) = self.wire.pending.remove(&self.id) else {
            if !self.heard {
                // Its answer came at this moment, and no other will.
                self.wire.is_over(self.id);
            }
            return;
        };
        if !pending.written {
            return self.wire.is_over(self.id);
        }
        if !self.cancellable {
            return;
        }
        let params = ObjectWriter::new().raw("requestId", &self.id.to_string());
        let params = params.string("reason", "the answer is no longer wanted").finish();
        if !self.wire.notify(notice::CANCELLED, &params) {
            self.wire.odd("it takes no messages: a cancellation was left out");
        }
    }
}

/// `initialize` must not be cancelled (digest 1.15); of the other two nothing is worth it, and
/// servers that do not know them need not hear of them twice.
fn is_cancellable(method: &Method) -> bool {
    !matches!(method, Method::Initialize | Method::Discover | Method::Ping)
}

fn is_harmless(method: &Method) -> bool {
    let opens = matches!(
        method,
        Method::Initialize | Method::Listen | Method::Subscribe | Method::Unsubscribe
    );
    opens || method.is_read()
}

fn outcome_unknown(mount: &str, why: &str) -> Fault {
    Fault::new(
        Kind::OutcomeUnknown { mount: mount.into() },
        format!(
            "the connection to the server behind `{mount}` was lost before it answered: {why}. \
             It may have done what was asked: look before you repeat"
        ),
    )
}
