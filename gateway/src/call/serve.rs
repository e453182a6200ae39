//! The one trait that answers calls, by reference, and its boxed form.

use std::pin::Pin;
use std::sync::Arc;

use super::{Call, Fault, Reply};

/// A future that is sent between threads.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Answers calls. Layers wrap one `Serve` in another; dropping the future cancels the call.
pub trait Serve: Send + Sync + 'static {
    /// Answers one call.
    fn serve(&self, call: Call) -> impl std::future::Future<Output = Result<Reply, Fault>> + Send;
}

/// [`Serve`] behind a pointer; every [`Serve`] is one.
pub trait DynServe: Send + Sync + 'static {
    /// Answers one call.
    fn serve_boxed(&self, call: Call) -> Future<'_, Result<Reply, Fault>>;
}

/// A whole stack of layers as one pointer.
pub type BoxServe = Arc<dyn DynServe>;

impl<S: Serve> DynServe for S {
    fn serve_boxed(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(self.serve(call))
    }
}

impl Serve for BoxServe {
    async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        self.as_ref().serve_boxed(call).await
    }
}
