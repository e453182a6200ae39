//! Who listens to which resources of one child, whatever brings the news.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use protocol::json::{self, Members, ObjectWriter};
use protocol::method::notice;
use protocol::{Raw, task};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::call::{Backchannel, Call, Fault, Kind};

/// Resources that one listen may subscribe to at one child; the rest is not acknowledged.
const URIS_MAX: usize = 1000;
/// Updates that a listen holds back until it is acknowledged.
const UPDATES_HELD_MAX: usize = 64;
/// How long a legacy child may take to take subscriptions: less than who listens waits for the
/// acknowledgement, so that what was taken until then is acknowledged.
pub(super) const TAKEN_WAIT: Duration = Duration::from_secs(8);
/// Subscriptions of one listen that are on their way at once.
pub(super) const AT_ONCE_MAX: usize = 32;

/// Who listens to which resources of one child.
#[derive(Debug, Default)]
pub(super) struct Audience {
    seats: Mutex<Seats>,
    /// Rings when somebody comes or leaves.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    by_number: HashMap<u64, Seat>,
}

#[derive(Debug)]
struct Seat {
    /// What was asked for; once acknowledged, what is honoured.
    uris: Vec<String>,
    back: Backchannel,
    /// Updates that came before the acknowledgement, one for each URI.
    held: Option<Vec<(String, Raw)>>,
    over: Arc<Notify>,
}

/// A place in the audience; dropping it leaves.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    audience: &'a Audience,
    number: u64,
    over: Arc<Notify>,
}

impl Audience {
    /// Hears updates of `uris` for `back` from now on, but tells of none before
    /// [`Listening::acknowledge`].
    pub(super) fn join(&self, uris: Vec<String>, back: Backchannel) -> Listening<'_> {
        let over = Arc::new(Notify::new());
        let seat = Seat { uris, back, held: Some(Vec::new()), over: Arc::clone(&over) };
        let mut seats = self.seats();
        let number = seats.next;
        seats.next += 1;
        seats.by_number.insert(number, seat);
        drop(seats);
        self.changed.notify_one();
        Listening { audience: self, number, over }
    }

    /// All that somebody listens to.
    pub(super) fn uris(&self) -> BTreeSet<String> {
        let seats = self.seats();
        seats.by_number.values().flat_map(|seat| seat.uris.iter().cloned()).collect()
    }

    /// Passes an update on to those who subscribed to its URI or to what that is a part of.
    pub(super) fn updated(&self, params: &Raw) {
        self.pass_on(params, false);
    }

    /// The same for an update that the child itself chose for those who listen: a part may have a
    /// URI that does not show whose it is, and with one listener it is clear.
    pub(super) fn told(&self, params: &Raw) {
        self.pass_on(params, true);
    }

    fn pass_on(&self, params: &Raw, chosen: bool) {
        let members = Members::read(params).ok();
        let uri = members.as_ref().and_then(|members| members.get_string("uri"));
        let Some(uri) = uri else {
            return tracing::debug!(target: "child", "an update of a resource without a uri");
        };
        let mut seats = self.seats();
        let covered = |seat: &Seat| seat.uris.iter().any(|above| covers(above, &uri));
        let nobody = !seats.by_number.values().any(covered);
        let only = chosen && nobody && seats.by_number.len() == 1;
        let hearing = seats.by_number.values_mut();
        for seat in hearing.filter(|seat| covered(seat) || only && !seat.uris.is_empty()) {
            seat.updated(&uri, params);
        }
    }

    /// The child no longer tells of `uri`: who listens to it hears the end of that, and asks anew.
    pub(super) fn refused(&self, uri: &str) {
        for seat in self.seats().by_number.values() {
            if seat.held.is_none() && seat.uris.iter().any(|held| held == uri) {
                seat.over.notify_one();
            }
        }
    }

    /// Events were lost: each of these URIs counts as updated.
    pub(super) fn all_updated(&self, uris: &BTreeSet<String>) {
        for uri in uris {
            self.updated(&ObjectWriter::new().string("uri", uri).finish());
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn updated(&mut self, uri: &str, params: &Raw) {
        if let Some(held) = &mut self.held {
            if held.len() < UPDATES_HELD_MAX && !held.iter().any(|(known, _)| known == uri) {
                held.push((uri.to_owned(), params.clone()));
            }
            return;
        }
        // A client that lost an event listens again and reads anew.
        if !self.back.tell(notice::RESOURCE_UPDATED, params.clone()) {
            self.over.notify_one();
        }
    }
}

impl Listening<'_> {
    /// Acknowledges the URIs that are honoured, then tells what came of them in the meantime;
    /// `false` when the listener does not even take that.
    pub(super) fn acknowledge(&self, honoured: Vec<String>) -> bool {
        let params = acknowledgement(&honoured);
        // Under the lock, so that no update overtakes the acknowledgement.
        let mut seats = self.audience.seats();
        let Some(seat) = seats.by_number.get_mut(&self.number) else { return false };
        seat.uris = honoured;
        let held = seat.held.take().unwrap_or_default();
        if !seat.back.tell(notice::ACKNOWLEDGED, params) {
            return false;
        }
        for (uri, params) in &held {
            if seat.uris.iter().any(|above| covers(above, uri)) {
                seat.updated(uri, params);
            }
        }
        drop(seats);
        self.audience.changed.notify_one();
        true
    }

    /// Waits until the listener takes no more, or its child tells no more.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.audience.seats().by_number.remove(&self.number);
        self.audience.changed.notify_one();
    }
}

/// Whether a listen is about tasks: each of them has one client, so that there is nothing to share.
pub(super) fn names_tasks(call: &Call) -> bool {
    matches!(task::listened(&call.params), Ok(Some(_)))
}

/// The URIs that a listen asks for, each once.
///
/// # Errors
/// [`crate::call::Kind::Invalid`] for a filter that is none.
pub(super) fn asked_uris(params: &Raw) -> Result<Vec<String>, Fault> {
    let bad = |fault| Fault::invalid(format!("params: {fault}"));
    let members = Members::read(params).map_err(bad)?;
    let filter = Members::read(members.get("notifications").unwrap_or("{}")).map_err(bad)?;
    let list = filter.get("resourceSubscriptions").unwrap_or("[]");
    let texts = json::elements(list).ok_or_else(|| {
        Fault::invalid("params.notifications.resourceSubscriptions: expected an array of strings")
    })?;
    let mut uris: Vec<String> = Vec::new();
    for uri in texts.into_iter().filter_map(json::string) {
        if uris.len() < URIS_MAX && !uris.iter().any(|known| **known == *uri) {
            uris.push(uri.into_owned());
        }
    }
    Ok(uris)
}

/// What comes of all these subscriptions in [`TAKEN_WAIT`], the child's refusals left out.
///
/// # Errors
/// Why none of them came to anything, for a listen that is of no use then.
pub(super) async fn taken<T>(
    call: &Call,
    mount: &str,
    subscribing: impl Iterator<Item = impl Future<Output = Result<T, Fault>>>,
) -> Result<Vec<T>, Fault> {
    let until = Instant::now() + TAKEN_WAIT;
    let (mut taken, mut missed) = (Vec::new(), None);
    let mut subscribing = std::pin::pin!(stream::iter(subscribing).buffer_unordered(AT_ONCE_MAX));
    loop {
        match timeout_at(until, subscribing.next()).await {
            Ok(Some(Ok(one))) => taken.push(one),
            Ok(Some(Err(Fault { kind: Kind::Child(_), .. }))) => {}
            Ok(Some(Err(fault))) => missed = Some(fault),
            Ok(None) => break,
            Err(_) => {
                let wait = TAKEN_WAIT.as_secs();
                let text = format!("the server behind `{mount}` took no subscription in {wait} s");
                missed = Some(Fault::new(Kind::Timeout { mount: mount.into() }, text));
                break;
            }
        }
    }
    match missed.filter(|_| call.whole && taken.is_empty()) {
        Some(fault) => Err(fault),
        None => Ok(taken),
    }
}

/// The URIs that an acknowledgement honours.
pub(super) fn honoured_uris(params: &Raw) -> BTreeSet<String> {
    asked_uris(params).unwrap_or_default().into_iter().collect()
}

fn acknowledgement(honoured: &[String]) -> Raw {
    let filter = ObjectWriter::new().raw("resourceSubscriptions", &Raw::of(honoured)).finish();
    ObjectWriter::new().raw("notifications", &filter).finish()
}

/// Whether `uri` is what was subscribed to, or a part of it (digest 1.14).
fn covers(subscribed: &str, uri: &str) -> bool {
    uri.strip_prefix(subscribed)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || subscribed.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c136_a_subscription_covers_its_parts_and_nothing_beside_them() {
        assert!(covers("file:///a", "file:///a"));
        assert!(covers("file:///a", "file:///a/b"));
        assert!(covers("file:///a/", "file:///a/b"));
        assert!(!covers("file:///a", "file:///ab"));
        assert!(!covers("file:///a/b", "file:///a"));
    }

    #[test]
    fn c136_a_part_that_its_uri_does_not_show_is_the_only_listeners_or_nobodys() {
        let audience = Audience::default();
        let update = Raw::from_static(r#"{"uri":"part://of/it"}"#);
        let (back, mut first) = Backchannel::open();
        let one = audience.join(vec!["whole://it".to_owned()], back);
        assert!(one.acknowledge(vec!["whole://it".to_owned()]));
        assert_eq!(first.try_recv().unwrap().method, notice::ACKNOWLEDGED);
        audience.told(&update);
        assert_eq!(first.try_recv().unwrap().params, update);
        let (back, mut second) = Backchannel::open();
        let two = audience.join(vec!["other://it".to_owned()], back);
        assert!(two.acknowledge(vec!["other://it".to_owned()]));
        assert_eq!(second.try_recv().unwrap().method, notice::ACKNOWLEDGED);
        audience.told(&update);
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
    }
}
