//! Calls that were given up while their child may still ask for them.

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::open_calls::Client;

/// Such calls that are known one by one on a connection; of more, only the time is.
const KNOWN_MAX: usize = 256;

/// Dropping it lets the next call begin, where a connection has one at a time.
pub(super) type KeptTurn = oneshot::Sender<()>;

/// The calls that were given up on one connection.
#[derive(Default)]
pub(super) struct Dropped {
    calls: Vec<Gone>,
    /// Until when one of those may ask that found no room.
    more_until: Option<Instant>,
}

struct Gone {
    /// What it is called on the wire, where its late answer can be told by that.
    sent: Option<u64>,
    client: Option<Client>,
    /// No child asks for it after this.
    until: Instant,
    _turn: Option<KeptTurn>,
}

impl Dropped {
    /// Nobody waits any more for a call that the child may be at.
    pub(super) fn add(
        &mut self,
        sent: Option<u64>,
        client: Option<Client>,
        until: Instant,
        turn: Option<KeptTurn>,
    ) {
        self.forget_old();
        if self.calls.len() < KNOWN_MAX {
            self.calls.push(Gone { sent, client, until, _turn: turn });
        } else {
            self.more_until = self.more_until.max(Some(until));
        }
    }

    /// The child is done with the call that is called so.
    pub(super) fn answered(&mut self, sent: u64) {
        self.calls.retain(|gone| gone.sent != Some(sent));
    }

    /// How many may still ask, of other clients than this one.
    pub(super) fn of_others(&mut self, client: Option<&Client>) -> usize {
        self.forget_old();
        let own = |gone: &&Gone| client.is_some() && gone.client.as_ref() == client;
        self.calls.iter().filter(|gone| !own(gone)).count() + usize::from(self.more_until.is_some())
    }

    /// The child was started anew and knows none of them.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    fn forget_old(&mut self) {
        let now = Instant::now();
        self.calls.retain(|gone| now < gone.until);
        self.more_until = self.more_until.filter(|until| now < *until);
    }
}
