//! What a legacy session hears outside its requests: list changes and updates of its subscriptions.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::json::{Members, ObjectEdit};
use protocol::{Method, Raw, envelope, meta, method::notice};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::front::{Front, Held};
use super::live::Live;
use super::replay::{Event, Place};
use super::resume::is_primed;
use crate::call::{Backchannel, Call, DynServe, Fault};

/// The one stream on which a session is told what belongs to no request.
pub struct Stream {
    live: Arc<Live>,
    queue: Option<OwnedMutexGuard<mpsc::Receiver<Bytes>>>,
    ended: CancellationToken,
    /// Whether what it says is kept for a client that comes back.
    kept: bool,
    /// Where the client comes back to.
    after: Option<Place>,
    /// What comes before the queue.
    first: VecDeque<Event>,
}

impl Stream {
    /// The stream of a session; one that was open before ends, since each message goes to exactly
    /// one (check 88).
    pub(super) fn take_over(held: &Held, after: Option<Place>) -> Self {
        let mut stream = Self::plain(&held.live);
        if is_primed(held) {
            stream.first.extend(after.is_none().then(|| held.live.replays.standing_place()));
        }
        Self { kept: true, after, ..stream }
    }

    /// The same on a channel that cannot be taken up again.
    pub(super) fn plain(live: &Arc<Live>) -> Self {
        let ended = live.take_over();
        let (queue, kept, after, first) = (None, false, None, VecDeque::new());
        Self { live: Arc::clone(live), queue, ended, kept, after, first }
    }

    /// The next message; `None` when the session or the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let ended = self.ended.clone();
        tokio::select! {
            biased;
            () = ended.cancelled() => None,
            event = self.event() => event,
        }
    }

    async fn event(&mut self) -> Option<Event> {
        if self.queue.is_none() {
            self.queue = Some(Arc::clone(&self.live.standing_out).lock_owned().await);
        }
        // Only now has the stream before this one said its last.
        if let Some(place) = self.after.take() {
            self.first.extend(self.live.replays.standing_after(place));
        }
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        let body = self.queue.as_mut()?.recv().await?;
        let event = self.said(body);
        // Behind all that found room.
        let drained = self.queue.as_ref().is_some_and(|queue| queue.is_empty());
        if drained && self.live.take_missed() {
            let changed = self.live.all_changed();
            let events: Vec<Event> = changed.into_iter().map(|body| self.said(body)).collect();
            self.first.extend(events);
        }
        Some(event)
    }

    fn said(&self, body: Bytes) -> Event {
        match self.kept {
            true => self.live.replays.stand(body),
            false => Event { id: None, body: Some(body) },
        }
    }
}

/// Hears whether any URI of a listen was honoured, or why it failed as a whole.
pub(super) type Confirmed = oneshot::Sender<Result<bool, Fault>>;

impl Front {
    /// Has the session told of list changes from now on; at once, where it missed some.
    pub(super) fn listen_to_lists(self: &Arc<Self>, held: &Held, missed: bool) {
        let mut lists = held.live.lists.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if missed || lists.as_ref().is_none_or(|task| task.is_finished()) {
            let filter = concat!(
                r#"{"notifications":{"toolsListChanged":true,"#,
                r#""promptsListChanged":true,"resourcesListChanged":true}}"#
            );
            *lists = Some(self.listen_for(held, Raw::from_static(filter), None, missed));
        }
    }

    /// Runs a listen for the session and puts what it tells on its standing stream. `confirmed`
    /// hears whether any URI was honoured. After `missed`, each list that is listened to is told
    /// as changed.
    pub(super) fn listen_for(
        self: &Arc<Self>,
        held: &Held,
        filter: Raw,
        confirmed: Option<(Confirmed, Arc<OwnedSemaphorePermit>)>,
        missed: bool,
    ) -> AbortOnDropHandle<()> {
        let (back, mut notices) = Backchannel::open();
        let whole = confirmed.is_some();
        let call = Call { params: filter, back, whole, ..held.call(Method::Listen) };
        let serve = Arc::clone(&self.serve);
        // The session owns the task and the task must not own the session.
        let live = Arc::downgrade(&held.live);
        let (mut confirmed, place) = confirmed.unzip();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let _place = place;
            let mut serving = serve.serve_boxed(call);
            loop {
                let told = tokio::select! {
                    ended = &mut serving => {
                        if let (Err(fault), Some(confirmed)) = (ended, confirmed) {
                            // Who asked may have been cancelled.
                            let _gone = confirmed.send(Err(fault));
                        }
                        return;
                    }
                    told = notices.recv() => told,
                };
                let Some(told) = told else { return };
                if told.method == notice::ACKNOWLEDGED {
                    let lists = lists_in(&told.params);
                    if let Some(live) = live.upgrade().filter(|_| !lists.is_empty()) {
                        live.hears_of(lists);
                        if missed {
                            live.all_changed().into_iter().for_each(|message| live.tell(message));
                        }
                    }
                    if let Some(confirmed) = confirmed.take() {
                        // Who asked may have been cancelled.
                        let _gone = confirmed.send(Ok(honours_uris(&told.params)));
                    }
                    continue;
                }
                let Some(live) = live.upgrade() else { return };
                live.tell(envelope::notification(
                    &told.method,
                    &without_subscription(&told.params),
                ));
            }
        }))
    }
}

/// The lists in an acknowledgement, by the notifications of their changes.
fn lists_in(params: &Raw) -> Vec<&'static str> {
    let inside = Members::read(params).ok().and_then(|members| members.get("notifications"));
    let Some(inside) = inside.and_then(|text| Members::read(text).ok()) else { return Vec::new() };
    let all = [
        ("toolsListChanged", notice::TOOLS_CHANGED),
        ("promptsListChanged", notice::PROMPTS_CHANGED),
        ("resourcesListChanged", notice::RESOURCES_CHANGED),
    ];
    let told = all.into_iter().filter(|(key, _)| inside.get(key) == Some("true"));
    told.map(|(_, method)| method).collect()
}

fn honours_uris(params: &Raw) -> bool {
    let inside = Members::read(params).ok().and_then(|members| members.get("notifications"));
    let inside = inside.and_then(|text| Members::read(text).ok());
    let list = inside.and_then(|members| members.get("resourceSubscriptions"));
    list.is_some_and(|text| text != "[]")
}

/// A legacy client knows no subscription ids.
fn without_subscription(params: &Raw) -> Raw {
    let Ok(members) = Members::read(params) else { return params.clone() };
    let inside = members.get("_meta").and_then(|text| Members::read(text).ok());
    let Some(inside) = inside.filter(|inside| inside.get(meta::SUBSCRIPTION).is_some()) else {
        return params.clone();
    };
    let mut edit = ObjectEdit::new(&members);
    match inside.len() {
        1 => edit.remove("_meta"),
        _ => edit.set("_meta", ObjectEdit::new(&inside).remove(meta::SUBSCRIPTION).finish()),
    };
    edit.finish_raw()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::method::notice;
    use protocol::{Raw, envelope};

    use super::{Live, Stream};
    use crate::session::live::STANDING_QUEUED_MAX;
    use crate::session::replay::Replays;

    #[tokio::test]
    async fn what_found_no_room_is_made_good_for_behind_what_did() {
        let live = Live::new(Replays::none());
        live.hears_of(vec![notice::TOOLS_CHANGED, notice::PROMPTS_CHANGED]);
        let update = Bytes::from_static(b"an update");
        for _ in 0..1000 {
            live.tell(update.clone());
        }
        let mut stream = Stream::plain(&live);
        let mut said = Vec::new();
        for _ in 0..STANDING_QUEUED_MAX + 2 {
            said.extend(stream.next().await.and_then(|event| event.body));
        }
        let changed = |method| envelope::notification(method, &Raw::default());
        assert_eq!(said.pop(), Some(changed(notice::PROMPTS_CHANGED)));
        assert_eq!(said.pop(), Some(changed(notice::TOOLS_CHANGED)));
        assert!(!said.is_empty() && said.iter().all(|body| *body == update));
        assert!(!live.take_missed(), "once");
    }
}
