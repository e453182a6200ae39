//! What one session or connection holds in memory: requests in flight, log level, standing stream.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use protocol::json::ObjectWriter;
use protocol::method::notice;
use protocol::{Raw, envelope};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::answer;
use super::asking::Answer;
use super::ledger::{AskedFor, Stamp};
use super::replay::Replays;
use crate::call::Standing;

/// Messages outside any request that may wait while a session's stream is not being read.
pub(super) const STANDING_QUEUED_MAX: usize = 256;
/// Resources one session may subscribe to. All of them together take one place among those that
/// listen, so that there are at most this many times `listens_max` of them.
pub(super) const SUBSCRIPTIONS_MAX: usize = 1000;
/// Questions that one client may leave unanswered.
const ASKED_MAX: usize = 256;
/// No `logging/setLevel` came.
const LEVEL_UNSET: u8 = u8::MAX;

/// The part of a session that cannot be sealed.
pub(super) struct Live {
    in_flight: DashMap<String, CancellationToken>,
    level: AtomicU8,
    /// Whether its version has words for the end of a visit to a page.
    pub(super) knows_visits: AtomicBool,
    /// Questions that the client has not answered, by their id.
    pub(super) asked: DashMap<String, oneshot::Sender<Answer>>,
    /// By the URI that the client named.
    pub(super) subscriptions: DashMap<String, AbortOnDropHandle<()>>,
    /// The one place among all that listen which these hold together.
    listening: std::sync::Mutex<Weak<OwnedSemaphorePermit>>,
    standing: mpsc::Sender<Bytes>,
    /// Held by the one stream that reads.
    pub(super) standing_out: Arc<Mutex<mpsc::Receiver<Bytes>>>,
    /// Ends the stream that reads now.
    reader: std::sync::Mutex<CancellationToken>,
    /// The listen for the gateway's own lists.
    pub(super) lists: std::sync::Mutex<Option<AbortOnDropHandle<()>>>,
    /// What its streams said.
    pub(super) replays: Arc<Replays>,
    /// Lists whose changes it is told of.
    lists_told: std::sync::Mutex<Vec<&'static str>>,
    /// Whether something that it should have been told was lost.
    missed: AtomicBool,
    /// What tells it from other connections, where no session id does.
    pub(super) number: u64,
    /// Which session it is, where it has an id.
    pub(super) stamp: Option<Stamp>,
    /// Resources that it subscribed to before it was made anew.
    asked_before: std::sync::Mutex<BTreeSet<String>>,
    used: std::sync::Mutex<Instant>,
}

/// A request's place among those in flight.
pub(super) struct InFlight {
    live: Arc<Live>,
    id: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.live.in_flight.remove(&self.id);
        self.live.touch();
    }
}

impl Live {
    /// That of a connection.
    pub(super) fn new(replays: Arc<Replays>) -> Arc<Self> {
        Self::made(None, replays, AskedFor::default())
    }

    /// That of a session, with what it asked for before.
    pub(super) fn of(stamp: Stamp, replays: Arc<Replays>, asked: AskedFor) -> Arc<Self> {
        Self::made(Some(stamp), replays, asked)
    }

    fn made(stamp: Option<Stamp>, replays: Arc<Replays>, asked: AskedFor) -> Arc<Self> {
        let (standing, standing_out) = mpsc::channel(STANDING_QUEUED_MAX);
        Arc::new(Self {
            in_flight: DashMap::new(),
            level: AtomicU8::new(asked.level.unwrap_or(LEVEL_UNSET)),
            knows_visits: AtomicBool::new(false),
            asked: DashMap::new(),
            subscriptions: DashMap::new(),
            listening: std::sync::Mutex::default(),
            standing,
            standing_out: Arc::new(Mutex::new(standing_out)),
            reader: std::sync::Mutex::new(CancellationToken::new()),
            lists: std::sync::Mutex::new(None),
            replays,
            lists_told: std::sync::Mutex::default(),
            missed: AtomicBool::new(false),
            number: rand::random(),
            stamp,
            asked_before: std::sync::Mutex::new(asked.uris),
            used: std::sync::Mutex::new(Instant::now()),
        })
    }

    /// Takes a place for the request `id`; `None` when that id is in flight already.
    pub(super) fn enter(self: &Arc<Self>, id: &str) -> Option<(InFlight, CancellationToken)> {
        self.touch();
        let token = CancellationToken::new();
        match self.in_flight.entry(id.to_owned()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(slot) => {
                slot.insert(token.clone());
                Some((InFlight { live: Arc::clone(self), id: id.to_owned() }, token))
            }
        }
    }

    /// Cancels the request `id`; an unknown one is ignored (check 140).
    pub(super) fn cancel(&self, id: &str) {
        let token = self.in_flight.get(id).map(|token| token.clone());
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Cancels all that is in flight.
    pub(super) fn cancel_all(&self) {
        let tokens: Vec<_> = self.in_flight.iter().map(|token| token.clone()).collect();
        for token in tokens {
            token.cancel();
        }
    }

    /// Keeps the way to who asks the client something; `false` when there are too many.
    pub(super) fn ask(&self, id: &str, answer: oneshot::Sender<Answer>) -> bool {
        let room = self.asked.len() < ASKED_MAX;
        if room {
            self.asked.insert(id.to_owned(), answer);
        }
        room
    }

    /// The client answers; an answer to nothing is ignored.
    pub(super) fn answered(&self, id: &str, answer: Answer) {
        if let Some((_, asker)) = self.asked.remove(id) {
            // Who asked may have been cancelled.
            let _gone = asker.send(answer);
        }
    }

    pub(super) fn set_level(&self, level: u8) {
        self.level.store(level, Ordering::Relaxed);
    }

    /// The least severe log message the session wants; a legacy server may choose while none was
    /// set (digest 1.4b), and this one sends what people are to see.
    pub(super) fn level(&self) -> u8 {
        const INFO: u8 = 1;
        match self.level.load(Ordering::Relaxed) {
            LEVEL_UNSET => INFO,
            level => level,
        }
    }

    fn asked_before(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.asked_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resources that it subscribed to before it was made anew, to be subscribed to again;
    /// once.
    pub(super) fn take_asked_before(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.asked_before())
    }

    /// The place in `all` that the subscriptions of this session hold together, however many they
    /// are; it is free again once the last of them is gone. `None` when there is none.
    pub(super) fn place_among(&self, all: &Arc<Semaphore>) -> Option<Arc<OwnedSemaphorePermit>> {
        let mut held = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = held.upgrade() {
            return Some(place);
        }
        let place = Arc::new(Arc::clone(all).try_acquire_owned().ok()?);
        *held = Arc::downgrade(&place);
        Some(place)
    }

    /// The client does not want updates of this any more.
    pub(super) fn unsubscribe(&self, uri: &str) {
        self.asked_before().remove(uri);
        self.subscriptions.remove(uri);
    }

    /// Queues a message for the session's standing stream. What finds no room is made good for by
    /// [`Self::all_changed`].
    pub(super) fn tell(&self, message: Bytes) {
        if self.standing.try_send(message).is_err() {
            self.has_missed();
        }
    }

    /// Something that the session should have been told is lost.
    pub(super) fn has_missed(&self) {
        self.missed.store(true, Ordering::Relaxed);
    }

    /// Whether something was lost since this was asked last.
    pub(super) fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// From now on it is told of changes of these lists, by the notifications of that.
    pub(super) fn hears_of(&self, lists: Vec<&'static str>) {
        *self.lists_told.lock().unwrap_or_else(PoisonError::into_inner) = lists;
    }

    /// What says that everything which the session listens to may have changed.
    pub(super) fn all_changed(&self) -> Vec<Bytes> {
        let lists = self.lists_told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lists = lists.into_iter().map(|method| envelope::notification(method, &Raw::default()));
        let updated = self.subscriptions.iter().map(|one| updated(one.key()));
        lists.chain(updated).collect()
    }

    /// Whether something is under way, asked, or read.
    pub(super) fn is_busy(&self) -> bool {
        let read = self.standing_out.try_lock().is_err();
        read || !self.in_flight.is_empty() || !self.asked.is_empty()
    }

    /// Ends the stream that reads now and returns the token of the one that takes over.
    pub(super) fn take_over(&self) -> CancellationToken {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.cancel();
        *reader = CancellationToken::new();
        reader.clone()
    }

    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When the session was last used; now, while something is in flight or a stream is open.
    pub(super) fn used(&self) -> Instant {
        if self.is_busy() {
            self.touch();
        }
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was ended, or nobody hears of it now.
    #[cfg(test)]
    pub(super) fn is_over(&self) -> bool {
        self.in_flight.iter().all(|token| token.is_cancelled())
    }

    /// Ends everything the session has open, calls too.
    pub(super) fn end(&self) {
        self.cancel_all();
        self.end_streams();
    }

    /// Ends what the session hears outside its calls, which run on.
    pub(super) fn end_streams(&self) {
        self.subscriptions.clear();
        drop(self.lists.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

impl Standing for Live {
    fn tell_aside(&self, method: &str, params: &Raw) {
        let wanted = match method {
            notice::ELICITATION_COMPLETE => self.knows_visits.load(Ordering::Relaxed),
            notice::MESSAGE => answer::level(params).is_some_and(|level| level >= self.level()),
            _ => true,
        };
        if wanted {
            self.tell(envelope::notification(method, params));
        }
    }
}

/// What says that a resource may be another now.
pub(super) fn updated(uri: &str) -> Bytes {
    let params = ObjectWriter::new().string("uri", uri).finish();
    envelope::notification(notice::RESOURCE_UPDATED, &params)
}

#[cfg(test)]
mod tests {
    use super::super::replay::Bounds;
    use super::*;

    #[test]
    fn c146_a_log_message_of_no_request_is_told_from_the_level_of_the_session_on() {
        let live = Live::new(Replays::new(7, Bounds { events_max: 8, bytes_max: 100 }));
        let mut told = live.standing_out.try_lock().unwrap();
        let mut heard = |level: &str| {
            let params = ObjectWriter::new().string("level", level).finish();
            live.tell_aside(notice::MESSAGE, &params);
            told.try_recv().is_ok()
        };
        assert_eq!([heard("debug"), heard("info"), heard("odd")], [false, true, false]);
        live.set_level(4);
        assert_eq!([heard("warning"), heard("error")], [false, true]);
    }

    #[test]
    fn the_end_of_a_visit_is_told_to_who_has_words_for_it() {
        let live = Live::new(Replays::new(7, Bounds { events_max: 8, bytes_max: 100 }));
        let mut told = live.standing_out.try_lock().unwrap();
        for knows in [false, true] {
            live.knows_visits.store(knows, Ordering::Relaxed);
            live.tell_aside(notice::ELICITATION_COMPLETE, &Raw::default());
            assert_eq!(told.try_recv().is_ok(), knows);
        }
    }
}
