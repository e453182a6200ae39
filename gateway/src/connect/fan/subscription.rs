//! One listen on the wire: its filter, its acknowledgement, what it tells, and its end.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::json::{Members, ObjectEdit};
use protocol::method::notice;
use protocol::{Method, Raw};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Ask, is_absent};
use crate::call::{Backchannel, Call, Caller, Fault, Future, Kind, Notice, Reply};
use crate::connect::audience::{Audience, honoured_uris};
use crate::connect::changes::{Changes, Lists};

/// How long after the acknowledgement of a new listen the old one is heard too: what a child tells
/// on both at once comes within this time.
const OVERLAP: Duration = Duration::from_millis(50);
/// Different things told during an overlap; more are told at once, perhaps twice.
const GATHERED_MAX: usize = 1000;

/// How a listen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The child has no listen.
    Absent,
    /// The child does not take this filter.
    Refused,
    /// In order, or with its connection: another may be opened.
    Lost,
}

/// One listen at the child; dropping it ends it there.
pub(super) struct Stream {
    serving: Future<'static, Result<Reply, Fault>>,
    notices: mpsc::Receiver<Notice>,
    end: Option<End>,
    /// The resources in its filter.
    pub(super) asked: BTreeSet<String>,
    /// The resources that the child acknowledged.
    pub(super) honoured: BTreeSet<String>,
    /// The lists that the child acknowledged.
    pub(super) lists: Lists,
    pub(super) since: Instant,
}

/// Something that a listen told.
pub(super) struct Told {
    method: String,
    params: Raw,
}

impl Told {
    /// Tells it to those whom it concerns.
    pub(super) fn pass_on(&self, changes: &Changes, audience: &Audience) {
        if self.method == notice::RESOURCE_UPDATED {
            audience.told(&self.params);
        } else if !changes.notice(&self.method) {
            tracing::debug!(target: "child", method = self.method, "left aside: told on a listen");
        }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.method == other.method && uri(&self.params) == uri(&other.params)
    }
}

fn uri(params: &Raw) -> Option<String> {
    Some(Members::read(params).ok()?.get_string("uri")?.into_owned())
}

impl Stream {
    /// Sends a listen for the lists that are announced and for `asked`.
    pub(super) fn open(ask: &Ask, changes: &Changes, asked: BTreeSet<String>) -> Self {
        let (back, notices) = Backchannel::open();
        let mut call = Call::own(Method::Listen, filter(changes, &asked), Caller::gateway());
        call.back = back;
        Self {
            serving: ask(call),
            notices,
            end: None,
            asked,
            honoured: BTreeSet::new(),
            lists: 0,
            since: Instant::now(),
        }
    }

    /// Whether this listen does for who wants this: it lacks nothing, and tells nothing that
    /// nobody wants.
    pub(super) fn fits(&self, wanted: &BTreeSet<String>) -> bool {
        wanted.is_subset(&self.asked)
            && self.honoured.intersection(&self.asked).all(|uri| wanted.contains(uri))
    }

    /// Waits for the acknowledgement; how it ended when that comes first.
    pub(super) async fn acknowledged(&mut self) -> Option<End> {
        loop {
            match self.heard().await {
                Ok(notice) if notice.method == notice::ACKNOWLEDGED => {
                    self.honoured = honoured_uris(&notice.params);
                    self.honoured.retain(|uri| self.asked.contains(uri));
                    self.lists = Changes::honoured(&notice.params);
                    return None;
                }
                // Nothing may come before it.
                Ok(_) => {}
                Err(end) => return Some(end),
            }
        }
    }

    /// The next thing it tells.
    pub(super) async fn next(&mut self) -> Result<Told, End> {
        self.heard().await.map(|Notice { method, params }| {
            let params = untagged(params);
            Told { method, params }
        })
    }

    /// The next thing it tells; before its acknowledgement that, as `None`.
    async fn next_or_acknowledged(&mut self, acknowledged: bool) -> Result<Option<Told>, End> {
        match acknowledged {
            true => self.next().await.map(Some),
            false => self.acknowledged().await.map_or(Ok(None), Err),
        }
    }

    async fn heard(&mut self) -> Result<Notice, End> {
        if self.end.is_none() {
            tokio::select! {
                biased;
                Some(notice) = self.notices.recv() => return Ok(notice),
                ended = &mut self.serving => self.end = Some(end_of(&ended)),
            }
        }
        // What was told before the end comes before it.
        self.notices.try_recv().map_err(|_| self.end.unwrap_or(End::Lost))
    }
}

fn end_of(ended: &Result<Reply, Fault>) -> End {
    match ended {
        Err(fault) if is_absent(fault) => End::Absent,
        Err(fault) if matches!(fault.kind, Kind::Child(_)) => End::Refused,
        _ => End::Lost,
    }
}

/// What two listens told while the one took the place of the other.
pub(super) struct Met {
    /// Whether the new one is acknowledged.
    pub(super) acknowledged: bool,
    /// How the new one ended instead.
    pub(super) failed: Option<End>,
    /// Whether the old one ended before that.
    pub(super) gap: bool,
    pub(super) told: Vec<Told>,
}

/// Hears both until the new one is acknowledged and a moment longer.
pub(super) async fn overlap(old: &mut Stream, new: &mut Stream, wait: Duration) -> Met {
    let mut met = Met { acknowledged: false, failed: None, gap: false, told: Vec::new() };
    let mut until = Instant::now() + wait;
    loop {
        tokio::select! {
            biased;
            heard = old.next(), if old.end.is_none() => match heard {
                Ok(told) => gather(&mut met.told, told),
                Err(_) => met.gap |= !met.acknowledged,
            },
            heard = new.next_or_acknowledged(met.acknowledged) => match heard {
                Ok(Some(told)) => gather(&mut met.told, told),
                Ok(None) => {
                    met.acknowledged = true;
                    until = Instant::now() + OVERLAP;
                }
                Err(end) => {
                    // The end of one that was acknowledged is heard again by who attends to it.
                    met.failed = (!met.acknowledged).then_some(end);
                    return met;
                }
            },
            () = sleep_until(until) => return met,
        }
    }
}

fn gather(all: &mut Vec<Told>, told: Told) {
    let known = all.iter().any(|known| known.says_the_same(&told));
    if !known || all.len() >= GATHERED_MAX {
        all.push(told);
    }
}

fn filter(changes: &Changes, uris: &BTreeSet<String>) -> Raw {
    let lists = changes.filter();
    let filter = match Members::read(&lists) {
        Ok(members) if !uris.is_empty() => {
            let mut edit = ObjectEdit::new(&members);
            edit.set("resourceSubscriptions", Raw::of(uris).to_string()).finish_raw()
        }
        _ => lists.clone(),
    };
    protocol::json::ObjectWriter::new().raw("notifications", &filter).finish()
}

/// A child's own subscription id means nothing one hop further.
fn untagged(params: Raw) -> Raw {
    let edited = || {
        let members = Members::read(&params).ok()?;
        let inside = Members::read(members.get("_meta")?).ok()?;
        inside.get(protocol::meta::SUBSCRIPTION)?;
        let mut edit = ObjectEdit::new(&members);
        match inside.len() {
            1 => edit.remove("_meta"),
            _ => {
                let rest = ObjectEdit::new(&inside).remove(protocol::meta::SUBSCRIPTION).finish();
                edit.set("_meta", rest)
            }
        };
        Some(edit.finish_raw())
    };
    edited().unwrap_or(params)
}
