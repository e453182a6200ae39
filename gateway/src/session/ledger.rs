//! What outlives a gateway of its legacy sessions: which were ended, and what the others asked for.
//!
//! Every change is a line of text; the lines of a file, read in order, give the same ledger again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::call::unix_seconds;

/// Bytes of what all sessions asked for; of more, what the oldest session asked for goes.
const ASKED_BYTES_MAX: usize = 16 << 20;
/// Bytes of what one session asked for; a subscription that finds no room is not kept.
const ASKED_OF_ONE_BYTES_MAX: usize = 256 << 10;
/// What a session or a URI takes besides its text, in bytes, about.
const ENTRY_BYTES: usize = 64;
/// Bytes of changes that wait to be written; of more, the whole ledger is written instead.
const PENDING_BYTES_MAX: usize = 4 << 20;
/// How long a client waits until its change is written.
const WRITTEN_WAIT: Duration = Duration::from_secs(5);

/// Which session: when its id was given out, and the number that tells it from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) issued: u64,
    pub(super) nonce: u64,
}

/// What a session asked for that is more than a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AskedFor {
    /// The level of its log.
    pub(super) level: Option<u8>,
    /// The resources that it is told of.
    pub(super) uris: BTreeSet<String>,
}

impl AskedFor {
    fn bytes(&self) -> usize {
        let uris: usize = self.uris.iter().map(|uri| uri.len() + ENTRY_BYTES).sum();
        uris + ENTRY_BYTES
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Ended,
    Level(u8),
    Subscribed(String),
    Unsubscribed(String),
}

/// A change as it is written.
struct Line<'a>(Stamp, &'a Change);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Stamp { issued, nonce }, change) = self;
        match change {
            Change::Ended => writeln!(f, "ended {issued} {nonce:x}"),
            Change::Level(level) => writeln!(f, "level {issued} {nonce:x} {level}"),
            Change::Subscribed(uri) => {
                writeln!(f, "subscribed {issued} {nonce:x} {}", json::quoted(uri))
            }
            Change::Unsubscribed(uri) => {
                writeln!(f, "unsubscribed {issued} {nonce:x} {}", json::quoted(uri))
            }
        }
    }
}

/// Reads what [`Line`] writes; `None` for anything else, such as a line that was cut off.
fn read_line(line: &str) -> Option<(Stamp, Change)> {
    let line = line.strip_suffix('\n')?;
    let mut words = line.splitn(4, ' ');
    let (kind, issued, nonce) = (words.next()?, words.next()?, words.next()?);
    let stamp = Stamp { issued: issued.parse().ok()?, nonce: u64::from_str_radix(nonce, 16).ok()? };
    let rest = words.next();
    let uri = || serde_json::from_str(rest?).ok();
    let change = match (kind, rest) {
        ("ended", None) => Change::Ended,
        ("level", Some(level)) => Change::Level(level.parse().ok()?),
        ("subscribed", Some(_)) => Change::Subscribed(uri()?),
        ("unsubscribed", Some(_)) => Change::Unsubscribed(uri()?),
        _ => return None,
    };
    Some((stamp, change))
}

/// What is to be written.
pub(super) enum Writing {
    /// These lines, behind what is there.
    More(String),
    /// The whole ledger, in place of what is there.
    Whole,
}

#[derive(Default)]
struct State {
    ended: BTreeSet<Stamp>,
    asked: BTreeMap<Stamp, AskedFor>,
    asked_bytes: usize,
    pending: String,
    /// More is pending than is held.
    overflown: bool,
    /// Changes since the start.
    changes: u64,
}

/// The ledger of one gateway.
pub(super) struct Ledger {
    state: Mutex<State>,
    ended_max: usize,
    age_max: u64,
    /// Rings when there is something to write.
    pub(super) wake: Notify,
    /// Changes that are written; `None` while nobody writes.
    written: watch::Sender<Option<u64>>,
}

impl State {
    /// Makes a change; whether it was one.
    fn make(&mut self, stamp: Stamp, change: &Change, ended_max: usize) -> bool {
        if self.ended.contains(&stamp) {
            return false;
        }
        if *change == Change::Ended {
            let room = self.ended.len() < ended_max;
            if room {
                self.forget(stamp);
                self.ended.insert(stamp);
            }
            return room;
        }
        let before = self.forget(stamp);
        let mut asked = before.clone().unwrap_or_default();
        match change {
            Change::Level(level) => asked.level = Some(*level),
            Change::Subscribed(uri) => {
                asked.uris.insert(uri.clone());
            }
            Change::Unsubscribed(uri) => {
                asked.uris.remove(uri);
            }
            Change::Ended => {}
        }
        let too_many = asked.bytes() > ASKED_OF_ONE_BYTES_MAX;
        let same =
            before.as_ref() == Some(&asked) || before.is_none() && asked == AskedFor::default();
        if too_many || same {
            if let Some(before) = before {
                self.keep(stamp, before);
            }
            return false;
        }
        if asked != AskedFor::default() {
            self.keep(stamp, asked);
        }
        true
    }

    fn keep(&mut self, stamp: Stamp, asked: AskedFor) {
        self.asked_bytes += asked.bytes();
        self.asked.insert(stamp, asked);
        while self.asked_bytes > ASKED_BYTES_MAX {
            let Some(oldest) = self.asked.keys().next().copied() else { return };
            self.forget(oldest);
        }
    }

    fn forget(&mut self, stamp: Stamp) -> Option<AskedFor> {
        let asked = self.asked.remove(&stamp)?;
        self.asked_bytes -= asked.bytes();
        Some(asked)
    }

    /// Forgets the sessions whose ids are too old by themselves.
    fn expire(&mut self, age_max: u64) {
        let from = unix_seconds().saturating_sub(age_max);
        let from = Stamp { issued: from, nonce: 0 };
        self.ended = self.ended.split_off(&from);
        while let Some(oldest) = self.asked.keys().next().copied().filter(|oldest| *oldest < from) {
            self.forget(oldest);
        }
    }
}

/// All that is to be known again, as lines.
fn text(ended: &[Stamp], asked: &[(Stamp, AskedFor)]) -> String {
    let mut text = String::new();
    let mut line = |stamp: &Stamp, change: Change| {
        text.push_str(&Line(*stamp, &change).to_string());
    };
    for stamp in ended {
        line(stamp, Change::Ended);
    }
    for (stamp, asked) in asked {
        if let Some(level) = asked.level {
            line(stamp, Change::Level(level));
        }
        for uri in &asked.uris {
            line(stamp, Change::Subscribed(uri.clone()));
        }
    }
    text
}

impl Ledger {
    /// An empty one, of at most `ended_max` ended ids, each of which is good for `age_max`.
    pub(super) fn new(ended_max: usize, age_max: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            ended_max,
            age_max: age_max.as_secs(),
            wake: Notify::new(),
            written: watch::Sender::new(None),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was written. What is known here already is newer, an end excepted.
    pub(super) fn read(&self, text: &str) {
        let mut read = State::default();
        for (stamp, change) in text.split_inclusive('\n').filter_map(read_line) {
            read.make(stamp, &change, self.ended_max);
        }
        read.expire(self.age_max);
        let mut state = self.state();
        for stamp in read.ended {
            state.make(stamp, &Change::Ended, self.ended_max);
        }
        for (stamp, asked) in read.asked {
            if !state.ended.contains(&stamp) && !state.asked.contains_key(&stamp) {
                state.keep(stamp, asked);
            }
        }
    }

    /// Whether the session was ended.
    pub(super) fn has_ended(&self, stamp: Stamp) -> bool {
        self.state().ended.contains(&stamp)
    }

    /// What the session asked for.
    pub(super) fn asked_for(&self, stamp: Stamp) -> Option<AskedFor> {
        self.state().asked.get(&stamp).cloned()
    }

    /// Notes a change, and comes back when it is written, where anybody writes. `false` for an end
    /// that finds no room: those that are kept do not give way to it.
    pub(super) async fn note(&self, stamp: Stamp, change: Change) -> bool {
        let number = {
            let mut state = self.state();
            if change == Change::Ended && state.ended.len() >= self.ended_max {
                state.expire(self.age_max);
            }
            if !state.make(stamp, &change, self.ended_max) {
                return change != Change::Ended || state.ended.contains(&stamp);
            }
            state.changes += 1;
            if self.written.borrow().is_some() {
                state.pending.push_str(&Line(stamp, &change).to_string());
            }
            if state.pending.len() > PENDING_BYTES_MAX {
                state.overflown = true;
                state.pending.clear();
            }
            state.changes
        };
        self.wake.notify_one();
        let mut written = self.written.subscribe();
        let done = written.wait_for(|written| written.is_none_or(|upto| upto >= number));
        if timeout(WRITTEN_WAIT, done).await.is_err() {
            tracing::warn!(wait = ?WRITTEN_WAIT, "what sessions keep is not written in time");
        }
        true
    }

    /// What there is to write, and how many changes are then written.
    pub(super) fn take(&self) -> (Option<Writing>, u64) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        let writing = match std::mem::take(&mut state.overflown) {
            true => Some(Writing::Whole),
            false => (!pending.is_empty()).then_some(Writing::More(pending)),
        };
        (writing, state.changes)
    }

    /// The whole ledger as text, and how many changes that has.
    pub(super) fn whole(&self) -> (String, u64) {
        let (ended, asked, changes) = {
            let mut state = self.state();
            state.expire(self.age_max);
            state.pending.clear();
            state.overflown = false;
            let ended: Vec<Stamp> = state.ended.iter().copied().collect();
            let asked: Vec<_> = state.asked.clone().into_iter().collect();
            (ended, asked, state.changes)
        };
        // Every request looks into the ledger: what takes long is done beside it.
        (text(&ended, &asked), changes)
    }

    /// So many changes are written; `None` when nobody writes any more.
    pub(super) fn is_written(&self, upto: Option<u64>) {
        self.written.send_replace(upto);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const DAY: Duration = Duration::from_secs(86400);
    /// When the sessions of these tests were given out.
    const LATER: u64 = 10_000_000_000;

    fn stamp(nonce: u64) -> Stamp {
        Stamp { issued: LATER, nonce }
    }

    #[tokio::test]
    async fn what_is_written_gives_the_same_ledger_again() {
        let ledger = Ledger::new(10, DAY);
        let (one, two, old) = (stamp(1), stamp(0xabc), Stamp { issued: 1, nonce: 3 });
        ledger.is_written(Some(u64::MAX));
        for (stamp, change) in [
            (one, Change::Level(0)),
            (one, Change::Subscribed("file:///a \"b\"\n".to_owned())),
            (one, Change::Subscribed("x:y".to_owned())),
            (one, Change::Unsubscribed("x:y".to_owned())),
            (two, Change::Subscribed("x:z".to_owned())),
            (two, Change::Ended),
            (two, Change::Level(3)),
            (old, Change::Level(3)),
        ] {
            assert!(ledger.note(stamp, change).await);
        }
        let (Some(Writing::More(text)), 7) = ledger.take() else { panic!("seven changes") };
        let shown = text.replace(&one.issued.to_string(), "NOW");
        expect![[r#"
            level NOW 1 0
            subscribed NOW 1 "file:///a \"b\"\n"
            subscribed NOW 1 "x:y"
            unsubscribed NOW 1 "x:y"
            subscribed NOW abc "x:z"
            ended NOW abc
            level 1 3 3
        "#]]
        .assert_eq(&shown);
        let again = Ledger::new(10, DAY);
        again.read(&format!("no line\nended 5\n{text}level 1"));
        assert!(again.has_ended(two) && again.asked_for(two).is_none());
        assert_eq!(again.asked_for(one), ledger.asked_for(one));
        assert_eq!(again.asked_for(old), None, "its id is too old");
        assert_eq!(again.whole().0, ledger.whole().0);
    }

    #[tokio::test]
    async fn c085_ends_do_not_give_way_to_more_of_them() {
        let ledger = Ledger::new(3, DAY);
        let old = Stamp { issued: 5, nonce: 5 };
        assert!(ledger.note(old, Change::Ended).await);
        for nonce in 0..3 {
            assert!(ledger.note(stamp(nonce), Change::Ended).await, "the old one made room");
        }
        let more = stamp(7);
        assert!(!ledger.note(more, Change::Ended).await, "nor is it said to be ended");
        assert!(!ledger.has_ended(more) && (0..3).all(|nonce| ledger.has_ended(stamp(nonce))));
        assert!(ledger.note(stamp(1), Change::Ended).await, "it is");
    }

    #[tokio::test]
    async fn what_sessions_ask_for_is_bounded_and_the_oldest_gives_way() {
        let ledger = Ledger::new(3, DAY);
        let uri = |at: usize| format!("{at}{}", "x".repeat(ASKED_OF_ONE_BYTES_MAX / 3));
        for at in 0..5 {
            ledger.note(stamp(0), Change::Subscribed(uri(at))).await;
        }
        assert_eq!(ledger.asked_for(stamp(0)).map(|asked| asked.uris.len()), Some(2));
        let first = Stamp { issued: LATER - 10, nonce: 1 };
        ledger.note(first, Change::Level(1)).await;
        for nonce in 0..2 * (ASKED_BYTES_MAX / ASKED_OF_ONE_BYTES_MAX) {
            for at in 0..2 {
                let nonce = u64::try_from(nonce).unwrap();
                ledger.note(stamp(nonce), Change::Subscribed(uri(at))).await;
            }
        }
        assert_eq!(ledger.asked_for(first), None);
        let (text, _) = ledger.whole();
        assert!(text.len() < ASKED_BYTES_MAX + ASKED_OF_ONE_BYTES_MAX, "{}", text.len());
    }
}
