//! Publishes one snapshot after each change of any mount's catalog.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::{join_all, select_all};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::roster::{Member, Roster, Rosters};
use crate::call::Offer;
use crate::mount::Status;
use crate::route::{Mounted, Snapshot};

/// Changes of several mounts that come this close together are published as one.
const CHANGES_GATHERED: Duration = Duration::from_millis(20);

/// What the router reads.
#[derive(Clone)]
pub struct Published {
    /// The state of all endpoints.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Wakes after each change of it; closed when the gateway drains.
    pub changed: watch::Receiver<()>,
    /// True once every mount was reached or given up for now.
    pub settled: watch::Receiver<bool>,
}

/// A mount and what is watched of it.
struct Watched {
    mounted: Arc<Mounted>,
    offer: watch::Receiver<Option<Arc<Offer>>>,
    status: watch::Receiver<Status>,
}

/// The task that writes what [`Published`] shows.
pub struct Publisher {
    rosters: Rosters,
    mounts: Vec<Watched>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    changed: watch::Sender<()>,
    settled: watch::Sender<bool>,
}

impl Publisher {
    /// A publisher for the mounts of a roster, and what it will publish.
    pub fn new(mut rosters: Rosters) -> (Self, Published) {
        let roster = Arc::clone(&rosters.borrow_and_update());
        let mounts = watched(&roster);
        let recalled =
            mounts.iter().map(|mount| (Arc::clone(&mount.mounted), mount.offer.borrow().clone()));
        let first = Snapshot::new(roster.naming.clone(), &recalled.collect::<Vec<_>>());
        let snapshot = Arc::new(ArcSwap::from_pointee(first));
        let (changed, settled) = (watch::Sender::new(()), watch::Sender::new(false));
        let published = Published {
            snapshot: Arc::clone(&snapshot),
            changed: changed.subscribe(),
            settled: settled.subscribe(),
        };
        (Self { rosters, mounts, snapshot, changed, settled }, published)
    }

    /// Publishes until `stop`, which also ends all listens.
    pub async fn run(mut self, stop: CancellationToken) {
        // Nobody waits for a mount whose last catalog is known.
        let unknown = self.mounts.iter().filter(|mount| mount.offer.borrow().is_none());
        let first = unknown.map(|mount| {
            let mut status = mount.status.clone();
            async move { status.wait_for(|status| status.settled).await.is_ok() }
        });
        let mut first = Box::pin(join_all(first.collect::<Vec<_>>()));
        let mut settled = false;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = any_changed(&mut self.mounts) => sleep(CHANGES_GATHERED).await,
                Ok(()) = self.rosters.changed() => {
                    self.mounts = watched(&self.rosters.borrow_and_update());
                }
                _all = &mut first, if !settled => settled = true,
            }
            self.publish();
            if settled {
                self.settled.send_replace(true);
            }
        }
    }

    fn publish(&mut self) {
        let offers: Vec<_> = self
            .mounts
            .iter_mut()
            .map(|mount| (Arc::clone(&mount.mounted), mount.offer.borrow_and_update().clone()))
            .collect();
        let naming = self.rosters.borrow().naming.clone();
        let snapshot = Snapshot::new(naming, &offers);
        for (mount, withheld) in snapshot.withheld() {
            let (key, reason) = (&withheld.key, &withheld.reason);
            tracing::warn!(%mount, list = withheld.list, key, reason, "an entry is withheld");
        }
        self.snapshot.store(Arc::new(snapshot));
        self.changed.send_replace(());
    }
}

fn watched(roster: &Roster) -> Vec<Watched> {
    let watched = |member: &Arc<Member>| Watched {
        mounted: Arc::clone(&member.mounted),
        offer: member.mount.offer(),
        status: member.mount.status(),
    };
    roster.members.iter().map(watched).collect()
}

async fn any_changed(mounts: &mut [Watched]) {
    if mounts.is_empty() {
        return std::future::pending().await;
    }
    let changes = mounts.iter_mut().map(|mount| Box::pin(mount.offer.changed()));
    if select_all(changes).await.0.is_err() {
        // The mount is gone, and with it this task's reason to be.
        std::future::pending::<()>().await;
    }
}
