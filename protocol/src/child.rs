//! What a child compiled into the gateway's process has to be: one method, no bytes on a wire.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{ErrorObject, Raw};

/// A future that is sent between threads.
pub type Sending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request to a compiled-in child.
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildRequest {
    /// The method, such as `tools/call`.
    pub method: String,
    /// The `params` object, as a modern (2026-07-28) client would send it: `_meta` holds the
    /// protocol version, the caller's capabilities and, where progress is wanted, a token.
    pub params: Raw,
    /// Where notifications that belong to this request go (progress, log messages, and for
    /// `subscriptions/listen` the acknowledgement and every event).
    pub back: Arc<dyn Notify>,
}

impl ChildRequest {
    /// A request.
    pub fn new(method: impl Into<String>, params: Raw, back: Arc<dyn Notify>) -> Self {
        Self { method: method.into(), params, back }
    }
}

/// A server in this process, spoken to in the modern era's shapes.
///
/// Stateless as `2026-07-28` is: no handshake comes first, each request carries its own metadata,
/// `server/discover` and `subscriptions/listen` are requests like any other.
pub trait InProcess: Send + Sync + 'static {
    /// Answers one request with the raw `result` object or an error. Dropping the future cancels
    /// the request. A `subscriptions/listen` stays pending for as long as it is served.
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>>;
}

/// Takes the notifications that a request causes.
pub trait Notify: Send + Sync {
    /// Sends one notification; waits while the receiver's bounded queue is full.
    fn notify<'a>(&'a self, method: &'a str, params: Raw) -> Sending<'a, ()>;
}
