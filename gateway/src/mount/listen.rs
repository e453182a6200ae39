//! A listen to resources of several equal replicas: heard at each of them, since a call that
//! changes a resource goes to any.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::{Raw, task};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::choose::{Chosen, chosen};
use super::replica::Replica;
use super::{Mount, State, task_place};
use crate::call::{Backchannel, Call, Fault, Future, Kind, Notice, Reply};

/// How long replicas may take to confirm a listen: more than a child gives itself, less than who
/// listens waits for the acknowledgement.
const CONFIRM_WAIT: Duration = Duration::from_secs(9);
/// The first and the longest pause before a listen is opened again at a replica that ended it.
const AGAIN_PAUSE_MIN: Duration = Duration::from_millis(500);
const AGAIN_PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether a replica takes calls again: a gate opens without a word.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One replica as a listen sees it.
struct Seat<'a> {
    replica: &'a Replica,
    /// How long until the listen is opened there again.
    pause: Duration,
}

/// A listen that is open at one replica.
struct Heard<'a> {
    serving: Future<'a, Result<Reply, Fault>>,
    notices: mpsc::Receiver<Notice>,
    /// What the replica tells of.
    honoured: BTreeSet<String>,
}

/// What became of a replica.
enum Turn<'a> {
    /// It is heard no more, and why.
    Lost(Seat<'a>, Option<Fault>),
    /// It is heard from now on.
    Joined(Seat<'a>, Heard<'a>),
}

impl Mount {
    /// Serves a listen until the client leaves or no replica is heard any more.
    pub(super) async fn listen(&self, call: Call) -> Result<Reply, Fault> {
        let first = self.choose(&call).await?;
        let of_tasks = !matches!(task::listened(&call.params), Ok(None));
        if of_tasks || self.replicas.len() == 1 {
            let Chosen { replica, link, using: _using } = first;
            return link.serve(task_place::own(call)).await.map_err(|fault| replica.named(fault));
        }
        self.listen_at_each(first, &call).await
    }

    /// Acknowledges what any replica tells of. That is more than what all of them tell of: one
    /// that is sick, or slow, takes nothing from what the others have said that they tell.
    async fn listen_at_each(&self, first: Chosen<'_>, call: &Call) -> Result<Reply, Fault> {
        let mut there = vec![first];
        let others = self.replicas.iter().filter(|one| one.place != there[0].replica.place);
        there.extend(others.filter_map(chosen).collect::<Vec<_>>());
        let opening = there.into_iter().map(|chosen| async {
            let replica = chosen.replica;
            (replica.place, open(chosen, call, call.params.clone()).await)
        });
        let mut missed = None;
        let mut opened: Vec<(usize, Heard<'_>)> = Vec::new();
        let mut confirmed = false;
        for (place, outcome) in join_all(opening).await {
            match outcome {
                Ok(heard) => {
                    confirmed = true;
                    opened.extend((!heard.honoured.is_empty()).then_some((place, heard)));
                }
                Err(fault) => missed = fault.or(missed),
            }
        }
        if let Some(fault) = missed.filter(|_| !confirmed) {
            return Err(fault);
        }
        let honoured: BTreeSet<String> =
            opened.iter().flat_map(|(_, heard)| heard.honoured.iter().cloned()).collect();
        call.back.tell_waiting(notice::ACKNOWLEDGED, listen_to(&honoured)).await;
        if honoured.is_empty() {
            return Ok(Reply::complete(Raw::default()));
        }
        self.keep_hearing(opened, call, &honoured).await
    }

    /// Passes on what any replica tells. One that comes, or comes back, is listened to as well;
    /// since what it told before is lost, each resource then counts as updated.
    async fn keep_hearing<'a>(
        &'a self,
        mut opened: Vec<(usize, Heard<'a>)>,
        call: &'a Call,
        honoured: &'a BTreeSet<String>,
    ) -> Result<Reply, Fault> {
        let mut heard = opened.len();
        let mut turns: FuturesUnordered<Future<'_, Turn<'_>>> = FuturesUnordered::new();
        for replica in &self.replicas {
            let seat = Seat { replica, pause: AGAIN_PAUSE_MIN };
            match opened.iter().position(|(place, _)| *place == replica.place) {
                Some(at) => turns.push(Box::pin(hear(seat, opened.swap_remove(at).1, &call.back))),
                None => turns.push(Box::pin(join(seat, call, honoured))),
            }
        }
        while let Some(turn) = turns.next().await {
            match turn {
                Turn::Lost(seat, fault) => {
                    heard -= 1;
                    if heard == 0 {
                        // Whoever listens asks the mount that has the name by then.
                        let named = |fault| Err(seat.replica.named(fault));
                        return fault.map_or_else(|| Ok(Reply::complete(Raw::default())), named);
                    }
                    turns.push(Box::pin(join(seat, call, honoured)));
                }
                Turn::Joined(seat, again) => {
                    heard += 1;
                    for uri in honoured {
                        let update = ObjectWriter::new().string("uri", uri).finish();
                        call.back.tell_waiting(notice::RESOURCE_UPDATED, update).await;
                    }
                    turns.push(Box::pin(hear(seat, again, &call.back)));
                }
            }
        }
        Ok(Reply::complete(Raw::default()))
    }
}

/// Opens a listen at one replica.
///
/// # Errors
/// Why it is not confirmed in [`CONFIRM_WAIT`]; `None` where that is not said.
async fn open<'a>(
    chosen: Chosen<'a>,
    call: &Call,
    params: Raw,
) -> Result<Heard<'a>, Option<Fault>> {
    let replica = chosen.replica;
    let (back, mut notices) = Backchannel::open();
    let inside = Call { params, back, ..call.clone() };
    let mut serving: Future<'a, _> = Box::pin(async move {
        let Chosen { replica: _, link, using: _using } = chosen;
        link.serve(inside).await
    });
    let first = timeout(CONFIRM_WAIT, async {
        tokio::select! {
            biased;
            Some(first) = notices.recv() => Ok(first),
            ended = &mut serving => Err(ended.err().map(|fault| replica.named(fault))),
        }
    });
    let Ok(first) = first.await else {
        let wait = CONFIRM_WAIT.as_secs();
        let name = replica.name();
        let text = format!("the server behind `{name}` did not confirm a listen in {wait} s");
        return Err(Some(Fault::new(Kind::Timeout { mount: name.clone() }, text)));
    };
    let first = first?;
    let told = first.method == notice::ACKNOWLEDGED;
    let honoured = told.then(|| subscribed(&first.params)).ok_or(None)?;
    Ok(Heard { serving, notices, honoured })
}

/// Passes on what a replica tells until it tells no more.
async fn hear<'a>(mut seat: Seat<'a>, mut heard: Heard<'a>, back: &Backchannel) -> Turn<'a> {
    let since = Instant::now();
    let ended = loop {
        tokio::select! {
            biased;
            Some(told) = heard.notices.recv() => {
                seat.pause = AGAIN_PAUSE_MIN;
                back.tell_waiting(&told.method, told.params).await;
            }
            ended = &mut heard.serving => break ended,
        }
    };
    if since.elapsed() >= AGAIN_PAUSE_MAX {
        seat.pause = AGAIN_PAUSE_MIN;
    }
    Turn::Lost(seat, ended.err())
}

/// Opens the listen at a replica, once that takes calls.
async fn join<'a>(mut seat: Seat<'a>, call: &Call, honoured: &BTreeSet<String>) -> Turn<'a> {
    loop {
        sleep(seat.pause).await;
        seat.pause = (seat.pause * 2).min(AGAIN_PAUSE_MAX);
        let chosen = comes(seat.replica).await;
        match open(chosen, call, listen_to(honoured)).await {
            Ok(heard) if !heard.honoured.is_empty() => return Turn::Joined(seat, heard),
            _ => {}
        }
    }
}

/// Waits until a replica takes calls. One that is idle is not started for this: it tells nothing
/// as long as nobody calls it.
async fn comes(replica: &Replica) -> Chosen<'_> {
    let mut status = replica.status_changes();
    loop {
        let idle = status.borrow_and_update().state == State::Idle;
        if let Some(chosen) = (!idle).then(|| chosen(replica)).flatten() {
            return chosen;
        }
        // Whether it changed or not, what counts is how the replica is now.
        let _changed = timeout(LOOK_EVERY, status.changed()).await;
    }
}

/// The params of a listen to these, and of its acknowledgement.
fn listen_to(uris: &BTreeSet<String>) -> Raw {
    let filter = ObjectWriter::new().raw("resourceSubscriptions", &Raw::of(uris)).finish();
    ObjectWriter::new().raw("notifications", &filter).finish()
}

/// The resources in such params.
fn subscribed(params: &Raw) -> BTreeSet<String> {
    let inside = Members::read(params).ok().and_then(|members| members.get("notifications"));
    let inside = inside.and_then(|text| Members::read(text).ok());
    let list = inside.and_then(|members| members.get("resourceSubscriptions"));
    list.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
