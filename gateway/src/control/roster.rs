//! The mounts that run, in the order of the file: what the publisher merges and the admin shows.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::MountConfig;
use crate::mount::Mount;
use crate::route::{Mounted, Naming};

/// One mount that runs.
pub struct Member {
    /// Its entry in the file.
    pub entry: MountConfig,
    /// The mount as routing sees it.
    pub mounted: Arc<Mounted>,
    /// The mount itself.
    pub mount: Arc<Mount>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// All mounts that run, and how their names are made.
pub struct Roster {
    /// How names are made.
    pub naming: Naming,
    /// In the order of the file.
    pub members: Vec<Arc<Member>>,
}

/// The roster now, and each change of it.
pub type Rosters = watch::Receiver<Arc<Roster>>;
