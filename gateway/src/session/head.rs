//! What a transport tells of a message besides its body.

use std::sync::Arc;

use protocol::{Grant, Version};

use crate::call::{Endpoint, Principal};

/// The headers that matter to the protocol, as they came.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`, undecoded.
    pub name: Option<String>,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// `Last-Event-ID`.
    pub last_event: Option<String>,
    /// `Accept` leaves out event streams: an answer is all that the client takes.
    pub no_stream: bool,
    /// `Mcp-Param-*`: name in lower case behind the prefix, value undecoded.
    pub params: Arc<[(String, String)]>,
}

/// Where a message arrived, and from whom.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Who calls.
    pub principal: Principal,
    /// What is known of the caller besides.
    pub grant: Arc<Grant>,
    /// The headers; `None` on transports that have none.
    pub head: Option<Head>,
}

impl Head {
    /// Whether the headers alone say that the message is of the modern era (digest 1.12.1 step 4).
    /// A legacy version that is named decides, whatever else a client puts beside it.
    pub(super) fn is_modern(&self) -> bool {
        let version = self.version.as_deref().and_then(|text| Version::read(text.trim()));
        version.map_or(self.method.is_some(), Version::is_modern)
    }
}
