//! Turns: dialling some children is dear, so that only a few are dialled at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The right to dial.
#[derive(Debug, Default)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Turn {
    /// The next turn at `places`.
    pub async fn at(places: &Arc<Semaphore>) -> Self {
        Self(Arc::clone(places).acquire_owned().await.ok())
    }
}
