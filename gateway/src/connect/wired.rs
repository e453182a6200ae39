//! A child on a wire, whatever carries it: met in the era it speaks, called, closed in order.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::question::Abilities;
use tokio::sync::mpsc;

use super::probe::{Peer, Plan, Unmet, meet};
use super::wire::Cable;
use super::{Asking, EraPin};
use crate::call::{About, Call, Event, Fault, Future, Link, List, Reply};

/// What a wire runs over, where that has a life of its own.
pub(super) trait Carrier: Send + Sync + 'static {
    /// Waits for its end, the wire being hung up already, and brings it about.
    fn close(&self) -> Future<'_, ()>;

    /// How it ended, once it has and where that can be told.
    fn how_ended(&self) -> Option<String>;
}

/// A carrier that ends with its wire.
pub(super) struct NoCarrier;

impl Carrier for NoCarrier {
    fn close(&self) -> Future<'_, ()> {
        Box::pin(async {})
    }

    fn how_ended(&self) -> Option<String> {
        None
    }
}

/// A way to a child: the cable and what carries it.
pub(super) type Opened = (Cable, Box<dyn Carrier>);

/// Opens a way to a child, on which nothing was said yet.
pub(super) trait Open: Send + Sync {
    /// Opens one.
    fn open(&self) -> Future<'_, Result<Opened, Fault>>;
}

/// How a child on wires is begun with, and what was learnt of it.
pub(super) struct Meeting {
    era: EraPin,
    probe_wait: Duration,
    asking: Asking,
    /// Whether the last connection was legacy, so that the next need not ask (check 41).
    known_legacy: Mutex<bool>,
}

impl Meeting {
    /// Silence after the probe for `probe_wait` counts as legacy.
    pub(super) fn new(era: EraPin, probe_wait: Duration, asking: Asking) -> Self {
        Self { era, probe_wait, asking, known_legacy: Mutex::new(false) }
    }

    /// Opens a way and begins to speak on it, in the era that is pinned or found out, for clients
    /// that can be asked this.
    ///
    /// # Errors
    /// Those of `way`, and [`crate::call::Kind::Unreachable`] when nobody was met.
    pub(super) async fn link(
        &self,
        way: &dyn Open,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Result<WiredLink, Fault> {
        let asking = self.asking.clone().declaring(able);
        let mut known = self.era == EraPin::Auto && self.is_known_legacy();
        let probe = Plan::Probe { wait: self.probe_wait };
        let mut plan = match self.era {
            EraPin::Legacy => Plan::Handshake,
            EraPin::Modern => Plan::Modern,
            EraPin::Auto if known => Plan::Handshake,
            EraPin::Auto => probe,
        };
        // At most three ways: a handshake that was right the last time, a probe, and a handshake
        // after a probe that was deadly.
        loop {
            match WiredLink::meet(way, plan, events.clone(), asking.clone()).await {
                Ok(link) => {
                    self.know_legacy(matches!(link.peer, Peer::Legacy(_)));
                    return Ok(link);
                }
                Err(_) if known => {
                    known = false;
                    self.know_legacy(false);
                    plan = probe;
                }
                Err(unmet) if unmet.died_of_probe && plan == probe => plan = Plan::Handshake,
                Err(unmet) => return Err(unmet.fault),
            }
        }
    }

    fn is_known_legacy(&self) -> bool {
        *self.known_legacy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn know_legacy(&self, known: bool) {
        *self.known_legacy.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// A child that was met on a wire.
pub(super) struct WiredLink {
    // In the order in which they may go: who speaks, what carries it, what hears it.
    peer: Peer,
    cable: Cable,
    carrier: Box<dyn Carrier>,
}

impl WiredLink {
    async fn meet(
        way: &dyn Open,
        plan: Plan,
        events: mpsc::Sender<Event>,
        asking: Asking,
    ) -> Result<Self, Unmet> {
        let opened = way.open().await;
        let (cable, carrier) = opened.map_err(|fault| Unmet { fault, died_of_probe: false })?;
        let peer = meet(&cable.wire, plan, events, asking).await?;
        Ok(Self { peer, cable, carrier })
    }
}

impl Link for WiredLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(self.peer.serve(call))
    }

    fn about(&self) -> &About {
        self.peer.about()
    }

    fn tells_changes(&self, list: List) -> bool {
        self.peer.tells_changes(list)
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(self.cable.wire.lost())
    }

    fn is_busy(&self) -> bool {
        self.peer.is_busy()
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(self.peer.probe())
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async {
            self.peer.end_parked().await;
            self.cable.hang_up();
            self.carrier.close().await;
            let how = self.carrier.how_ended();
            self.cable.wire.end(how.as_deref().unwrap_or("the gateway closed the connection"));
        })
    }
}
