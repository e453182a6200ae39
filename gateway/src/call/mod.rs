//! What flows through the middle: a call, its reply or fault, and who may answer one.

mod caller;
mod aside;
mod backchannel;
mod reply;
mod fault;
mod serve;
mod offer;
mod link;
mod turn;
mod clock;

use std::sync::Arc;

use protocol::header::Mirrored;
use protocol::question::Abilities;
use protocol::{ErrorObject, Method, Raw};

pub use aside::{Aside, Standing};
pub use backchannel::{Backchannel, MORE, NOTICES_QUEUED_MAX, Notice, POLL, Switch};
pub use caller::{Caller, Principal};
pub use fault::{Fault, Kind, Origin, Retry};
pub use link::{Dial, Event, Link, List};
pub use offer::{About, Entry, Offer, Withheld};
pub use reply::{Reply, ReplyKind, Room};
pub use serve::{BoxServe, DynServe, Future, Serve};
pub use turn::Turn;

pub(crate) use clock::unix_seconds;

/// Which of the gateway's endpoints a call came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/mcp`: all mounts, merged.
    Merged,
    /// `/mcp/<prefix>`: one mount, nothing renamed.
    Mount(Arc<str>),
}

/// A request on its way from a client to a mount, always in the modern era's shape.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The `params` object. `_meta` is as the client sent it; the per-hop members in it are
    /// replaced on the way out, all others reach the child.
    pub params: Raw,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Where the call came in.
    pub endpoint: Endpoint,
    /// Whether the client gave a progress token.
    pub wants_progress: bool,
    /// The least severe log message that the client wants; none when absent.
    pub log_level: Option<u8>,
    /// `Mcp-Param-*` headers as they came: name in lower case behind the prefix, value undecoded.
    /// `None` when the transport has no headers, so that there is nothing to check.
    pub param_headers: Option<Arc<[(String, String)]>>,
    /// Arguments that the child wants mirrored in headers, read from the tool's schema.
    pub mirrored: Arc<[Mirrored]>,
    /// What the child is told of the caller in the metadata; set by a mount that tells it.
    pub told: Option<Raw>,
    /// Questions of the child that the client answered with an error, by their key: the modern era
    /// has no words for that in `inputResponses`.
    pub refused: Arc<[(String, ErrorObject)]>,
    /// What the client could be asked when the call or the task began that this is about, where
    /// that is known: it is on a connection that was made for this.
    pub begun_with: Option<Abilities>,
    /// Whether a listen is of use only with all that it asks for: a fault of one part is its own.
    pub whole: bool,
    /// The way to the client outside of this call; none where there are no words for that.
    pub aside: Aside,
    /// What flows against the call.
    pub back: Backchannel,
}

impl Call {
    /// A call of the gateway's own making, such as a page of a child's catalog.
    pub fn own(method: Method, params: Raw, caller: Arc<Caller>) -> Self {
        Self {
            method,
            params,
            caller,
            endpoint: Endpoint::Merged,
            wants_progress: false,
            log_level: None,
            param_headers: None,
            mirrored: Arc::default(),
            told: None,
            refused: Arc::default(),
            begun_with: None,
            whole: false,
            aside: Aside::default(),
            back: Backchannel::none(),
        }
    }
}
