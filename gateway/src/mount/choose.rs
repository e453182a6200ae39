//! Which of the equal replicas gets a call: the less busy of two, and for a session its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::replica::Replica;
use super::task_place;
use super::uses::Using;
use crate::call::{Call, Link};

/// Sessions whose replica is remembered; the oldest is forgotten first and chosen for anew.
const PINS_MAX: usize = 100_000;

/// Sessions of clients and the replicas that keep their state.
#[derive(Default)]
pub(super) struct Pins {
    pins: Mutex<Pinned>,
}

#[derive(Default)]
struct Pinned {
    places: HashMap<u64, usize>,
    order: VecDeque<u64>,
}

impl Pins {
    fn get(&self, session: u64) -> Option<usize> {
        let pinned = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.places.get(&session).copied()
    }

    fn set(&self, session: u64, place: usize) {
        let mut pinned = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if pinned.places.insert(session, place).is_none() {
            pinned.order.push_back(session);
        }
        if pinned.order.len() > PINS_MAX
            && let Some(oldest) = pinned.order.pop_front()
        {
            pinned.places.remove(&oldest);
        }
    }
}

/// A replica that takes calls, and its connection.
pub(super) struct Chosen<'a> {
    pub(super) replica: &'a Replica,
    pub(super) link: Arc<dyn Link>,
    /// Keeps the child from being stopped as idle.
    pub(super) using: Using<'a>,
}

/// Chooses a replica that is connected and not among those `tried` already.
///
/// A client's session stays with the replica that it had first where the child keeps state, for as
/// long as that replica takes calls; what is about a task goes where the task is.
pub(super) fn choose<'a>(
    replicas: &'a [Replica],
    pins: &Pins,
    call: &Call,
    tried: &[usize],
) -> Option<Chosen<'a>> {
    if let Some(place) = task_place::of(call) {
        let free = !tried.contains(&place);
        return free.then(|| replicas.get(place).and_then(chosen)).flatten();
    }
    if let [replica] = replicas {
        let open = !tried.contains(&replica.place);
        return open.then(|| chosen(replica)).flatten();
    }
    let mut open: Vec<Chosen<'a>> = replicas
        .iter()
        .filter(|replica| !tried.contains(&replica.place))
        .filter_map(chosen)
        .collect();
    let session = call.caller.session;
    let pinned = session.and_then(|session| pins.get(session));
    if let Some(at) = open.iter().position(|one| Some(one.replica.place) == pinned) {
        return Some(open.swap_remove(at));
    }
    let one = open.swap_remove_random()?;
    let taken = match open.swap_remove_random() {
        Some(other) if other.replica.in_flight() < one.replica.in_flight() => other,
        _ => one,
    };
    if let Some(session) = session
        && taken.link.about().keeps_state
    {
        pins.set(session, taken.replica.place);
    }
    Some(taken)
}

/// A replica, if it takes calls now.
pub(super) fn chosen(replica: &Replica) -> Option<Chosen<'_>> {
    let (link, using) = replica.open()?;
    Some(Chosen { replica, link, using })
}

trait TakeOne<T> {
    /// Takes any one of the elements out.
    fn swap_remove_random(&mut self) -> Option<T>;
}

impl<T> TakeOne<T> for Vec<T> {
    fn swap_remove_random(&mut self) -> Option<T> {
        (!self.is_empty()).then(|| self.swap_remove(rand::random_range(0..self.len())))
    }
}
