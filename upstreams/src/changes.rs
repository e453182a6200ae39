//! Tells listeners of changed resources: a child says what changed, each listener hears its share.
//!
//! ```text
//! self.changes.tell(Change::of("db://tables/a"));              // in a tool
//!
//! async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
//!     self.changes.serve(context).await                        // in the handler
//! }
//! ```

use rmcp::ErrorData;
use rmcp::service::{SubscriptionContext, SubscriptionSendError};
use tokio::sync::broadcast;

/// Changes that wait for a slow listener; one that falls behind is told of everything instead.
const CHANGES_WAITING_MAX: usize = 256;

/// What subscribers may want to hear of.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Whether the list of resources reads differently now.
    pub is_of_list: bool,
    /// The resources that read differently now.
    pub uris: Vec<String>,
    /// Whether any resource may read differently now: nobody watched for a while.
    pub is_of_anything: bool,
}

impl Change {
    /// One resource reads differently.
    pub fn of(uri: impl Into<String>) -> Self {
        Self { uris: vec![uri.into()], ..Self::default() }
    }

    /// Any resource may read differently.
    pub fn of_anything() -> Self {
        Self { is_of_anything: true, ..Self::default() }
    }
}

/// The way from a child's changes to all that listen.
#[derive(Debug)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(CHANGES_WAITING_MAX).0)
    }
}

impl Changes {
    /// Tells whoever listens.
    pub fn tell(&self, change: Change) {
        // Without a listener there is nobody to tell.
        self.0.send(change).ok();
    }

    /// Serves one `subscriptions/listen` until it is cancelled.
    ///
    /// # Errors
    /// None: a listener that is gone is an end like any other.
    pub async fn serve(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.0.subscribe();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let change = match change {
                Ok(change) => change,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    Change { is_of_list: true, ..Change::of_anything() }
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            if send(&context, change).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Tells one listener what it was promised of a change.
async fn send(context: &SubscriptionContext, change: Change) -> Result<(), SubscriptionSendError> {
    let accepted = context.accepted();
    if change.is_of_list && accepted.resources_list_changed == Some(true) {
        context.sink().notify_resource_list_changed().await?;
    }
    if change.is_of_anything {
        for uri in accepted.resource_subscriptions.iter().flatten() {
            context.sink().notify_resource_updated(uri.clone()).await?;
        }
        return Ok(());
    }
    for uri in change.uris {
        if accepted.resource_subscriptions.as_ref().is_some_and(|uris| uris.contains(&uri)) {
            context.sink().notify_resource_updated(uri).await?;
        }
    }
    Ok(())
}
