//! Subscriptions to single resources of a legacy child, shared by all who listen to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::json::ObjectWriter;
use protocol::method::notice;
use protocol::{Method, Raw};
use tokio::sync::{Notify as Pulse, OnceCell};

use super::wire::Wire;
use crate::call::Backchannel;

/// Who listens to what on one connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    uris: Mutex<HashMap<String, Shared>>,
    listeners: Mutex<HashMap<u64, Listener>>,
}

struct Shared {
    holders: usize,
    /// Set by the first holder: whether the child took the subscription.
    taken: Arc<OnceCell<bool>>,
}

struct Listener {
    /// What was asked for; once acknowledged, what is honoured.
    uris: Vec<String>,
    back: Backchannel,
    /// Updates that came before the acknowledgement, one for each URI.
    held: Option<Vec<(String, Raw)>>,
    full: Arc<Pulse>,
}

/// Updates that a listen holds back until it is acknowledged.
const UPDATES_HELD_MAX: usize = 64;

/// One listener's share in the subscription of one URI; dropping the last unsubscribes.
pub(super) struct Share<'a> {
    all: &'a Subscriptions,
    wire: &'a Wire,
    uri: String,
    taken: Arc<OnceCell<bool>>,
}

/// An open listen; dropping it closes it.
pub(super) struct Listening<'a> {
    all: &'a Subscriptions,
    id: u64,
    /// Rings when the listener has not taken its notices and gets no more.
    pub(super) full: Arc<Pulse>,
}

impl Subscriptions {
    /// Subscribes to `uri` unless somebody here has; `None` when the child refuses.
    pub(super) async fn share<'a>(&'a self, wire: &'a Wire, uri: String) -> Option<Share<'a>> {
        let taken = {
            let mut uris = lock(&self.uris);
            let fresh = || Shared { holders: 0, taken: Arc::default() };
            let shared = uris.entry(uri.clone()).or_insert_with(fresh);
            shared.holders += 1;
            shared.taken.clone()
        };
        let share = Share { all: self, wire, uri, taken };
        let subscribe = || async {
            let params = uri_params(&share.uri);
            let id = wire.fresh_id();
            matches!(wire.request(id, &Method::Subscribe, &params, None).await, Ok(Ok(_)))
        };
        let taken = *share.taken.get_or_init(subscribe).await;
        taken.then_some(share)
    }

    /// Hears updates of `uris` for `back` from now on, but tells of none before
    /// [`Listening::acknowledge`].
    pub(super) fn listen(&self, id: u64, uris: Vec<String>, back: Backchannel) -> Listening<'_> {
        let full = Arc::new(Pulse::new());
        let listener = Listener { uris, back, held: Some(Vec::new()), full: full.clone() };
        lock(&self.listeners).insert(id, listener);
        Listening { all: self, id, full }
    }

    /// Passes an update of `uri` to those who subscribed to it or to what it is a part of.
    pub(super) fn updated(&self, uri: &str, params: &Raw) {
        lock(&self.listeners).retain(|_, listener| listener.updated(uri, params));
    }
}

impl Listener {
    /// `false` when the listener takes no more.
    fn updated(&mut self, uri: &str, params: &Raw) -> bool {
        if !self.uris.iter().any(|subscribed| covers(subscribed, uri)) {
            return true;
        }
        if let Some(held) = &mut self.held {
            if held.len() < UPDATES_HELD_MAX && !held.iter().any(|(known, _)| known == uri) {
                held.push((uri.to_owned(), params.clone()));
            }
            return true;
        }
        let taken = self.back.tell(notice::RESOURCE_UPDATED, params.clone());
        if !taken {
            self.full.notify_one();
        }
        taken
    }
}

impl Listening<'_> {
    /// Tells the acknowledgement, then what came in the meantime of the URIs that are honoured;
    /// `false` when the listener does not even take that.
    pub(super) fn acknowledge(&self, honoured: Vec<String>, acknowledgement: Raw) -> bool {
        // Under the lock, so that no update overtakes the acknowledgement.
        let mut listeners = lock(&self.all.listeners);
        let Some(listener) = listeners.get_mut(&self.id) else { return false };
        listener.uris = honoured;
        let held = listener.held.take().unwrap_or_default();
        listener.back.tell(notice::ACKNOWLEDGED, acknowledgement)
            && held.iter().all(|(uri, params)| listener.updated(uri, params))
    }
}

impl Share<'_> {
    /// What is subscribed to.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut uris = lock(&self.all.uris);
        let Some(shared) = uris.get_mut(&self.uri) else { return };
        shared.holders -= 1;
        if shared.holders > 0 {
            return;
        }
        uris.remove(&self.uri);
        // Still under the lock: a later subscription is queued behind this. One that was dropped
        // before its answer may have been taken, so it is undone too.
        if self.taken.get() != Some(&false) {
            self.wire.request_unwaited(&Method::Unsubscribe, &uri_params(&self.uri));
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        lock(&self.all.listeners).remove(&self.id);
    }
}

fn uri_params(uri: &str) -> Raw {
    ObjectWriter::new().string("uri", uri).finish()
}

/// Whether `uri` is what was subscribed to, or a part of it (digest 1.14).
fn covers(subscribed: &str, uri: &str) -> bool {
    uri.strip_prefix(subscribed)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || subscribed.ends_with('/'))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn c136_a_subscription_covers_its_parts_and_nothing_beside_them() {
        assert!(covers("file:///a", "file:///a"));
        assert!(covers("file:///a", "file:///a/b"));
        assert!(covers("file:///a/", "file:///a/b"));
        assert!(!covers("file:///a", "file:///ab"));
        assert!(!covers("file:///a/b", "file:///a"));
    }
}
