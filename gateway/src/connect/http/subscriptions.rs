//! Subscriptions to single resources of a legacy child, shared by all who listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use protocol::json::ObjectWriter;
use protocol::{Method, Raw};
use tokio::time::timeout;

use super::faults::unreachable;
use super::legacy::Legacy;
use super::session::Session;
use crate::call::{Call, Fault, Kind, Reply};
use crate::connect::audience::{AT_ONCE_MAX, Audience, TAKEN_WAIT, asked_uris, taken};

/// Resources subscribed to at one child; more are not honoured.
const SUBSCRIBED_MAX: usize = 1000;
/// The longest wait for the answer to a subscription in a new session.
const WAIT: Duration = Duration::from_secs(10);

/// Who listens to what.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    held: Mutex<HashMap<String, Holding>>,
    pub(super) audience: Audience,
}

/// How it stands with one URI.
#[derive(Debug, Default)]
struct Holding {
    holders: usize,
    told: Told,
    /// Held while the child is told, so that it is told in order.
    wire: Arc<tokio::sync::Mutex<()>>,
}

/// What the child was told of one URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    /// Nothing that holds.
    #[default]
    Nothing,
    /// It was asked, and has not answered.
    Asked,
    /// It said that it tells of changes.
    Subscribed,
}

impl Subscriptions {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Holding>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The child did not take the subscription to `uri` again: it counts as none, and the listens
    /// that hold it end, so that who listens asks anew or learns of the refusal.
    fn refused(&self, uri: &str) {
        self.told(uri, Told::Nothing);
        self.audience.refused(uri);
    }

    fn told(&self, uri: &str, told: Told) {
        if let Some(holding) = self.held().get_mut(uri) {
            holding.told = told;
        }
    }

    /// The child forgot what it was told: who comes now tells it by itself, and [`again`] does so
    /// for those who are there.
    pub(super) fn forgotten(&self) {
        for holding in self.held().values_mut() {
            holding.told = Told::Nothing;
        }
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
            drop(held);
            let (child, uri) = (Arc::clone(self.child), std::mem::take(&mut self.uri));
            self.child.life.errand(async move { unsubscribe(&child, &uri).await });
        }
    }
}

/// Ends a subscription that nobody has taken up again meanwhile.
async fn unsubscribe(child: &Arc<Legacy>, uri: &str) {
    let Some(wire) = child.subscriptions.held().get(uri).map(|holding| Arc::clone(&holding.wire))
    else {
        return;
    };
    let _wire = wire.lock().await;
    let unused = |holding: &&mut Holding| holding.holders == 0;
    let was = {
        let mut held = child.subscriptions.held();
        let Some(holding) = held.get_mut(uri).filter(unused) else { return };
        std::mem::replace(&mut holding.told, Told::Nothing)
    };
    if was != Told::Nothing {
        let session = child.session();
        let done = child.once(Method::Unsubscribe, named(uri), &session).await;
        tracing::debug!(done, "a subscription is given back");
    }
    let mut held = child.subscriptions.held();
    if held.get_mut(uri).filter(unused).is_some() {
        held.remove(uri);
    }
}

/// Takes part in the subscription to `uri`.
///
/// # Errors
/// The child's refusal, or why it was not asked.
async fn hold(child: &Arc<Legacy>, uri: String) -> Result<Part<'_>, Fault> {
    let (part, wire) = {
        let mut held = child.subscriptions.held();
        if held.len() >= SUBSCRIBED_MAX {
            held.retain(|known, holding| holding.holders > 0 || *known == uri);
        }
        if held.len() >= SUBSCRIBED_MAX && !held.contains_key(&uri) {
            let text = format!(
                "{SUBSCRIBED_MAX} resources of this server are subscribed to, which is the limit"
            );
            return Err(Fault::new(Kind::Limited { retry_after: None }, text));
        }
        let holding = held.entry(uri.clone()).or_default();
        holding.holders += 1;
        let wire = (holding.told != Told::Subscribed).then(|| Arc::clone(&holding.wire));
        (Part { child, uri }, wire)
    };
    let Some(wire) = wire else { return Ok(part) };
    let _wire = wire.lock().await;
    let tell = |told: Told| {
        let mut held = child.subscriptions.held();
        held.get_mut(&part.uri).map(|holding| std::mem::replace(&mut holding.told, told))
    };
    if tell(Told::Asked) == Some(Told::Subscribed) {
        tell(Told::Subscribed);
        return Ok(part);
    }
    match child.own(Method::Subscribe, named(&part.uri)).await {
        Ok(_) => {
            tell(Told::Subscribed);
            Ok(part)
        }
        Err(fault) => {
            if matches!(fault.kind, Kind::Child(_)) {
                tell(Told::Nothing);
            }
            Err(fault)
        }
    }
}

/// Answers a listen: subscribes, acknowledges, and tells of updates until it is dropped.
pub(super) async fn listen(child: &Arc<Legacy>, call: &Call) -> Result<Reply, Fault> {
    let asked = asked_uris(&call.params)?;
    // Before the subscriptions, so that no update falls between their answers and this.
    let listening = child.subscriptions.audience.join(asked.clone(), call.back.clone());
    let parts = match child.session().about.capabilities.subscribe
        && child.stream_known(TAKEN_WAIT).await
    {
        true => {
            let holding = asked.into_iter().map(|uri| hold(child, uri));
            taken(call, child.client.mount(), holding).await?
        }
        false => Vec::new(),
    };
    if !listening.acknowledge(parts.iter().map(|part| part.uri.clone()).collect()) {
        return Ok(Reply::complete(Raw::default()));
    }
    tokio::select! {
        () = listening.over() => Ok(Reply::complete(Raw::default())),
        why = child.life.lost() => Err(unreachable(child.client.mount(), &why)),
    }
}

/// Subscribes anew in a new session.
pub(super) async fn again(child: Arc<Legacy>, session: Arc<Session>) {
    let used: Vec<(String, Arc<tokio::sync::Mutex<()>>)> = {
        let held = child.subscriptions.held();
        let used = held.iter().filter(|(_, holding)| holding.holders > 0);
        used.map(|(uri, holding)| (uri.clone(), Arc::clone(&holding.wire))).collect()
    };
    let subscribing = used.into_iter().map(|(uri, wire)| {
        let (child, session) = (&child, &session);
        async move {
            let _wire = wire.lock().await;
            let subscribing = child.once(Method::Subscribe, named(&uri), session);
            match timeout(WAIT, subscribing).await {
                Ok(true) => child.subscriptions.told(&uri, Told::Subscribed),
                _ => child.subscriptions.refused(&uri),
            }
        }
    });
    stream::iter(subscribing).buffer_unordered(AT_ONCE_MAX).for_each(async |()| {}).await;
    child.subscriptions.all_updated();
}
