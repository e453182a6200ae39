//! What is known of a remote child before it is dialled.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use crate::connect::{Asking, EraPin};

/// What is known of a remote child before it is dialled.
#[derive(Clone)]
pub struct HttpSettings {
    /// The mount, for messages.
    pub mount: Arc<str>,
    /// Where the child's one MCP endpoint is; `http` or `https`.
    pub url: Uri,
    /// The URL without secrets, for people.
    pub shown: String,
    /// Sent with every request; values that are secret are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How the child's transport is known.
    pub transport: Transport,
    /// How the child's era is known.
    pub era: EraPin,
    /// The most bytes that one answer or one event of the child may have.
    pub message_bytes_max: usize,
    /// The longest that name resolution, TCP and TLS may take together.
    pub connect_timeout: Duration,
    /// How it may ask the clients that call it.
    pub asking: Asking,
}

/// How the transport of a remote child is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Found out: Streamable HTTP, and where that is refused HTTP+SSE.
    #[default]
    Auto,
    /// Streamable HTTP.
    Streamable,
    /// HTTP+SSE, of 2024-11-05.
    Sse,
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpSettings")
            .field("mount", &self.mount)
            .field("shown", &self.shown)
            .field("headers", &names)
            .field("transport", &self.transport)
            .field("era", &self.era)
            .field("message_bytes_max", &self.message_bytes_max)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
