//! A connection to a child as its mount sees it: neither transport nor era shows.

use std::sync::Arc;

use protocol::Raw;
use protocol::question::Abilities;
use tokio::sync::mpsc;

use super::{About, Call, Fault, Future, Reply, Turn};

/// One of the lists of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
    /// Resources and resource templates: they change together.
    Resources,
}

/// What a child tells by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A list changed.
    Changed(List),
}

/// Opens connections to one child.
pub trait Dial: Send + Sync + 'static {
    /// Connects, finds out the era, shakes hands. Dropping the future leaves nothing behind.
    /// Events of the new link go to `events` (try_send: a full queue loses nothing that a later
    /// look at the list would not show).
    ///
    /// # Errors
    /// [`super::Kind::Unreachable`] with what was tried and what came; `unauthorized` when the
    /// child asks for a credential.
    fn dial(&self, events: mpsc::Sender<Event>) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        self.dial_for(Abilities::ALL, events)
    }

    /// The same for clients that can be asked this, no more and no less: a child that is told once
    /// for all calls is told so.
    ///
    /// # Errors
    /// Those of [`Self::dial`].
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>>;

    /// Waits until this child may be dialled, where dialling is dear and children take turns.
    /// Others wait until what comes back is dropped. Not part of the time that dialling may take.
    fn turn(&self) -> Future<'_, Turn> {
        Box::pin(std::future::ready(Turn::default()))
    }

    /// What is dialled, for people: a command or a URL without secrets.
    fn address(&self) -> String;

    /// The last lines that a child process wrote to standard error, oldest first; empty for
    /// children that have none.
    fn last_words(&self) -> Vec<String>;

    /// What a compiled-in child tells of itself, an object: pools and the like.
    fn figures(&self) -> Option<Raw> {
        None
    }
}

/// One live connection to a child.
pub trait Link: Send + Sync + 'static {
    /// Answers one call. Names and URIs in it are the child's own. Dropping the future cancels the
    /// call at the child.
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>>;

    /// What the child says of itself.
    fn about(&self) -> &About;

    /// Whether the child's list can be kept without asking again, because it tells of changes.
    fn tells_changes(&self, list: List) -> bool;

    /// Waits until the connection is lost, and says why. Pending for ever on connections that
    /// cannot be lost as such (HTTP without a stream, compiled-in children).
    fn lost(&self) -> Future<'_, String>;

    /// Whether a call is open at the child, be it one that waits for its client.
    fn is_busy(&self) -> bool {
        false
    }

    /// Asks for a sign of life in the child's era: `ping`, or `server/discover`.
    ///
    /// # Errors
    /// The fault of that request.
    fn probe(&self) -> Future<'_, Result<(), Fault>>;

    /// Ends the connection in order, within a bound of its own: the child's process is gone after.
    fn close(&self) -> Future<'_, ()>;
}
