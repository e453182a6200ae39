//! Subscriptions of a legacy session to single resources, which come back after a restart.

use std::sync::{Arc, Weak};
use std::time::Duration;

use protocol::json::{Members, ObjectWriter};
use protocol::{Method, Raw};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::front::{Front, Held};
use super::ledger::Change;
use super::live::{Live, SUBSCRIPTIONS_MAX, updated};
use super::sessions::Session;
use crate::call::{Fault, Kind, Reply};

/// How long a subscription may take to be confirmed.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(15);
/// The first and the longest pause before a subscription of before is tried again: its child may
/// not be there yet.
const AGAIN_PAUSE_MIN: Duration = Duration::from_millis(500);
const AGAIN_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A listen of a session; it ends when this is dropped.
type Listening = AbortOnDropHandle<()>;

impl Front {
    /// `resources/subscribe` and `resources/unsubscribe`: a listen of the session's own.
    pub(super) async fn subscription(
        self: &Arc<Self>,
        held: &Held,
        method: &Method,
        params: &Raw,
    ) -> Result<Reply, Fault> {
        let members = Members::read(params).map_err(|fault| Fault::invalid(fault.0))?;
        let Some(uri) = members.get_string("uri") else {
            return Err(Fault::invalid("params.uri: expected a string"));
        };
        let done = Ok(Reply::complete(Raw::default()));
        if *method == Method::Unsubscribe {
            held.live.unsubscribe(&uri);
            self.note(held, Change::Unsubscribed(uri.into_owned())).await;
            return done;
        }
        let known = held.live.subscriptions.get(uri.as_ref());
        if known.is_some_and(|task| !task.is_finished()) {
            return done;
        }
        if held.live.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(Fault::new(
                Kind::Limited { retry_after: None },
                format!("this session has {SUBSCRIPTIONS_MAX} subscriptions, which is the limit"),
            ));
        }
        let Some(subscribed) = self.subscribed(held, &uri) else {
            let max = self.settings.listens_max;
            let text = format!(
                "{max} streams of notifications are open, which is the limit (listens_max); try \
                 again later"
            );
            return Err(Fault::new(Kind::Limited { retry_after: None }, text));
        };
        match subscribed.await {
            Ok(task) => {
                held.live.subscriptions.insert(uri.to_string(), task);
                self.note(held, Change::Subscribed(uri.into_owned())).await;
                done
            }
            Err(Some(fault)) => Err(fault),
            Err(None) => {
                let text = format!("`{uri}` cannot be subscribed to: no mount confirmed it");
                Err(Fault::new(Kind::Invalid { uri: Some(uri.into_owned()) }, text))
            }
        }
    }

    /// Opens a listen to one resource; what comes of it is a fault, or none where it is refused.
    /// `None` when there is no place for one more session that listens.
    fn subscribed(
        self: &Arc<Self>,
        held: &Held,
        uri: &str,
    ) -> Option<impl Future<Output = Result<Listening, Option<Fault>>> + Send + use<>> {
        let place = held.live.place_among(&self.listens)?;
        let wanted = Raw::of(&[uri]);
        let filter = ObjectWriter::new().raw("resourceSubscriptions", &wanted).finish();
        let filter = ObjectWriter::new().raw("notifications", &filter).finish();
        let (confirmed, confirmation) = oneshot::channel();
        let task = self.listen_for(held, filter, Some((confirmed, place)), false);
        Some(async move {
            match timeout(SUBSCRIBE_WAIT, confirmation).await {
                Ok(Ok(Ok(true))) => Ok(task),
                Ok(Ok(Err(fault))) => Err(Some(fault)),
                _ => Err(None),
            }
        })
    }

    /// Keeps in mind what the session asked for, where it outlives this gateway.
    pub(super) async fn note(&self, held: &Held, change: Change) {
        if let Some(stamp) = held.live.stamp {
            self.sessions.ledger.note(stamp, change).await;
        }
    }

    /// Subscribes to what the session subscribed to before its memory was made anew: each is told
    /// as updated once it is confirmed, since nobody told of it meanwhile.
    pub(super) fn subscribe_again(self: &Arc<Self>, held: &Held) {
        for uri in held.live.take_asked_before() {
            if held.live.subscriptions.contains_key(&uri) {
                continue;
            }
            // The session owns the task and the task must not own the session.
            let live = Arc::downgrade(&held.live);
            let again = again(Arc::clone(self), held.session.clone(), live, uri.clone());
            let task = tokio::spawn(again);
            held.live.subscriptions.insert(uri, AbortOnDropHandle::new(task));
        }
    }
}

/// Subscribes until it is confirmed, and again when that ends.
async fn again(front: Arc<Front>, session: Session, live: Weak<Live>, uri: String) {
    let mut pause = AGAIN_PAUSE_MIN;
    loop {
        let subscribed = {
            let Some(live) = live.upgrade() else { return };
            let held = Held { session: session.clone(), live, streams: true, resumes: true };
            front.subscribed(&held, &uri)
        };
        let listen = match subscribed {
            Some(subscribed) => subscribed.await.ok(),
            None => None,
        };
        if let Some(listen) = listen {
            if let Some(live) = live.upgrade() {
                live.tell(updated(&uri));
            }
            // However it ends, it is opened again.
            let _ended = listen.await;
            pause = AGAIN_PAUSE_MIN;
        }
        sleep(pause).await;
        pause = (pause * 2).min(AGAIN_PAUSE_MAX);
    }
}
