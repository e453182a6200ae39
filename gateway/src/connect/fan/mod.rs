//! One listen at a modern child for all who listen to it: the gateway's own look-out for changed
//! lists, and any number of clients.

mod subscription;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::{Method, Raw, error};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::subscription::{End, Stream};
use super::audience::{Audience, asked_uris};
use super::backoff::Backoff;
use super::changes::Changes;
use crate::call::{Call, Event, Fault, Future, Kind, List, Reply};

/// How long a listener waits for the child's word on what it asked for, before it is told that
/// nothing is honoured.
const WORD_WAIT: Duration = Duration::from_secs(8);
/// How long a child may take to acknowledge a listen before it counts as lost.
const ACKNOWLEDGEMENT_WAIT: Duration = Duration::from_secs(30);
/// How long opening a connection waits for the first acknowledgement, so that the first look at a
/// list already knows whether it can be kept.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Sends one call to the child.
pub(super) type Ask = Box<dyn Fn(Call) -> Future<'static, Result<Reply, Fault>> + Send + Sync>;

/// The listen at one child and who is told of it; dropping it ends both.
pub(super) struct Fan {
    shared: Arc<Shared>,
    stop: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    changes: Changes,
    audience: Audience,
    word: watch::Sender<Word>,
}

/// What the child's word on the listen is at this moment.
#[derive(Debug, Clone, Default)]
struct Word {
    /// There was an answer, whichever it is.
    settled: bool,
    /// The child has no listen at all.
    absent: bool,
    /// What it was asked to tell of, and has acknowledged or not.
    asked: BTreeSet<String>,
    /// What it tells of.
    honoured: BTreeSet<String>,
    /// What it refused so that it cannot be asked for together with the others.
    rejected: BTreeSet<String>,
}

impl Word {
    fn is_given_on(&self, uris: &[String]) -> bool {
        let known = |uri| self.asked.contains(uri) || self.rejected.contains(uri);
        self.absent || uris.iter().all(known)
    }
}

impl Fan {
    /// Listens to the lists whose changes the child announces, if any, from now on.
    pub(super) fn open(
        ask: Ask,
        capabilities: &ServerCapabilities,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let shared = Arc::new(Shared {
            changes: Changes::new(capabilities, events),
            audience: Audience::default(),
            word: watch::Sender::default(),
        });
        let stop = CancellationToken::new();
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            ask,
            backoff: Backoff::new(),
            again: false,
            singly: false,
            unsure: BTreeSet::new(),
        };
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Stopped or of no use any more: nobody waits for it.
            let _done = stopped.run_until_cancelled(keeper.keep()).await;
        });
        Self { shared, stop, _task: AbortOnDropHandle::new(task) }
    }

    /// Waits a moment for the child's first answer.
    pub(super) async fn settled(&self) {
        let mut word = self.shared.word.subscribe();
        // Late or never: until then the lists are looked at anew each time.
        let _late = timeout(FIRST_WAIT, word.wait_for(|word| word.settled)).await.is_err();
    }

    /// Ends the listen.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Whether the child acknowledged that it tells when `list` changes.
    pub(super) fn tells(&self, list: List) -> bool {
        self.shared.changes.tells(list)
    }

    /// A list is about to be read.
    pub(super) fn reading(&self, method: &Method) {
        self.shared.changes.reading(method);
    }

    /// The tools may be others than those that were told.
    pub(super) fn doubt_tools(&self) {
        self.shared.changes.tell(Changes::TOOLS);
    }

    /// Answers a client's listen: acknowledged once the child tells of what it asks for.
    pub(super) async fn listen(&self, call: &Call) -> Result<Reply, Fault> {
        let uris = asked_uris(&call.params)?;
        let listening = self.shared.audience.join(uris.clone(), call.back.clone());
        let mut word = self.shared.word.subscribe();
        let given = timeout(WORD_WAIT, async {
            word.wait_for(|word| word.is_given_on(&uris)).await.map(|word| word.honoured.clone())
        });
        let honoured = match given.await {
            Ok(Ok(honoured)) => honoured,
            // Late: nothing is honoured.
            _ => BTreeSet::new(),
        };
        let honoured = uris.into_iter().filter(|uri| honoured.contains(uri)).collect();
        if listening.acknowledge(honoured) {
            tokio::select! {
                () = listening.over() => {}
                // Whoever still listens asks the connection that comes after this one.
                () = self.stop.cancelled() => {}
            }
        }
        Ok(Reply::complete(Raw::default()))
    }
}

/// Keeps the listen in accordance with who wants what.
struct Keeper {
    shared: Arc<Shared>,
    ask: Ask,
    backoff: Backoff,
    /// A listen was open before: what came in between was told to nobody.
    again: bool,
    /// New resources are asked for one at a time, since one of several was refused.
    singly: bool,
    /// Resources whose updates may have been missed between two filters.
    unsure: BTreeSet<String>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut open: Option<Stream> = None;
        loop {
            let wanted = self.wanted(open.as_ref());
            let idle = wanted.is_empty() && self.shared.changes.advertised() == 0;
            open = match open.take() {
                open if idle => {
                    // What happens while nobody listens is missed by nobody.
                    self.again = false;
                    drop(open);
                    self.shared.word.send_replace(Word { settled: true, ..Word::default() });
                    self.shared.audience.changed.notified().await;
                    None
                }
                None => match self.begin(wanted).await {
                    Ok(stream) => Some(stream),
                    Err(End::Absent) => return self.give_up(),
                    Err(_) => None,
                },
                Some(stream) if stream.fits(&wanted) => self.attend(stream).await,
                Some(stream) => Some(self.exchange(stream, wanted).await),
            };
        }
    }

    /// What is to be asked for next.
    fn wanted(&self, open: Option<&Stream>) -> BTreeSet<String> {
        let mut wanted = self.shared.audience.uris();
        self.shared.word.send_if_modified(|word| {
            word.rejected.retain(|uri| wanted.contains(uri));
            wanted.retain(|uri| !word.rejected.contains(uri));
            false
        });
        if self.singly {
            let known = |uri: &String| open.is_some_and(|open| open.asked.contains(uri));
            let first = wanted.iter().find(|uri| !known(uri)).cloned();
            wanted.retain(|uri| known(uri) || Some(uri) == first.as_ref());
        }
        wanted
    }

    /// Opens a listen where none is; pauses after a failure.
    async fn begin(&mut self, wanted: BTreeSet<String>) -> Result<Stream, End> {
        let mut stream = Stream::open(&self.ask, &self.shared.changes, wanted);
        let end = match timeout(ACKNOWLEDGEMENT_WAIT, stream.acknowledged()).await {
            Ok(None) => {
                self.shared.changes.opened(stream.lists, self.again);
                let again = std::mem::replace(&mut self.again, true);
                self.take_up(&stream);
                if again {
                    self.shared.audience.all_updated(&stream.honoured);
                }
                return Ok(stream);
            }
            Ok(Some(end)) => end,
            Err(_late) => End::Lost,
        };
        self.shared.word.send_modify(|word| word.settled = true);
        match end {
            End::Refused if !stream.asked.is_empty() => self.reject(&stream.asked, Some(end)),
            End::Absent => {}
            _ => sleep(self.backoff.wait()).await,
        }
        Err(end)
    }

    /// Tells what comes on `open` until it ends or somebody comes or leaves.
    async fn attend(&mut self, mut open: Stream) -> Option<Stream> {
        let shared = Arc::clone(&self.shared);
        let end = loop {
            tokio::select! {
                heard = open.next() => match heard {
                    Ok(told) => told.pass_on(&shared.changes, &shared.audience),
                    Err(end) => break end,
                },
                () = shared.audience.changed.notified() => return Some(open),
            }
        };
        tracing::debug!(target: "child", ?end, "a listen ended");
        shared.changes.closed();
        shared.word.send_modify(|word| {
            word.asked.clear();
            word.honoured.clear();
        });
        if open.since.elapsed() >= Backoff::HEALTHY {
            self.backoff.reset();
        }
        drop(open);
        sleep(self.backoff.wait()).await;
        None
    }

    /// Another filter: opens a new listen, then ends the old one. What either tells meanwhile is
    /// told once (check 135).
    async fn exchange(&mut self, mut old: Stream, wanted: BTreeSet<String>) -> Stream {
        let mut new = Stream::open(&self.ask, &self.shared.changes, wanted);
        let met = subscription::overlap(&mut old, &mut new, WORD_WAIT).await;
        for told in met.told {
            told.pass_on(&self.shared.changes, &self.shared.audience);
        }
        if met.acknowledged {
            if met.gap {
                self.shared.changes.opened(new.lists, true);
                self.unsure.extend(new.honoured.iter().cloned());
            }
            let missed = old.honoured.difference(&new.asked).cloned();
            self.unsure.extend(missed);
            self.singly &= self.shared.audience.uris().difference(&new.asked).next().is_some();
            self.take_up(&new);
            return new;
        }
        self.reject(&new.asked.difference(&old.asked).cloned().collect(), met.failed);
        // A smaller filter that is refused: the old one tells too much, which is told to nobody.
        old.asked.retain(|uri| new.asked.contains(uri));
        old
    }

    /// The child has given its word on what `stream` asks for.
    fn take_up(&mut self, stream: &Stream) {
        let wanted = self.shared.audience.uris();
        let mut unsure = std::mem::take(&mut self.unsure);
        unsure.retain(|uri| wanted.contains(uri));
        let (known, rest) = unsure.into_iter().partition(|uri| stream.honoured.contains(uri));
        self.unsure = rest;
        self.shared.word.send_modify(|word| {
            word.settled = true;
            word.asked.clone_from(&stream.asked);
            word.honoured.clone_from(&stream.honoured);
        });
        self.shared.audience.all_updated(&known);
        for uri in wanted.intersection(&stream.asked) {
            if !stream.honoured.contains(uri) {
                self.shared.audience.refused(uri);
            }
        }
    }

    /// The child takes none of `uris` together with the others.
    fn reject(&mut self, uris: &BTreeSet<String>, end: Option<End>) {
        if uris.len() > 1 && end == Some(End::Refused) {
            // One of them is to blame: they are tried one by one.
            self.singly = true;
            return;
        }
        self.shared.word.send_modify(|word| word.rejected.extend(uris.iter().cloned()));
        for uri in uris {
            self.shared.audience.refused(uri);
        }
    }

    /// The child has no listen.
    fn give_up(&self) {
        self.shared.changes.closed();
        self.shared.word.send_replace(Word { settled: true, absent: true, ..Word::default() });
        for uri in self.shared.audience.uris() {
            self.shared.audience.refused(&uri);
        }
    }
}

/// Whether a fault says that the child has no listen.
fn is_absent(fault: &Fault) -> bool {
    matches!(&fault.kind, Kind::Child(child) if child.code == error::METHOD_NOT_FOUND)
}
