//! What the streams of one legacy session said, kept for a client whose connection broke
//! (digest 1.10, check 92).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::Raw;
use ring::digest::{SHA256, digest};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::exchange::{STEP_WAIT, STEPS_QUEUED_MAX, Step};

/// How long what a stream said is kept after its end: a client that wants it comes soon.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// Streams with lost answers that are remembered by session, so that their loss can be told.
const LOST_MAX: usize = 256;
/// How often it is looked whether a client reads.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a client is waited for that reads nothing and was given no place to come back to.
const PLACELESS_WAIT: Duration = Duration::from_secs(15);
/// The longest `Last-Event-ID` that is looked at, in bytes: more than any that is given out.
const ID_BYTES_MAX: usize = 80;

/// In ids, the kind of the standing stream, which survives a restart.
const STANDING: &str = "s";
/// In ids, the kind of a stream with an answer.
const ANSWER: &str = "a";

/// How much is kept of one session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events_max: usize,
    pub(super) bytes_max: usize,
}

/// One event of a stream that can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, unique in its session; `None` where nothing is kept.
    pub id: Option<String>,
    /// The message; `None` for the first event, which only gives the client a place to come back
    /// to.
    pub body: Option<Bytes>,
}

/// The streams of one session.
pub(super) struct Replays {
    /// Stands in every id: those of other sessions are known as foreign. A restart keeps it.
    tag: u64,
    /// The standing stream; another one after a restart.
    standing: u64,
    bounds: Bounds,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    streams: HashMap<u64, Log>,
    /// By age, over all streams.
    order: VecDeque<(u64, Instant)>,
    bytes: usize,
    /// Requests whose answers are no longer kept, by their streams.
    lost: VecDeque<(u64, Raw)>,
}

/// What is kept of one stream.
#[derive(Default)]
struct Log {
    events: VecDeque<(u64, Bytes)>,
    /// The number of the newest event.
    newest: u64,
    /// Whether the client knows a place in it, or will from the next event that it reads.
    started: bool,
    /// Whether an event was handed to a client that read.
    read: bool,
    ended: bool,
    reader: Option<mpsc::Sender<Step>>,
    /// What it answers; nothing for the standing one.
    request: Option<Raw>,
}

/// A place in a stream, as `Last-Event-ID` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    stream: u64,
    pub(super) standing: bool,
    number: u64,
}

/// The rest of an answer's stream.
pub(super) enum Rest {
    /// What was said since, and what will be.
    Kept { said: Vec<Step>, lost: bool, more: Option<mpsc::Receiver<Step>> },
    /// The answer to this request was given and is not kept any more.
    Lost(Raw),
    /// Nothing is known of such a stream.
    Unknown,
}

impl Kept {
    /// Adds an event and makes room; its number. It is a copy: what comes from a child holds room
    /// of its mount for as long as it is there.
    fn add(&mut self, stream: u64, body: &Bytes, bounds: Bounds) -> u64 {
        let log = self.streams.entry(stream).or_default();
        log.newest += 1;
        log.started = true;
        let number = log.newest;
        self.bytes += body.len();
        log.events.push_back((number, Bytes::copy_from_slice(body)));
        self.order.push_back((stream, Instant::now()));
        while self.order.len() > bounds.events_max || self.bytes > bounds.bytes_max {
            self.drop_oldest();
        }
        number
    }

    fn drop_oldest(&mut self) {
        let Some((stream, _)) = self.order.pop_front() else { return };
        let Some(log) = self.streams.get_mut(&stream) else { return };
        let Some((_, body)) = log.events.pop_front() else { return };
        self.bytes -= body.len();
        if log.ended && log.events.is_empty() {
            self.forget(stream);
        }
    }

    /// Forgets a stream but for what it answered.
    fn forget(&mut self, stream: u64) {
        let request = self.streams.remove(&stream).and_then(|log| log.request);
        if let Some(request) = request {
            if self.lost.len() >= LOST_MAX {
                self.lost.pop_front();
            }
            self.lost.push_back((stream, request));
        }
    }
}

impl Replays {
    /// Those of the session with this nonce.
    pub(super) fn new(nonce: u64, bounds: Bounds) -> Arc<Self> {
        let sum = digest(&SHA256, format!("events of session {nonce}").as_bytes());
        let tag = sum.as_ref().iter().take(8).fold(0, |tag, byte| (tag << 8) | u64::from(*byte));
        Arc::new(Self { tag, standing: rand::random(), bounds, kept: Mutex::default() })
    }

    /// Of a channel on which nothing is ever taken up again.
    pub(super) fn none() -> Arc<Self> {
        Self::new(0, Bounds { events_max: 0, bytes_max: 0 })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, stream: u64, number: u64) -> String {
        let kind = if stream == self.standing { STANDING } else { ANSWER };
        format!("{:016x}{kind}{stream:016x}-{number}", self.tag)
    }

    /// Reads `Last-Event-ID`; `None` for one that this session was never given.
    pub(super) fn place(&self, id: &str) -> Option<Place> {
        let id = id.trim();
        if id.len() > ID_BYTES_MAX || !id.is_ascii() || id.len() < 33 {
            return None;
        }
        let (tag, rest) = id.split_at(16);
        let (kind, rest) = rest.split_at(1);
        let (stream, number) = rest.split_once('-')?;
        let stream = (stream.len() == 16).then(|| u64::from_str_radix(stream, 16).ok())??;
        let place = Place { stream, standing: kind == STANDING, number: number.parse().ok()? };
        let known =
            u64::from_str_radix(tag, 16).ok()? == self.tag && [STANDING, ANSWER].contains(&kind);
        let written = format!("{tag}{kind}{stream:016x}-{}", place.number);
        (known && written == id && self.may_have_given(place)).then_some(place)
    }

    /// Whether this place can have been in an event: not beyond what a stream that is kept said.
    fn may_have_given(&self, place: Place) -> bool {
        let standing = place.stream == self.standing;
        match self.kept().streams.get(&place.stream) {
            Some(log) => standing == place.standing && place.number <= log.newest,
            None => !standing || place.standing && place.number == 0,
        }
    }

    /// A stream for the answer to `request`, and where its steps come out.
    pub(super) fn begin(self: &Arc<Self>, request: Raw) -> (Recorder, mpsc::Receiver<Step>) {
        let (reader, out) = mpsc::channel(STEPS_QUEUED_MAX);
        let stream: u64 = rand::random();
        let log = Log { reader: Some(reader), request: Some(request), ..Log::default() };
        self.kept().streams.insert(stream, log);
        (Recorder { replays: Arc::clone(self), stream }, out)
    }

    /// What follows a place in the stream of an answer. Who read that stream until now reads it no
    /// more.
    pub(super) fn rest(&self, place: Place) -> Rest {
        let mut kept = self.kept();
        if let Some((_, request)) = kept.lost.iter().find(|(stream, _)| *stream == place.stream) {
            return Rest::Lost(request.clone());
        }
        let known = kept.streams.get_mut(&place.stream).filter(|log| log.started);
        let Some(log) = known else { return Rest::Unknown };
        let lost = log.is_lost_after(place.number);
        let said = log.events.iter().filter(|(number, _)| *number > place.number);
        let event = |(number, body): &(u64, Bytes)| {
            let id = Some(self.id(place.stream, *number));
            Step::Event(Event { id, body: Some(body.clone()) })
        };
        let said = said.map(event).collect();
        let more = (!log.ended).then(|| {
            let (reader, out) = mpsc::channel(STEPS_QUEUED_MAX);
            log.reader = Some(reader);
            out
        });
        Rest::Kept { said, lost, more }
    }

    /// Keeps a message of the standing stream.
    pub(super) fn stand(&self, body: Bytes) -> Event {
        let number = self.kept().add(self.standing, &body, self.bounds);
        Event { id: Some(self.id(self.standing, number)), body: Some(body) }
    }

    /// The first event of a standing stream: a place to come back to.
    pub(super) fn standing_place(&self) -> Event {
        let number = self.kept().streams.get(&self.standing).map_or(0, |log| log.newest);
        Event { id: Some(self.id(self.standing, number)), body: None }
    }

    /// What the standing stream said after a place.
    pub(super) fn standing_after(&self, place: Place) -> VecDeque<Event> {
        let kept = self.kept();
        let log = kept.streams.get(&self.standing).filter(|_| place.stream == self.standing);
        let events = log.into_iter().flat_map(|log| &log.events);
        let events = events.filter(|(number, _)| *number > place.number);
        let event = |(number, body): &(u64, Bytes)| {
            let id = Some(self.id(self.standing, *number));
            Event { id, body: Some(body.clone()) }
        };
        events.map(event).collect()
    }

    /// Whether something that the standing stream said after a place is not kept any more.
    pub(super) fn standing_is_lost_after(&self, place: Place) -> bool {
        let kept = self.kept();
        let log = kept.streams.get(&self.standing);
        place.stream != self.standing || log.is_some_and(|log| log.is_lost_after(place.number))
    }

    /// Forgets what was said too long ago.
    pub(super) fn expire(&self) {
        let mut kept = self.kept();
        while kept.order.front().is_some_and(|(_, since)| since.elapsed() > KEPT_FOR) {
            kept.drop_oldest();
        }
    }
}

impl Log {
    /// Whether an event after this one was there and is not any more.
    fn is_lost_after(&self, number: u64) -> bool {
        let oldest = self.events.front().map_or(self.newest + 1, |(oldest, _)| *oldest);
        number.saturating_add(1) < oldest
    }
}

/// Writes the stream of one answer. Dropping it ends the stream.
pub(super) struct Recorder {
    replays: Arc<Replays>,
    stream: u64,
}

impl Recorder {
    /// Passes a step on. What comes on a stream is kept first; an answer that is all there is comes
    /// without a stream and is not.
    pub(super) async fn say(&self, step: Step) {
        let (reader, step) = {
            let mut kept = self.replays.kept();
            let Some(log) = kept.streams.get(&self.stream) else { return };
            let reader = log.reader.clone();
            let alone = matches!(step, Step::Last { .. }) && !log.started;
            let step = match step {
                Step::Notice(body) | Step::Last { body, .. } if !alone => {
                    let number = kept.add(self.stream, &body, self.replays.bounds);
                    let id = Some(self.replays.id(self.stream, number));
                    Step::Event(Event { id, body: Some(body) })
                }
                step => step,
            };
            (reader, step)
        };
        self.pass(reader, step).await;
    }

    /// Begins the stream with an event that only says where to come back to, unless it has begun.
    pub(super) async fn prime(&self) {
        let reader = {
            let mut kept = self.replays.kept();
            let log = kept.streams.get_mut(&self.stream).filter(|log| !log.started);
            let Some(log) = log else { return };
            log.started = true;
            log.reader.clone()
        };
        let id = Some(self.replays.id(self.stream, 0));
        self.pass(reader, Step::Event(Event { id, body: None })).await;
    }

    /// Ends what the client reads now: it comes back for the rest.
    pub(super) async fn pause(&self) {
        self.prime().await;
        if let Some(log) = self.replays.kept().streams.get_mut(&self.stream) {
            log.reader = None;
        }
    }

    /// Waits until the client reads nothing and has not come back for `wait`, or for less where it
    /// cannot.
    pub(super) async fn left(&self, wait: Duration) {
        let (mut since, mut patience) = (Instant::now(), Duration::MAX);
        while since.elapsed() < patience {
            sleep(LOOK_EVERY.min(wait)).await;
            let kept = self.replays.kept();
            let log = kept.streams.get(&self.stream);
            let reader = log.and_then(|log| log.reader.as_ref());
            if reader.is_some_and(|reader| !reader.is_closed()) {
                since = Instant::now();
            }
            let may_come_back = log.is_some_and(|log| log.read);
            patience = if may_come_back { wait } else { wait.min(PLACELESS_WAIT) };
        }
    }

    /// A client that left, or stopped reading, still wants the work done.
    async fn pass(&self, reader: Option<mpsc::Sender<Step>>, step: Step) {
        let Some(reader) = reader else { return };
        let is_read = reader.send_timeout(step, STEP_WAIT).await.is_ok();
        if let Some(log) = self.replays.kept().streams.get_mut(&self.stream) {
            log.read |= is_read;
            if is_read {
                return;
            }
            let same = log.reader.as_ref().is_some_and(|now| now.same_channel(&reader));
            log.reader = log.reader.take().filter(|_| !same);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut kept = self.replays.kept();
        let Some(log) = kept.streams.get_mut(&self.stream) else { return };
        log.ended = true;
        log.reader = None;
        if !log.started {
            kept.streams.remove(&self.stream);
        } else if log.events.is_empty() {
            kept.forget(self.stream);
        }
    }
}

#[cfg(test)]
mod what_is_kept;
