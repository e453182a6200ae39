//! Subscriptions to single resources of a legacy child, shared by all who listen to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::json::ObjectWriter;
use protocol::{ErrorObject, Method, Raw};
use tokio::sync::OnceCell;

use super::audience::Audience;
use super::wire::Wire;
use crate::call::{Fault, Kind};

/// What one connection is subscribed to, and who listens.
#[derive(Default)]
pub(super) struct Subscriptions {
    uris: Mutex<HashMap<String, Shared>>,
    pub(super) audience: Audience,
}

struct Shared {
    holders: usize,
    /// Set by the first holder: why the child did not take the subscription, if so.
    taken: Arc<OnceCell<Option<ErrorObject>>>,
}

/// One listener's share in the subscription of one URI; dropping the last unsubscribes.
pub(super) struct Share<'a> {
    all: &'a Subscriptions,
    wire: &'a Wire,
    uri: String,
    taken: Arc<OnceCell<Option<ErrorObject>>>,
}

impl Subscriptions {
    /// Subscribes to `uri` unless somebody here has.
    ///
    /// # Errors
    /// The child's refusal, or why it was not asked.
    pub(super) async fn share<'a>(
        &'a self,
        wire: &'a Wire,
        uri: String,
    ) -> Result<Share<'a>, Fault> {
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
            Ok::<_, Fault>(wire.request(id, &Method::Subscribe, &params, None).await?.err())
        };
        let refusal = share.taken.get_or_try_init(subscribe).await?.clone();
        match refusal {
            None => Ok(share),
            Some(refusal) => {
                let text = refusal.message.clone();
                Err(Fault::new(Kind::Child(refusal), text))
            }
        }
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
        if !matches!(self.taken.get(), Some(Some(_))) {
            self.wire.request_unwaited(&Method::Unsubscribe, &uri_params(&self.uri));
        }
    }
}

fn uri_params(uri: &str) -> Raw {
    ObjectWriter::new().string("uri", uri).finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
