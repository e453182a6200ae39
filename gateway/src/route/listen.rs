//! `subscriptions/listen`: the gateway's own changes and the children's updates on one backchannel.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::json::{self, ObjectWriter};
use protocol::{Raw, method::notice, rewrite};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::answer::read_params;
use super::router::Router;
use super::view::{Snapshot, View};
use crate::call::{Backchannel, Call, Fault, Notice, Reply, Serve};

/// URIs one listen may subscribe to.
const LISTEN_URIS_MAX: usize = 1000;
/// How long a child may take to confirm its part of a listen.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// The first and the longest pause before a child's part is opened again after it was lost.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(500);
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Updates of all children together that may wait for the client.
const UPDATES_QUEUED_MAX: usize = 256;

/// What a client wants to hear (digest 1.14).
#[derive(Debug, Clone, Default)]
struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: Vec<String>,
}

impl Filter {
    fn read(params: &Raw) -> Result<Self, Fault> {
        let params = read_params(params)?;
        let text = params.get("notifications").unwrap_or("null");
        let members = json::Members::read(text)
            .map_err(|fault| Fault::invalid(format!("params.notifications: {fault}")))?;
        let flag = |key: &str| match members.get(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Fault::invalid(format!(
                "params.notifications.{key}: expected a boolean, found {}",
                json::kind_of(other)
            ))),
        };
        let uris: Vec<String> = match members.get("resourceSubscriptions") {
            None => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| {
                Fault::invalid(
                    "params.notifications.resourceSubscriptions: expected an array of strings",
                )
            })?,
        };
        if uris.len() > LISTEN_URIS_MAX {
            return Err(Fault::invalid(format!(
                "params.notifications.resourceSubscriptions: at most {LISTEN_URIS_MAX} URIs, \
                 found {}",
                uris.len()
            )));
        }
        Ok(Self {
            tools: flag("toolsListChanged")?,
            prompts: flag("promptsListChanged")?,
            resources: flag("resourcesListChanged")?,
            uris,
        })
    }

    /// The params of the acknowledgement, with the URIs that children confirmed.
    fn acknowledgement(&self, honoured: &[String]) -> Raw {
        let mut inside = ObjectWriter::new();
        for (key, wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if wanted {
                inside = inside.raw(key, "true");
            }
        }
        if !self.uris.is_empty() {
            inside = inside.raw("resourceSubscriptions", &Raw::of(honoured));
        }
        ObjectWriter::new().raw("notifications", &inside.finish()).finish()
    }
}

/// The part of a listen that one child serves.
struct Part {
    place: usize,
    /// Exposed and own form of each URI.
    uris: Vec<(String, String)>,
}

impl Router {
    /// Serves one listen until the client leaves, stops reading, or the gateway drains.
    pub(super) async fn listen(&self, call: Call) -> Result<Reply, Fault> {
        let filter = Filter::read(&call.params)?;
        let mut changed = self.changes();
        changed.mark_unchanged();
        let snapshot = self.snapshot();
        let Some(view) = snapshot.view(&call.endpoint) else { return Err(self.no_endpoint()) };
        let mut seen = view.digests();
        let (updates, mut updated) = mpsc::channel(UPDATES_QUEUED_MAX);
        let opening = parts(&snapshot, view, &call, &filter)
            .into_iter()
            .map(|part| open(self.current(), Arc::clone(&snapshot), call.clone(), part));
        let mut open = FuturesUnordered::new();
        let mut honoured = Vec::new();
        for opened in join_all(opening).await.into_iter().flatten() {
            honoured.extend(opened.honoured.iter().map(|(shown, _)| shown.clone()));
            open.push(opened.keep(updates.clone()));
        }
        call.back.tell_waiting(notice::ACKNOWLEDGED, filter.acknowledgement(&honoured)).await;
        loop {
            let told = tokio::select! {
                change = changed.changed() => {
                    if change.is_err() {
                        break;
                    }
                    let now = self.snapshot();
                    let Some(view) = now.view(&call.endpoint) else { break };
                    let digests = view.digests();
                    let told = tell_changes(&call.back, &filter, seen, digests);
                    seen = digests;
                    told
                }
                Some(update) = updated.recv() => {
                    call.back.tell(notice::RESOURCE_UPDATED, update)
                }
                Some(()) = open.next() => true,
            };
            if !told {
                break;
            }
        }
        Ok(Reply::complete(Raw::default()))
    }
}

fn tell_changes(back: &Backchannel, filter: &Filter, seen: [u64; 3], now: [u64; 3]) -> bool {
    let wanted = [
        (filter.tools, notice::TOOLS_CHANGED),
        (filter.prompts, notice::PROMPTS_CHANGED),
        (filter.resources, notice::RESOURCES_CHANGED),
    ];
    let changes = wanted.into_iter().zip(seen.into_iter().zip(now));
    changes
        .filter(|((wanted, _), (seen, now))| *wanted && seen != now)
        .all(|((_, method), _)| back.tell(method, Raw::default()))
}

/// The URIs of the filter by the mount that has them; one that no mount has is not honoured.
fn parts(snapshot: &Snapshot, view: &View, call: &Call, filter: &Filter) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for shown in &filter.uris {
        let Ok(target) = snapshot.uri(&call.endpoint, view, shown) else { continue };
        let pair = (shown.clone(), target.key);
        match parts.iter_mut().find(|part| part.place == target.place) {
            Some(part) if part.uris.contains(&pair) => {}
            Some(part) => part.uris.push(pair),
            None => parts.push(Part { place: target.place, uris: vec![pair] }),
        }
    }
    parts
}

/// A part that its child confirmed.
struct Opened {
    /// Where the mount is found anew: a reload may have put another in its place.
    current: Arc<ArcSwap<Snapshot>>,
    snapshot: Arc<Snapshot>,
    call: Call,
    part: Part,
    honoured: Vec<(String, String)>,
    notices: mpsc::Receiver<Notice>,
    serving: tokio_util::task::AbortOnDropHandle<()>,
}

/// Opens a child's part of a listen; `None` when it does not confirm it in [`ACK_WAIT`].
async fn open(
    current: Arc<ArcSwap<Snapshot>>,
    snapshot: Arc<Snapshot>,
    call: Call,
    part: Part,
) -> Option<Opened> {
    let mounted = Arc::clone(snapshot.mounts.get(part.place)?);
    let own: Vec<&str> = part.uris.iter().map(|(_, own)| own.as_str()).collect();
    let filter = ObjectWriter::new().raw("resourceSubscriptions", &Raw::of(&own)).finish();
    let (back, mut notices) = Backchannel::open();
    let inside = Call {
        params: ObjectWriter::new().raw("notifications", &filter).finish(),
        back,
        ..call.clone()
    };
    let serving = tokio::spawn(async move {
        // Its end, however it comes, shows in the notices: the backchannel closes.
        let _ended = mounted.serve.serve(inside).await;
    });
    let serving = tokio_util::task::AbortOnDropHandle::new(serving);
    let first = timeout(ACK_WAIT, notices.recv()).await.ok()??;
    if first.method != notice::ACKNOWLEDGED {
        return None;
    }
    let told = confirmed(&first.params);
    let honoured: Vec<_> =
        part.uris.iter().filter(|(_, own)| told.contains(own)).cloned().collect();
    let is_any = !honoured.is_empty();
    is_any.then_some(Opened { current, snapshot, call, part, honoured, notices, serving })
}

fn confirmed(params: &Raw) -> Vec<String> {
    let inside = json::Members::read(params).ok();
    let inside = inside.and_then(|members| members.get("notifications"));
    let inside = inside.and_then(|text| json::Members::read(text).ok());
    let list = inside.and_then(|members| members.get("resourceSubscriptions"));
    list.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl Opened {
    /// The same part, opened once more at the mount that has the name now.
    async fn again(&self) -> Option<Opened> {
        let now = self.current.load_full();
        let name = &self.snapshot.mounts.get(self.part.place)?.name;
        let place = now.mounts.iter().position(|mount| mount.name == *name)?;
        let part = Part { place, uris: self.honoured.clone() };
        open(Arc::clone(&self.current), now, self.call.clone(), part).await
    }

    /// Passes updates on until the client leaves. A part that is lost is opened again, with
    /// growing pauses; since updates in between are lost, each URI then counts as updated.
    async fn keep(mut self, updates: mpsc::Sender<Raw>) {
        let mut pause = REOPEN_PAUSE_MIN;
        loop {
            while let Some(told) = self.notices.recv().await {
                if told.method == notice::RESOURCE_UPDATED {
                    pause = REOPEN_PAUSE_MIN;
                    let (view, place) = (self.snapshot.view(&self.call.endpoint), self.part.place);
                    let named = |own: &str| {
                        let pair = self.honoured.iter().find(|(_, honoured)| honoured == own);
                        pair.map(|(shown, _)| shown.clone())
                    };
                    let shown =
                        |own: &str| named(own).or_else(|| self.snapshot.exposed(view?, place, own));
                    let told = rewrite::uri_member(&told.params, &shown);
                    if updates.send(told).await.is_err() {
                        return;
                    }
                }
            }
            self.serving.abort();
            let reopened = loop {
                sleep(pause).await;
                pause = (pause * 2).min(REOPEN_PAUSE_MAX);
                if let Some(again) = self.again().await {
                    break again;
                }
            };
            self = reopened;
            for (shown, _) in &self.honoured {
                let update = ObjectWriter::new().string("uri", shown).finish();
                if updates.send(update).await.is_err() {
                    return;
                }
            }
        }
    }
}
