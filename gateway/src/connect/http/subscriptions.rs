//! Subscriptions to single resources of a legacy child, shared by all who listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::{self, Members, ObjectWriter};
use protocol::method::notice;
use protocol::{Method, Raw};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::faults::unreachable;
use super::legacy::Legacy;
use super::session::Session;
use super::stream::Stream;
use crate::call::{Backchannel, Call, Fault, Reply};

/// Resources subscribed to at one child; more are not honoured.
const SUBSCRIBED_MAX: usize = 1000;
/// The longest wait until the child's stream is open, and for the answer to a subscription.
const WAIT: Duration = Duration::from_secs(10);

/// Who listens to what.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    held: Mutex<HashMap<String, Holding>>,
    /// Held while the child is told, so that it is told in order.
    wire: tokio::sync::Mutex<()>,
    listeners: Mutex<Listeners>,
}

/// How it stands with one URI.
#[derive(Debug, Default)]
struct Holding {
    holders: usize,
    /// The child said that it tells of changes.
    subscribed: bool,
}

#[derive(Debug, Default)]
struct Listeners {
    next: u64,
    by_number: HashMap<u64, Listener>,
}

#[derive(Debug)]
struct Listener {
    uris: Vec<String>,
    back: Backchannel,
    /// An event was lost: this listen ends.
    end: Arc<Notify>,
}

impl Subscriptions {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Holding>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who listen to the resource that `params` name, or to one above it.
    pub(super) fn updated(&self, params: Raw) {
        let members = Members::read(&params).ok();
        let Some(uri) = members.and_then(|members| members.get_string("uri")) else { return };
        for listener in self.listeners().by_number.values() {
            if listener.uris.iter().any(|above| covers(above, &uri)) {
                listener.tell(params.clone());
            }
        }
    }

    /// The child did not take the subscription to `uri` again: it counts as none, and the listens
    /// that hold it end, so that who listens asks anew or learns of the refusal.
    fn refused(&self, uri: &str) {
        if let Some(holding) = self.held().get_mut(uri) {
            holding.subscribed = false;
        }
        for listener in self.listeners().by_number.values() {
            if listener.uris.iter().any(|held| held == uri) {
                listener.end.notify_one();
            }
        }
    }

    /// Tells everyone of everything: events were lost.
    pub(super) fn all_updated(&self) {
        for listener in self.listeners().by_number.values() {
            for uri in &listener.uris {
                listener.tell(named(uri));
            }
        }
    }
}

impl Listener {
    fn tell(&self, params: Raw) {
        if !self.back.tell(notice::RESOURCE_UPDATED, params) {
            self.end.notify_one();
        }
    }
}

/// Whether `uri` is the subscribed one or one below it.
fn covers(subscribed: &str, uri: &str) -> bool {
    let rest = uri.strip_prefix(subscribed);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || subscribed.ends_with('/'))
}

fn named(uri: &str) -> Raw {
    ObjectWriter::new().string("uri", uri).finish()
}

/// The URIs that a listen asks for, each once.
fn asked(params: &Raw) -> Vec<String> {
    let params = Members::read(params).ok();
    let filter = params.as_ref().and_then(|params| params.get("notifications"));
    let filter = filter.and_then(|text| Members::read(text).ok());
    let list = filter.and_then(|filter| filter.get("resourceSubscriptions"));
    let mut uris: Vec<String> = Vec::new();
    for text in list.and_then(json::elements).unwrap_or_default() {
        match json::string(text) {
            Some(uri) if !uris.iter().any(|known| *known == *uri) => uris.push(uri.into_owned()),
            _ => {}
        }
    }
    uris
}

/// One holder's part in a subscription; the last one dropped ends it.
struct Part<'a> {
    child: &'a Arc<Legacy>,
    uri: String,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut held = self.child.subscriptions.held();
        let Some(holding) = held.get_mut(&self.uri) else { return };
        holding.holders = holding.holders.saturating_sub(1);
        if holding.holders == 0 {
            let (child, uri) = (Arc::clone(self.child), std::mem::take(&mut self.uri));
            self.child.life.errand(async move { unsubscribe(&child, &uri).await });
        }
    }
}

/// Ends a subscription that nobody has taken up again meanwhile.
async fn unsubscribe(child: &Arc<Legacy>, uri: &str) {
    let _wire = child.subscriptions.wire.lock().await;
    let ended = {
        let mut held = child.subscriptions.held();
        let unused = held.get(uri).is_some_and(|holding| holding.holders == 0);
        if unused { held.remove(uri) } else { None }
    };
    if ended.is_some_and(|holding| holding.subscribed) {
        let session = child.session();
        let done = child.once(Method::Unsubscribe, named(uri), &session).await;
        tracing::debug!(done, "a subscription is given back");
    }
}

/// Takes part in the subscription to `uri`; `None` when the child refuses it.
async fn hold<'a>(child: &'a Arc<Legacy>, uri: &str) -> Option<Part<'a>> {
    let _wire = child.subscriptions.wire.lock().await;
    let (part, subscribed) = {
        let mut held = child.subscriptions.held();
        if held.len() >= SUBSCRIBED_MAX {
            held.retain(|known, holding| holding.holders > 0 || known == uri);
        }
        if held.len() >= SUBSCRIBED_MAX && !held.contains_key(uri) {
            return None;
        }
        let holding = held.entry(uri.to_owned()).or_default();
        holding.holders += 1;
        (Part { child, uri: uri.to_owned() }, holding.subscribed)
    };
    if !subscribed {
        let subscribing = child.own(Method::Subscribe, named(uri));
        timeout(WAIT, subscribing).await.ok()?.ok()?;
        if let Some(holding) = child.subscriptions.held().get_mut(uri) {
            holding.subscribed = true;
        }
    }
    Some(part)
}

/// Answers a listen: subscribes, acknowledges, and tells of updates until it is dropped.
pub(super) async fn listen(child: &Arc<Legacy>, call: &Call) -> Result<Reply, Fault> {
    let mut parts = Vec::new();
    if child.session().about.capabilities.subscribe && has_stream(child).await {
        for uri in asked(&call.params) {
            parts.extend(hold(child, &uri).await);
        }
    }
    let uris: Vec<String> = parts.iter().map(|part| part.uri.clone()).collect();
    let quoted: Vec<String> = uris.iter().map(|uri| json::quoted(uri)).collect();
    let list = json::array(quoted.iter().map(String::as_str));
    let honoured = ObjectWriter::new().raw("resourceSubscriptions", &list).finish();
    let params = ObjectWriter::new().raw("notifications", &honoured).finish();
    let end = Arc::new(Notify::new());
    let _listening = {
        // Under the lock, so that nothing is told before the acknowledgement.
        let mut listeners = child.subscriptions.listeners();
        if !call.back.tell(notice::ACKNOWLEDGED, params) {
            return Ok(Reply::complete(Raw::default()));
        }
        let number = listeners.next;
        listeners.next += 1;
        let listener = Listener { uris, back: call.back.clone(), end: Arc::clone(&end) };
        listeners.by_number.insert(number, listener);
        Listening { child, number }
    };
    tokio::select! {
        () = end.notified() => Ok(Reply::complete(Raw::default())),
        why = child.life.lost() => Err(unreachable(child.client.mount(), &why)),
    }
}

struct Listening<'a> {
    child: &'a Arc<Legacy>,
    number: u64,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.child.subscriptions.listeners().by_number.remove(&self.number);
    }
}

/// Updates come on the child's own stream; without one, nothing can be honoured (check 134).
async fn has_stream(child: &Legacy) -> bool {
    let mut stream = child.stream.subscribe();
    let known = timeout(WAIT, stream.wait_for(|stream| *stream != Stream::Opening)).await;
    !matches!(known, Ok(Ok(stream)) if *stream == Stream::Absent)
}

/// Subscribes anew in a new session.
pub(super) async fn again(child: Arc<Legacy>, session: Arc<Session>) {
    let wire = child.subscriptions.wire.lock().await;
    let uris: Vec<String> = {
        let held = child.subscriptions.held();
        let used = held.iter().filter(|(_, holding)| holding.holders > 0);
        used.map(|(uri, _)| uri.clone()).collect()
    };
    for uri in uris {
        let subscribing = child.once(Method::Subscribe, named(&uri), &session);
        if !timeout(WAIT, subscribing).await.unwrap_or(false) {
            child.subscriptions.refused(&uri);
        }
    }
    drop(wire);
    child.subscriptions.all_updated();
}
