//! Finds out which request a server's notification belongs to, and puts it on that request's lane.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Raw;
use rmcp::model::{GetMeta, NumberOrString, ServerNotification, SubscriptionFilter};
use serde_json::Value;
use tokio::sync::oneshot;

use super::lane::{Change, Lane, NotTaken, SUB_RESOURCES_WAITING_MAX};
use super::line::Refusal;
use super::request::Severity;

pub(super) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const RESOURCE_UPDATED: &str = "notifications/resources/updated";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Listens open at one server at a time; the gateway needs a few, a runaway caller is stopped.
pub(super) const LISTENS_MAX: usize = 1024;

/// Where a notification's send has got to: queued, to be awaited, or not for anybody.
type Sent = Result<Option<oneshot::Receiver<()>>, Refusal>;

/// The request that a line of its own belongs to.
pub(super) struct Home {
    pub(super) id: i64,
    pub(super) lane: Arc<Lane>,
    /// The least severity that its caller wants to hear of.
    pub(super) severity: Severity,
}

/// What a listen has been promised.
#[derive(Default)]
struct Promised {
    lists: HashSet<&'static str>,
    resources: HashSet<String>,
}

struct Route {
    lane: Arc<Lane>,
    progress_token: Option<Value>,
    /// Set for a listen, empty until it is acknowledged.
    promised: Option<Promised>,
}

/// The requests in flight that a notification can belong to, by rmcp's request id.
///
/// It holds at most one entry for each request in flight, which the caller of the child bounds, and
/// at most [`LISTENS_MAX`] listens.
#[derive(Default)]
pub(super) struct Switchboard {
    routes: Mutex<HashMap<i64, Route>>,
}

impl Switchboard {
    fn routes(&self) -> MutexGuard<'_, HashMap<i64, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call; `progress_token` is the caller's own name for its progress.
    pub(super) fn add_call(&self, id: i64, lane: Arc<Lane>, progress_token: Option<Value>) {
        self.routes().insert(id, Route { lane, progress_token, promised: None });
    }

    /// Adds a listen; `false` when [`LISTENS_MAX`] are open.
    pub(super) fn add_listen(&self, id: i64, lane: Arc<Lane>) -> bool {
        let mut routes = self.routes();
        let open = routes.values().filter(|route| route.promised.is_some()).count();
        if open >= LISTENS_MAX {
            return false;
        }
        let promised = Some(Promised::default());
        routes.insert(id, Route { lane, progress_token: None, promised });
        true
    }

    /// Removes a request; nothing more is sent for it.
    pub(super) fn remove(&self, id: i64) {
        let route = self.routes().remove(&id);
        if let Some(route) = route {
            route.lane.abandon();
        }
    }

    /// Whether an acknowledged listen has been promised updates of `uri`.
    pub(super) fn is_watched(&self, uri: &str) -> bool {
        self.routes()
            .values()
            .filter_map(|route| route.promised.as_ref())
            .any(|promised| promised.resources.contains(uri))
    }

    /// Begins a listen: its acknowledgement is queued first, then events can follow.
    pub(super) fn acknowledge(&self, id: i64, filter: &SubscriptionFilter, params: Value) {
        if let Some(route) = self.routes().get_mut(&id)
            && route.promised.is_some()
        {
            route.promised = Some(Promised::of(filter));
            route.lane.acknowledge(ACKNOWLEDGED.to_owned(), Raw::of(&params));
        }
    }

    /// Takes what a server sent through a peer; `home` is set when the peer is one request's own.
    pub(super) fn take(&self, home: Option<&Home>, notification: ServerNotification) -> Sent {
        use ServerNotification as N;
        let listen = notification.get_meta().subscription_id();
        match &notification {
            N::ProgressNotification(progress) => {
                let NumberOrString::Number(id) = progress.params.progress_token.0 else {
                    return Ok(None);
                };
                self.progress(id, home, &notification)
            }
            N::LoggingMessageNotification(_) => match home {
                Some(home) if severity(&notification) >= Some(home.severity) => {
                    post(&home.lane, parts(&notification))
                }
                _ => Ok(None),
            },
            N::ToolListChangedNotification(_)
            | N::PromptListChangedNotification(_)
            | N::ResourceListChangedNotification(_)
            | N::ResourceUpdatedNotification(_) => {
                self.change(listen, &notification);
                Ok(None)
            }
            N::SubscriptionsAcknowledgedNotification(acknowledged) => {
                if let Some(NumberOrString::Number(id)) = listen {
                    let (_, params) = parts(&notification);
                    self.acknowledge(id, &acknowledged.params.notifications, params);
                }
                Ok(None)
            }
            N::CancelledNotification(cancelled) => {
                if let Some(NumberOrString::Number(id)) = cancelled.params.request_id {
                    self.end(id);
                }
                Ok(None)
            }
            _ => match home {
                Some(home) => post(&home.lane, parts(&notification)),
                None => {
                    let (method, _) = parts(&notification);
                    tracing::debug!(method, "dropped: it names no request it could belong to");
                    Ok(None)
                }
            },
        }
    }

    fn progress(&self, id: i64, home: Option<&Home>, notification: &ServerNotification) -> Sent {
        if home.is_some_and(|home| home.id != id) {
            return Ok(None);
        }
        let found = self.routes().get(&id).and_then(|route| {
            let token = route.progress_token.clone()?;
            Some((route.lane.clone(), token))
        });
        let Some((lane, token)) = found else {
            return Ok(None);
        };
        let (method, mut params) = parts(notification);
        if let Some(token_now) = params.get_mut("progressToken") {
            *token_now = token;
        }
        post(&lane, (method, params))
    }

    /// Tells the listen that is named, or else every listen that was promised such changes.
    fn change(&self, listen: Option<NumberOrString>, notification: &ServerNotification) {
        let (method, params) = parts(notification);
        let raw = Raw::of(&params);
        let uri = match notification {
            ServerNotification::ResourceUpdatedNotification(updated) => Some(&updated.params.uri),
            _ => None,
        };
        let routes = self.routes();
        let named = match listen {
            None => None,
            Some(NumberOrString::Number(id)) => Some(id),
            Some(NumberOrString::String(_)) => return,
        };
        for (id, route) in routes.iter() {
            let Some(promised) = &route.promised else { continue };
            if named.is_some_and(|named| named != *id) {
                continue;
            }
            match uri {
                None => {
                    if let Some(list) = promised.lists.get(method.as_str()) {
                        route.lane.report(Change::List(list), method.clone(), raw.clone());
                    }
                }
                Some(uri) => promised.report_update(&route.lane, uri, &raw),
            }
        }
    }

    /// The server ends a listen that it serves; anything else is not the server's to cancel.
    fn end(&self, id: i64) {
        if let Some(route) = self.routes().get(&id)
            && route.promised.is_some()
        {
            route.lane.close();
        }
    }
}

impl Promised {
    fn of(filter: &SubscriptionFilter) -> Self {
        let lists = [
            (filter.tools_list_changed, "notifications/tools/list_changed"),
            (filter.prompts_list_changed, "notifications/prompts/list_changed"),
            (filter.resources_list_changed, "notifications/resources/list_changed"),
        ];
        let lists = lists.into_iter().filter(|(wanted, _)| *wanted == Some(true));
        Self {
            lists: lists.map(|(_, method)| method).collect(),
            resources: filter.resource_subscriptions.iter().flatten().cloned().collect(),
        }
    }

    /// An update of a part counts as one of the whole that was subscribed to.
    fn report_update(&self, lane: &Lane, uri: &str, params: &Raw) {
        let method = RESOURCE_UPDATED.to_owned();
        if self.resources.contains(uri) {
            lane.report(Change::Resource(uri.to_owned()), method, params.clone());
            return;
        }
        let Some(whole) = self.resources.iter().find(|whole| is_part(uri, whole)) else {
            return;
        };
        if lane.waiting() < SUB_RESOURCES_WAITING_MAX {
            lane.report(Change::Resource(uri.to_owned()), method, params.clone());
        } else {
            let params = Raw::of(&serde_json::json!({ "uri": whole }));
            lane.report(Change::Resource(whole.clone()), method, params);
        }
    }
}

#[expect(deprecated, reason = "logging is deprecated in 2026-07-28, and still part of it")]
fn severity(notification: &ServerNotification) -> Option<Severity> {
    match notification {
        ServerNotification::LoggingMessageNotification(log) => Some(log.params.level as Severity),
        _ => None,
    }
}

fn is_part(uri: &str, whole: &str) -> bool {
    uri.strip_prefix(whole).is_some_and(|rest| whole.ends_with('/') || rest.starts_with('/'))
}

fn post(lane: &Lane, (method, params): (String, Value)) -> Sent {
    match lane.post(method, Raw::of(&params)) {
        Ok(delivered) => Ok(Some(delivered)),
        // Too late is nobody's fault: the answer may have overtaken the last report.
        Err(NotTaken::Over) => Ok(None),
        Err(NotTaken::Full) => Err(Refusal::TooMany),
    }
}

/// A notification's method and params as rmcp prints them, without rmcp's subscription id: whoever
/// serves the listen over a wire has an id of its own to set.
fn parts(notification: &ServerNotification) -> (String, Value) {
    let mut whole = serde_json::to_value(notification).unwrap_or_default();
    let method = whole.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut params = match whole.get_mut("params").map(Value::take) {
        Some(Value::Object(params)) => params,
        _ => serde_json::Map::new(),
    };
    if let Some(Value::Object(meta)) = params.get_mut("_meta") {
        meta.remove(SUBSCRIPTION_ID);
        if meta.is_empty() {
            params.remove("_meta");
        }
    }
    (method, Value::Object(params))
}
