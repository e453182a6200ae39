//! Who listens to which resources of one child, whatever brings the news.

use std::collections::{BTreeSet, HashMap, VecDeque};
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
/// Resources that somebody held and nobody holds any more, which are remembered: a child may still
/// tell of them, and they are nobody else's.
const LEFT_MAX: usize = 256;
/// How long after a resource was given back an update that does not show whose it is may be of it.
const LATE_WAIT: Duration = Duration::from_secs(5);
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
    /// What was given back, and when; the latest last.
    left: VecDeque<(String, Instant)>,
}

#[derive(Debug)]
struct Seat {
    /// What was asked for; once acknowledged, what is honoured.
    uris: Vec<String>,
    back: Backchannel,
    /// Updates that came before the acknowledgement, one for each URI.
    held: Option<Vec<Held>>,
    over: Arc<Notify>,
}

/// An update that waits for the acknowledgement.
#[derive(Debug)]
struct Held {
    uri: String,
    params: Raw,
    /// What was asked for that it belongs to; `None` when its URI shows that.
    of: Option<String>,
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

    /// Passes an update on to those who subscribed to its URI or to what that is a part of. One
    /// that its URI does not show to be a part of anything is not lost ([`Seats::unclear`]).
    pub(super) fn updated(&self, params: &Raw) {
        self.pass_on(params, false);
    }

    /// The same for an update that the child itself chose for those who listen.
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
        if !seats.clear(&uri, params) {
            seats.unclear(&uri, params, chosen);
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
        let mut seats = self.seats();
        for uri in uris {
            seats.clear(uri, &update_of(uri));
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    /// Tells those whom the URI of an update shows to be concerned; `false` when there are none.
    fn clear(&mut self, uri: &str, params: &Raw) -> bool {
        let mut any = false;
        for seat in self.by_number.values_mut().filter(|seat| seat.covers(uri)) {
            seat.updated(uri, params, None);
            any = true;
        }
        any
    }

    /// Tells of an update whose URI does not show what it is a part of: the URI of a part may be of
    /// any form (check 136). Where the child chose it for who listens, and the connection holds one
    /// resource, it is of that one, and who holds it hears of the part. Else it may be of one of
    /// several, or of none: many children of the legacy era tell of all that changes. Each resource
    /// then counts as updated under its own URI: reading once too often does no harm, and nobody
    /// is told a URI that is another's, or that nobody asked for (check 127).
    fn unclear(&mut self, uri: &str, params: &Raw, chosen: bool) {
        let held: BTreeSet<String> =
            self.by_number.values().flat_map(|seat| seat.uris.iter().cloned()).collect();
        let late = |(left, since): &(String, Instant)| {
            !held.contains(left) && (covers(left, uri) || since.elapsed() < LATE_WAIT)
        };
        let certain = chosen && held.len() == 1 && !self.left.iter().any(late);
        for seat in self.by_number.values_mut() {
            for own in seat.uris.clone() {
                match certain {
                    true => seat.updated(uri, params, Some(own)),
                    false => seat.updated(&own, &update_of(&own), None),
                }
            }
        }
    }

    /// Remembers what somebody does not hold any more.
    fn leave(&mut self, uris: impl IntoIterator<Item = String>) {
        let now = Instant::now();
        self.left.extend(uris.into_iter().map(|uri| (uri, now)));
        self.left.drain(..self.left.len().saturating_sub(LEFT_MAX));
    }
}

impl Seat {
    fn covers(&self, uri: &str) -> bool {
        self.uris.iter().any(|above| covers(above, uri))
    }

    /// Tells of an update, of the part `uri` of what was asked for as `of`.
    fn updated(&mut self, uri: &str, params: &Raw, of: Option<String>) {
        if let Some(held) = &mut self.held {
            if held.len() < UPDATES_HELD_MAX && !held.iter().any(|known| known.uri == uri) {
                held.push(Held { uri: uri.to_owned(), params: params.clone(), of });
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
        let mut refused = std::mem::replace(&mut seat.uris, honoured);
        refused.retain(|uri| !seat.uris.contains(uri));
        let held = seat.held.take().unwrap_or_default();
        if !seat.back.tell(notice::ACKNOWLEDGED, params) {
            return false;
        }
        for Held { uri, params, of } in held {
            if seat.covers(of.as_ref().unwrap_or(&uri)) {
                seat.updated(&uri, &params, of);
            }
        }
        seats.leave(refused);
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
        let mut seats = self.audience.seats();
        let seat = seats.by_number.remove(&self.number);
        seats.leave(seat.into_iter().flat_map(|seat| seat.uris));
        drop(seats);
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

/// What says of one resource that it may be another now.
fn update_of(uri: &str) -> Raw {
    ObjectWriter::new().string("uri", uri).finish()
}

/// Whether `uri` shows that it is what was subscribed to, or a part of it (digest 1.14).
fn covers(subscribed: &str, uri: &str) -> bool {
    uri.strip_prefix(subscribed).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['/', '?', '#']) || subscribed.ends_with('/')
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::Receiver;

    use super::*;
    use crate::call::Notice;

    /// Who holds these resources, acknowledged.
    fn joined<'a>(audience: &'a Audience, uris: &[&str]) -> (Listening<'a>, Receiver<Notice>) {
        let (back, mut heard) = Backchannel::open();
        let uris: Vec<String> = uris.iter().map(|&uri| uri.to_owned()).collect();
        let listening = audience.join(uris.clone(), back);
        assert!(listening.acknowledge(uris));
        assert_eq!(heard.try_recv().unwrap().method, notice::ACKNOWLEDGED);
        (listening, heard)
    }

    /// The params of all that is told by now.
    fn told(heard: &mut Receiver<Notice>) -> Vec<String> {
        std::iter::from_fn(|| heard.try_recv().ok()).map(|one| one.params.to_string()).collect()
    }

    const PART: &str = r#"{"uri":"part://of/it","x":1}"#;

    fn tell(audience: &Audience) {
        audience.told(&Raw::from_static(PART));
    }

    #[test]
    fn c136_a_subscription_covers_its_parts_and_nothing_beside_them() {
        assert!(covers("file:///a", "file:///a"));
        assert!(covers("file:///a", "file:///a/b"));
        assert!(covers("file:///a/", "file:///a/b"));
        assert!(covers("file:///a", "file:///a?part=1"));
        assert!(covers("file:///a", "file:///a#part"));
        assert!(!covers("file:///a", "file:///ab"));
        assert!(!covers("file:///a/b", "file:///a"));
    }

    #[tokio::test]
    async fn c136_a_part_that_its_uri_does_not_show_is_told_to_all_who_hold_the_one_resource() {
        let audience = Audience::default();
        let (_one, mut first) = joined(&audience, &["whole://it"]);
        let (_two, mut second) = joined(&audience, &["whole://it"]);
        let (_none, mut third) = joined(&audience, &[]);
        tell(&audience);
        assert_eq!(told(&mut first), [PART]);
        assert_eq!(told(&mut second), [PART]);
        assert_eq!(told(&mut third), [""; 0]);
    }

    #[tokio::test]
    async fn c127_c136_a_part_that_may_be_of_several_counts_as_an_update_of_each_of_them() {
        let audience = Audience::default();
        let (_one, mut first) = joined(&audience, &["whole://it"]);
        let (_two, mut second) = joined(&audience, &["other://a", "whole://it"]);
        tell(&audience);
        assert_eq!(told(&mut first), [r#"{"uri":"whole://it"}"#]);
        assert_eq!(told(&mut second), [r#"{"uri":"other://a"}"#, r#"{"uri":"whole://it"}"#]);
        // Before an acknowledgement: told after it, of what is honoured.
        let (back, mut third) = Backchannel::open();
        let three = audience.join(vec!["no://it".to_owned(), "more://it".to_owned()], back);
        tell(&audience);
        assert!(three.acknowledge(vec!["more://it".to_owned()]));
        assert_eq!(told(&mut third)[1..], [r#"{"uri":"more://it"}"#]);
    }

    #[tokio::test]
    async fn c127_c136_what_a_child_did_not_choose_for_who_listens_is_told_under_their_uris() {
        let audience = Audience::default();
        let (_one, mut first) = joined(&audience, &["whole://it"]);
        let (_two, mut second) = joined(&audience, &["whole://it"]);
        audience.updated(&Raw::from_static(PART));
        assert_eq!(told(&mut first), [r#"{"uri":"whole://it"}"#]);
        assert_eq!(told(&mut second), [r#"{"uri":"whole://it"}"#]);
        audience.updated(&update_of("whole://it?part=1"));
        assert_eq!(told(&mut first), [r#"{"uri":"whole://it?part=1"}"#]);
    }

    #[tokio::test(start_paused = true)]
    async fn c127_what_another_held_a_moment_ago_is_told_to_nobody_under_its_uri() {
        let audience = Audience::default();
        let (_one, mut first) = joined(&audience, &["whole://it"]);
        let (two, _second) = joined(&audience, &["other://a"]);
        drop(two);
        tell(&audience);
        assert_eq!(told(&mut first), [r#"{"uri":"whole://it"}"#], "it may be of the other");
        tokio::time::advance(LATE_WAIT).await;
        tell(&audience);
        assert_eq!(told(&mut first), [PART]);
        // However late: this is the other, or a part of it.
        audience.told(&update_of("other://a/b"));
        assert_eq!(told(&mut first), [r#"{"uri":"whole://it"}"#]);
        let (_two, mut second) = joined(&audience, &["other://a"]);
        audience.told(&update_of("other://a/b"));
        assert_eq!(told(&mut second), [r#"{"uri":"other://a/b"}"#]);
        assert_eq!(told(&mut first), [""; 0]);
    }

    #[tokio::test]
    async fn c136_a_part_that_comes_before_the_acknowledgement_is_told_after_it() {
        let audience = Audience::default();
        let (back, mut heard) = Backchannel::open();
        let one = audience.join(vec!["whole://it".to_owned()], back);
        tell(&audience);
        tell(&audience);
        assert!(one.acknowledge(vec!["whole://it".to_owned()]));
        assert_eq!(told(&mut heard)[1..], [PART], "once");
    }
}
