//! Subscriptions to single resources of a legacy child, shared by all who listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::json::ObjectWriter;
use protocol::{Method, Raw};
use tokio::time::timeout;

use super::faults::unreachable;
use super::legacy::Legacy;
use super::session::Session;
use super::stream::Stream;
use crate::call::{Call, Fault, Reply};
use crate::connect::audience::{Audience, asked_uris};

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
    pub(super) audience: Audience,
}

/// How it stands with one URI.
#[derive(Debug, Default)]
struct Holding {
    holders: usize,
    /// The child said that it tells of changes.
    subscribed: bool,
}

impl Subscriptions {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Holding>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The child did not take the subscription to `uri` again: it counts as none, and the listens
    /// that hold it end, so that who listens asks anew or learns of the refusal.
    fn refused(&self, uri: &str) {
        if let Some(holding) = self.held().get_mut(uri) {
            holding.subscribed = false;
        }
        self.audience.refused(uri);
    }

    /// Tells everyone of everything: events were lost.
    pub(super) fn all_updated(&self) {
        self.audience.all_updated(&self.audience.uris());
    }
}

fn named(uri: &str) -> Raw {
    ObjectWriter::new().string("uri", uri).finish()
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
    let asked = asked_uris(&call.params)?;
    // Before the subscriptions, so that no update falls between their answers and this.
    let listening = child.subscriptions.audience.join(asked.clone(), call.back.clone());
    let mut parts = Vec::new();
    if child.session().about.capabilities.subscribe && has_stream(child).await {
        for uri in &asked {
            parts.extend(hold(child, uri).await);
        }
    }
    if !listening.acknowledge(parts.iter().map(|part| part.uri.clone()).collect()) {
        return Ok(Reply::complete(Raw::default()));
    }
    tokio::select! {
        () = listening.over() => Ok(Reply::complete(Raw::default())),
        why = child.life.lost() => Err(unreachable(child.client.mount(), &why)),
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
