//! `subscriptions/listen`: the gateway's own changes and the children's updates on one backchannel.

use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::json::{self, ObjectWriter};
use protocol::method::notice;
use protocol::{Raw, task};
use tokio::sync::mpsc;

use super::answer::read_params;
use super::part::{Honoured, open, parts};
use super::router::Router;
use super::tasks;
use crate::call::{Backchannel, Call, Fault, Reply};

/// URIs one listen may subscribe to.
const LISTEN_URIS_MAX: usize = 1000;
/// Updates of all children together that may wait for the client.
const UPDATES_QUEUED_MAX: usize = 256;

/// What a client wants to hear (digest 1.14).
#[derive(Debug, Clone, Default)]
struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: Vec<String>,
    /// Tasks, where any are named at all.
    tasks: Option<Vec<String>>,
}

impl Filter {
    fn read(call: &Call) -> Result<Self, Fault> {
        let params = read_params(&call.params)?;
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
            tasks: tasks::listened(call)?,
        })
    }

    /// The params of the acknowledgement, with what children confirmed.
    fn acknowledgement(&self, honoured: &Honoured) -> Raw {
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
            inside = inside.raw("resourceSubscriptions", &Raw::of(&honoured.uris));
        }
        if self.tasks.is_some() {
            inside = inside.raw(task::IDS, &Raw::of(&honoured.tasks));
        }
        ObjectWriter::new().raw("notifications", &inside.finish()).finish()
    }
}

impl Router {
    /// Serves one listen until the client leaves, stops reading, or the gateway drains.
    pub(super) async fn listen(&self, call: Call) -> Result<Reply, Fault> {
        let filter = Filter::read(&call)?;
        if filter.tasks.is_some() {
            tasks::check_declared(&call)?;
        }
        let mut changed = self.changes();
        changed.mark_unchanged();
        let snapshot = self.snapshot();
        let Some(view) = snapshot.view(&call.endpoint) else { return Err(self.no_endpoint()) };
        let mut seen = view.digests();
        let (updates, mut updated) = mpsc::channel(UPDATES_QUEUED_MAX);
        let wanted = (&*filter.uris, filter.tasks.as_deref().unwrap_or_default());
        let opening = parts(&snapshot, view, &call, wanted)
            .into_iter()
            .map(|part| open(self.current(), Arc::clone(&snapshot), call.clone(), part));
        let mut open = FuturesUnordered::new();
        let mut honoured = Honoured::default();
        for opened in join_all(opening).await {
            match opened {
                Ok(opened) => {
                    honoured.add(&opened);
                    open.push(opened.keep(updates.clone()));
                }
                Err(Some(fault)) if call.whole => return Err(fault),
                Err(_) => {}
            }
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
                Some((method, params)) = updated.recv() => call.back.tell(method, params),
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
