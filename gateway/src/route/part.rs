//! The part of a listen that one child serves: opened, told of, and opened again after a loss.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::{Raw, rewrite, task};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::part_tasks::{LastTold, Now, shown_state, states};
use super::view::{Snapshot, View};
use crate::call::{Backchannel, Call, Fault, Kind, Notice, Serve};

/// How long a child may take to confirm its part of a listen.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// The first and the longest pause before a child's part is opened again after it was lost.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(500);
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What is told on a listen: method and params.
pub(super) type News = (&'static str, Raw);

/// What one child is asked to tell of.
pub(super) struct Part {
    place: usize,
    topics: Topics,
}

#[derive(Clone)]
enum Topics {
    /// Resources, by exposed and own URI.
    Uris(Vec<(String, String)>),
    /// Tasks of one replica, by the id here and that within the mount.
    Tasks(Vec<(String, String)>),
}

impl Topics {
    fn pairs(&self) -> &[(String, String)] {
        match self {
            Self::Uris(pairs) | Self::Tasks(pairs) => pairs,
        }
    }

    /// The params of a listen to this.
    fn params(&self) -> Raw {
        let own: Vec<String> = self.pairs().iter().map(|(_, own)| own.clone()).collect();
        match self {
            Self::Tasks(_) => task::listen_to(&own),
            Self::Uris(_) => {
                let filter = ObjectWriter::new().raw("resourceSubscriptions", &Raw::of(&own));
                ObjectWriter::new().raw("notifications", &filter.finish()).finish()
            }
        }
    }

    /// What of this an acknowledgement confirms; `None` when that is nothing.
    fn confirmed(&self, params: &Raw) -> Option<Self> {
        let pairs = self.pairs().iter();
        let honoured = match self {
            Self::Uris(_) => {
                let told = confirmed_uris(params);
                Self::Uris(pairs.filter(|(_, own)| told.contains(own)).cloned().collect())
            }
            Self::Tasks(_) => {
                let told = task::listened(params).ok()??;
                let has = |own: &str| told.iter().any(|one| one == own);
                Self::Tasks(pairs.filter(|(_, own)| has(childs_own(own))).cloned().collect())
            }
        };
        (!honoured.pairs().is_empty()).then_some(honoured)
    }
}

/// The child's own id of a task in that within its mount.
fn childs_own(within: &str) -> &str {
    task::unnest(within).map_or(within, |(_, own)| own)
}

fn confirmed_uris(params: &Raw) -> Vec<String> {
    let inside = Members::read(params).ok();
    let inside = inside.and_then(|members| members.get("notifications"));
    let inside = inside.and_then(|text| Members::read(text).ok());
    let list = inside.and_then(|members| members.get("resourceSubscriptions"));
    list.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The URIs and tasks of a filter by the mount that has them; what no mount has is not honoured.
pub(super) fn parts(
    snapshot: &Snapshot,
    view: &View,
    call: &Call,
    (uris, tasks): (&[String], &[String]),
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for shown in uris {
        let Ok(target) = snapshot.uri(&call.endpoint, view, shown) else { continue };
        let pair = (shown.clone(), target.key);
        let known = parts.iter_mut().find(|part| part.place == target.place);
        match known.map(|part| &mut part.topics) {
            Some(Topics::Uris(pairs)) if pairs.contains(&pair) => {}
            Some(Topics::Uris(pairs)) => pairs.push(pair),
            _ => parts.push(Part { place: target.place, topics: Topics::Uris(vec![pair]) }),
        }
    }
    for within in tasks {
        let Some((place, own)) = snapshot.task_place(&call.endpoint, within) else { continue };
        let pair = (within.clone(), own.to_owned());
        let replica = |own: &str| task::unnest(own).map(|(replica, _)| replica.to_owned());
        let same = |part: &&mut Part| {
            let first = part.topics.pairs().first();
            let has_tasks = matches!(part.topics, Topics::Tasks(_));
            part.place == place
                && has_tasks
                && first.is_some_and(|(_, first)| replica(first) == replica(own))
        };
        match parts.iter_mut().find(same).map(|part| &mut part.topics) {
            Some(Topics::Tasks(pairs)) if pairs.contains(&pair) => {}
            Some(Topics::Tasks(pairs)) => pairs.push(pair),
            _ => parts.push(Part { place, topics: Topics::Tasks(vec![pair]) }),
        }
    }
    parts
}

/// What children confirmed, as the client calls it.
#[derive(Default)]
pub(super) struct Honoured {
    pub(super) uris: Vec<String>,
    pub(super) tasks: Vec<String>,
}

impl Honoured {
    pub(super) fn add(&mut self, opened: &Opened) {
        let shown = opened.honoured.pairs().iter().map(|(shown, _)| shown.clone());
        match opened.honoured {
            Topics::Uris(_) => self.uris.extend(shown),
            Topics::Tasks(_) => self.tasks.extend(shown),
        }
    }
}

/// A part that its child confirmed.
pub(super) struct Opened {
    /// Where the mount is found anew: a reload may have put another in its place.
    current: Arc<ArcSwap<Snapshot>>,
    snapshot: Arc<Snapshot>,
    call: Call,
    place: usize,
    honoured: Topics,
    /// What was told last of tasks.
    last_told: LastTold,
    notices: mpsc::Receiver<Notice>,
    serving: AbortOnDropHandle<Option<Fault>>,
}

/// Opens a child's part of a listen.
///
/// # Errors
/// Why there is none, when the child does not confirm it in [`ACK_WAIT`]; `None` when it refuses
/// all of it.
pub(super) async fn open(
    current: Arc<ArcSwap<Snapshot>>,
    snapshot: Arc<Snapshot>,
    call: Call,
    part: Part,
) -> Result<Opened, Option<Fault>> {
    let mounted = Arc::clone(snapshot.mounts.get(part.place).ok_or(None)?);
    let name = Arc::clone(&mounted.name);
    let (back, mut notices) = Backchannel::open();
    let inside = Call { params: part.topics.params(), back, ..call.clone() };
    let serving = tokio::spawn(async move {
        // Its end, however it comes, shows in the notices: the backchannel closes.
        mounted.serve.serve(inside).await.err()
    });
    let mut serving = AbortOnDropHandle::new(serving);
    let Ok(first) = timeout(ACK_WAIT, notices.recv()).await else {
        let wait = ACK_WAIT.as_secs();
        let text = format!("the server behind `{name}` did not confirm a listen in {wait} s");
        return Err(Some(Fault::new(Kind::Timeout { mount: name }, text)));
    };
    let Some(first) = first else { return Err((&mut serving).await.ok().flatten()) };
    if first.method != notice::ACKNOWLEDGED {
        return Err(None);
    }
    let honoured = part.topics.confirmed(&first.params).ok_or(None)?;
    let place = part.place;
    let last_told = LastTold::default();
    Ok(Opened { current, snapshot, call, place, honoured, last_told, notices, serving })
}

impl Opened {
    /// Passes news on until the client leaves, or all the tasks that it is about are over. A part
    /// that is lost is opened again, with growing pauses; since updates in between are lost, each
    /// URI then counts as updated, and each task is asked how it is (check 132).
    pub(super) async fn keep(mut self, news: mpsc::Sender<News>) {
        let mut pause = REOPEN_PAUSE_MIN;
        loop {
            while let Some(told) = self.notices.recv().await {
                let Some(told) = self.told(&told) else { continue };
                pause = REOPEN_PAUSE_MIN;
                if news.send(told).await.is_err() || self.is_over() {
                    return;
                }
            }
            self.serving.abort();
            if !self.opened_again(&mut pause, &news).await {
                return;
            }
        }
    }

    /// Whether there is nothing left to tell of.
    fn is_over(&self) -> bool {
        self.honoured.pairs().is_empty()
    }

    /// The same part, opened once more at the mount that has the name now.
    async fn again(&self, topics: Topics) -> Option<Self> {
        let now = self.current.load_full();
        let name = &self.snapshot.mounts.get(self.place)?.name;
        let place = now.mounts.iter().position(|mount| mount.name == *name)?;
        let part = Part { place, topics };
        open(Arc::clone(&self.current), now, self.call.clone(), part).await.ok()
    }

    /// Opens the part again and makes good for what it missed; `false` when nobody listens, or
    /// there is nothing left to tell of.
    async fn opened_again(&mut self, pause: &mut Duration, news: &mpsc::Sender<News>) -> bool {
        loop {
            sleep(*pause).await;
            *pause = (*pause * 2).min(REOPEN_PAUSE_MAX);
            let again = self.again(self.honoured.clone()).await;
            let opened = again.is_some();
            if let Some(mut again) = again {
                if let Topics::Tasks(_) = self.honoured {
                    // One that the child does not confirm may be over: it is asked below.
                    again.honoured = self.honoured.clone();
                    again.last_told = std::mem::take(&mut self.last_told);
                }
                *self = again;
            }
            let heard = match &self.honoured {
                Topics::Uris(pairs) if opened => updates(pairs, news).await,
                Topics::Uris(_) => true,
                Topics::Tasks(_) => self.tasks_now(news).await,
            };
            if opened || !heard || self.is_over() {
                return heard && !self.is_over();
            }
        }
    }

    /// Tells how the tasks are now; `false` when nobody listens.
    async fn tasks_now(&mut self, news: &mpsc::Sender<News>) -> bool {
        let name = self.snapshot.mounts.get(self.place).map(|mount| Arc::clone(&mount.name));
        let snapshot = self.current.load_full();
        let place = snapshot.mounts.iter().position(|mount| Some(&mount.name) == name.as_ref());
        let pairs = self.honoured.pairs().to_vec();
        let mut states = std::pin::pin!(states(&snapshot, place, &self.call, pairs));
        while let Some((within, now)) = states.next().await {
            match now {
                Now::Is(state) => {
                    if self.last_told.is_new(&within, &state) {
                        self.forget_if_over(&within, &state);
                        if news.send((notice::TASKS, state)).await.is_err() {
                            return false;
                        }
                    }
                }
                Now::Gone => self.forget(&within),
                Now::Unknown => {}
            }
        }
        true
    }

    /// Takes note of how a task is: nothing comes after its end.
    fn forget_if_over(&mut self, within: &str, state: &Raw) {
        if task::check_state(state).is_ok_and(task::Status::is_over) {
            self.forget(within);
        }
    }

    fn forget(&mut self, within: &str) {
        self.last_told.forget(within);
        if let Topics::Tasks(pairs) = &mut self.honoured {
            pairs.retain(|(known, _)| known != within);
        }
    }

    /// What a child told, in the names that the client has; `None` for what it did not ask for.
    fn told(&mut self, told: &Notice) -> Option<News> {
        let snapshot = Arc::clone(&self.snapshot);
        let view = snapshot.view(&self.call.endpoint)?;
        let pairs = self.honoured.pairs();
        match (told.method.as_str(), &self.honoured) {
            (notice::RESOURCE_UPDATED, Topics::Uris(_)) => {
                let named = |own: &str| {
                    let pair = pairs.iter().find(|(_, honoured)| honoured == own);
                    pair.map(|(shown, _)| shown.clone())
                };
                let shown =
                    |own: &str| named(own).or_else(|| snapshot.exposed(view, self.place, own));
                Some((notice::RESOURCE_UPDATED, rewrite::uri_member(&told.params, &shown)))
            }
            (notice::TASKS, Topics::Tasks(_)) => {
                let id = task::id(&Members::read(&told.params).ok()?)?;
                let (within, _) = pairs.iter().find(|(_, own)| childs_own(own) == id)?.clone();
                let told =
                    shown_state(view, snapshot.mounts.get(self.place)?, &told.params, &within)?;
                self.last_told.is_new(&within, &told);
                self.forget_if_over(&within, &told);
                Some((notice::TASKS, told))
            }
            _ => None,
        }
    }
}

/// Tells that each of these counts as updated; `false` when nobody listens.
async fn updates(pairs: &[(String, String)], news: &mpsc::Sender<News>) -> bool {
    for (shown, _) in pairs {
        let update = ObjectWriter::new().string("uri", shown).finish();
        if news.send((notice::RESOURCE_UPDATED, update)).await.is_err() {
            return false;
        }
    }
    true
}
