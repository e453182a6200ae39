//! Questions of legacy children: whose call they belong to, and how a call waits for its client.
//!
//! A child that asks in the middle of a call gets its answer on the same connection, while the call
//! stays open at it. The middle speaks modern, so the call is answered by `input_required` and is
//! **parked**; the client comes back with answers and the call goes on (digest 2.4). It is never
//! sent a second time.

mod asked;
mod voice;
mod parks;
mod talk;
mod visits;
mod dropped;
mod open_calls;

use std::sync::Arc;
use std::time::Duration;

use protocol::json::ObjectWriter;
use protocol::question::Abilities;
use protocol::{Method, Raw, extension, question};

pub(super) use asked::Asked;
pub(super) use open_calls::{Channel, OpenCalls};
pub use parks::Parking;
use parks::Parks;
pub(super) use voice::{Delivery, Voice};

/// How long a child may still ask for a call that was given up at it, unless it is told otherwise.
const DROPPED_COUNTS: Duration = Duration::from_secs(600);

/// How the child of one mount may ask the clients that call it. Clones share what is parked.
#[derive(Clone, Debug)]
pub struct Asking(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    mount: Arc<str>,
    parks: Arc<Parks>,
    roots: Option<Raw>,
    /// What the child is told that its clients can be asked.
    declares: Abilities,
    /// Where a connection has one call at a time that may ask: how long the next one waits for one
    /// that was given up to be over at the child.
    interactive: Option<Duration>,
    apart: bool,
    /// How long a child may still ask for a call that was given up at it.
    dropped_counts: Duration,
}

impl Asking {
    /// At most `parked_max` calls of the mount wait for their clients, each at most
    /// `question_wait`.
    pub fn new(mount: impl Into<Arc<str>>, parked_max: usize, question_wait: Duration) -> Self {
        let mount = mount.into();
        let parks = Parks::new(Arc::clone(&mount), parked_max, question_wait, Parking::default());
        Self(Arc::new(Rules {
            mount,
            parks,
            roots: None,
            declares: Abilities::ALL,
            interactive: None,
            apart: false,
            dropped_counts: DROPPED_COUNTS,
        }))
    }

    /// The same with bounds that suit most.
    pub fn of(mount: &Arc<str>) -> Self {
        Self::new(Arc::clone(mount), 64, Duration::from_secs(600))
    }

    /// The same rules, where `roots` are told to a child that asks outside of any call: an array
    /// of roots.
    #[must_use]
    pub fn with_roots(self, roots: Option<Raw>) -> Self {
        Self(Arc::new(Rules { roots, ..self.rules() }))
    }

    /// The same rules on a connection for clients that can be asked this.
    #[must_use]
    pub(super) fn declaring(self, declares: Abilities) -> Self {
        Self(Arc::new(Rules { declares, ..self.rules() }))
    }

    /// What a legacy child is told in its handshake that its client can do. On a connection that
    /// clients of all kinds share that is all that can be passed on: a caller that cannot answer is
    /// told which capability the call needs. One without interfaces gets the contents that each
    /// tool has for such (digest 1.19).
    pub(super) fn declared(&self) -> Raw {
        let settings = ObjectWriter::new().raw(extension::UI, extension::UI_SETTINGS).finish();
        extension::with(&self.0.declares.to_raw(), Some(&settings))
    }

    /// The same rules, where a connection has one call at a time that may ask, so that every
    /// question is known to belong to it; the next one waits so long for one that was given up.
    #[must_use]
    pub fn one_at_a_time(self, interactive: Option<Duration>) -> Self {
        Self(Arc::new(Rules { interactive, ..self.rules() }))
    }

    /// The same rules, where each caller or session has a connection of its own.
    #[must_use]
    pub fn apart(self, apart: bool) -> Self {
        Self(Arc::new(Rules { apart, ..self.rules() }))
    }

    /// The same rules, where a call may last so long at the child after it was given up.
    #[must_use]
    pub fn lasting(self, dropped_counts: Duration) -> Self {
        Self(Arc::new(Rules { dropped_counts, ..self.rules() }))
    }

    /// The same rules, where calls wait at `parking`, which may outlive the mount.
    #[must_use]
    pub fn parking_at(self, parking: &Parking) -> Self {
        let parks = self.0.parks.at(parking.clone());
        Self(Arc::new(Rules { parks, ..self.rules() }))
    }

    fn rules(&self) -> Rules {
        Rules {
            mount: Arc::clone(&self.0.mount),
            parks: Arc::clone(&self.0.parks),
            roots: self.0.roots.clone(),
            ..*self.0
        }
    }
}

impl Rules {
    /// `ListRootsResult` from the configuration.
    fn roots_result(&self) -> Option<Raw> {
        let roots = self.roots.as_ref()?;
        Some(ObjectWriter::new().raw("roots", roots).finish())
    }
}

/// Whether a child may ask in the middle of such a request: in a call, and in one for the result
/// of a task, where it asks for the call that the task was.
pub(super) fn may_ask(method: &Method) -> bool {
    question::may_ask(method) || method.as_str() == "tasks/result"
}
