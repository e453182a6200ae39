//! What the replicas of one mount report, put together: one status and one catalog.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::status::{self, Status};
use crate::call::Offer;

/// Where replicas report, and what the mount shows.
pub(super) struct Board {
    seats: Mutex<Seats>,
    pub(super) status: watch::Sender<Status>,
    /// The catalog of the leader; the last good one when nobody leads.
    pub(super) offer: watch::Sender<Option<Arc<Offer>>>,
}

struct Seats {
    seats: Vec<Seat>,
    /// The replica whose catalog is the mount's: it leads until its connection is lost.
    leader: Option<usize>,
}

struct Seat {
    status: Status,
    /// What it offers; `None` while it is not connected.
    offer: Option<Arc<Offer>>,
}

impl Board {
    pub(super) fn new(replicas: usize) -> Self {
        let seats = (0..replicas).map(|_| Seat { status: Status::starting(), offer: None });
        Self {
            seats: Mutex::new(Seats { seats: seats.collect(), leader: None }),
            status: watch::Sender::new(Status::starting()),
            offer: watch::Sender::new(None),
        }
    }

    /// A catalog of an earlier run, shown until the first replica leads.
    pub(super) fn recall(&self, offer: Arc<Offer>) {
        self.show(offer);
    }

    /// A replica's new status.
    pub(super) fn report(&self, place: usize, status: Status) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.seats.get_mut(place) {
            seat.status = status;
        }
        let all: Vec<Status> = seats.seats.iter().map(|seat| seat.status.clone()).collect();
        self.status.send_modify(|before| *before = status::of_all(before, &all));
    }

    /// A replica's new catalog.
    pub(super) fn offer(&self, place: usize, offer: Arc<Offer>) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.seats.get_mut(place) {
            seat.offer = Some(Arc::clone(&offer));
        }
        if *seats.leader.get_or_insert(place) == place {
            self.show(offer);
        }
    }

    /// A replica's connection is lost: another one leads, if there is one.
    pub(super) fn leave(&self, place: usize) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.seats.get_mut(place) {
            seat.offer = None;
        }
        if seats.leader != Some(place) {
            return;
        }
        seats.leader = seats.seats.iter().position(|seat| seat.offer.is_some());
        let next = seats.leader.and_then(|leader| seats.seats.get(leader));
        if let Some(offer) = next.and_then(|seat| seat.offer.clone()) {
            self.show(offer);
        }
    }

    /// What a replica offers since it is connected.
    pub(super) fn own(&self, place: usize) -> Option<Arc<Offer>> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.seats.get(place)?.offer.clone()
    }

    /// Whether a connected replica offers something else than the mount shows.
    pub(super) fn differs(&self, place: usize) -> bool {
        let own = self.own(place);
        let shown = self.offer.borrow().clone();
        own.zip(shown).is_some_and(|(own, shown)| !alike(&own, &shown))
    }

    fn show(&self, offer: Arc<Offer>) {
        self.offer.send_if_modified(|old| {
            let changed = old.as_deref() != Some(offer.as_ref());
            *old = Some(offer);
            changed
        });
    }
}

/// Whether two replicas offer the same; what they say of themselves may differ.
fn alike(one: &Offer, other: &Offer) -> bool {
    one.tools == other.tools
        && one.prompts == other.prompts
        && one.resources == other.resources
        && one.templates == other.templates
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::Raw;

    use super::super::status::{State, Status};
    use super::Board;
    use crate::call::{Entry, Offer};

    fn offer(tool: &str) -> Arc<Offer> {
        let raw = Raw::parse(format!(r#"{{"name":"{tool}"}}"#).into()).unwrap();
        let entry = Entry { key: tool.to_owned(), raw, mirrored: Arc::default() };
        Arc::new(Offer { tools: vec![entry], ..Offer::default() })
    }

    fn shown(board: &Board) -> String {
        board.offer.borrow().as_ref().map_or(String::new(), |offer| offer.tools[0].key.clone())
    }

    #[test]
    fn the_first_replica_leads_until_it_is_lost_and_its_catalog_stays_when_nobody_follows() {
        let board = Board::new(2);
        board.offer(1, offer("b"));
        board.offer(0, offer("a"));
        assert_eq!(shown(&board), "b", "the first to come leads");
        assert!(board.differs(0) && !board.differs(1));
        board.leave(1);
        assert_eq!(shown(&board), "a");
        assert!(!board.differs(0));
        board.leave(0);
        assert_eq!(shown(&board), "a", "the last good catalog");
        board.offer(1, offer("b"));
        assert_eq!(shown(&board), "b");
    }

    #[test]
    fn the_status_of_a_mount_names_the_sick_replica() {
        let board = Board::new(3);
        let of = |state: State, why: &str| Status::starting().then(state, why.to_owned(), None);
        assert!(!board.status.borrow().settled);
        board.report(0, of(State::Down, "it refuses"));
        assert_eq!(board.status.borrow().state, State::Starting);
        assert!(!board.status.borrow().settled);
        board.report(1, of(State::Ready, ""));
        let status = board.status.borrow().clone();
        assert_eq!((status.state, status.settled), (State::Degraded, true));
        let why = "1 of 3 replicas answer; replica 1 is down: it refuses";
        assert_eq!(status.reason, why);
        board.report(0, of(State::Ready, ""));
        board.report(2, of(State::Ready, ""));
        assert_eq!(board.status.borrow().state, State::Ready);
        assert_eq!(board.status.borrow().reason, "");
        for place in 0..3 {
            board.report(place, of(State::Unauthorized, "no"));
        }
        assert_eq!(board.status.borrow().state, State::Unauthorized);
    }

    #[test]
    fn the_status_of_a_mount_with_one_replica_is_that_of_the_replica() {
        let board = Board::new(1);
        let down = Status::starting().then(State::Down, "it refuses".to_owned(), None);
        board.report(0, down);
        let status = board.status.borrow().clone();
        assert_eq!((status.state, status.reason.as_str()), (State::Down, "it refuses"));
        assert!(status.settled);
    }
}
