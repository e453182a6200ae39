//! Why a call has no reply: whose fault, what kind, may it be tried again.

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorObject, Raw};

/// Whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The client's.
    Client,
    /// The gateway's.
    Gateway,
    /// The child's.
    Child,
}

/// Whether the same call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail the same way.
    Never,
    /// The child certainly did nothing.
    Safe,
    /// The child may have done it: look before you repeat.
    Unknown,
}

/// What went wrong. Closed: each kind has its row in `session/answer.rs`.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The child's own error, as it said it.
    Child(ErrorObject),
    /// An unknown name or URI, a bad cursor or argument; `uri` for a missing resource.
    Invalid {
        /// The resource asked for, as the client named it.
        uri: Option<String>,
    },
    /// A required member of `_meta` is missing or wrong.
    BadMeta,
    /// The message is no request that this endpoint takes.
    InvalidRequest,
    /// The method is unknown, or nothing here offers it.
    UnknownMethod,
    /// A header and the body disagree.
    HeaderMismatch,
    /// The request needs client capabilities that it did not declare: these.
    MissingCapability(Raw),
    /// The version that was asked for is not spoken here.
    UnsupportedVersion(String),
    /// A limit of the gateway is reached.
    Limited {
        /// When trying again is sensible.
        retry_after: Option<Duration>,
    },
    /// The child cannot be reached; nothing was sent.
    Unreachable {
        /// The mount.
        mount: Arc<str>,
        /// Its health state.
        state: &'static str,
        /// When that began, seconds since 1970.
        since: u64,
        /// When it is tried again.
        retry_after: Option<Duration>,
        /// The child wants a credential that it was not given.
        unauthorized: bool,
    },
    /// No answer in time.
    Timeout {
        /// The mount.
        mount: Arc<str>,
    },
    /// The call was sent and the connection lost before the answer.
    OutcomeUnknown {
        /// The mount.
        mount: Arc<str>,
    },
    /// The child asked the client something, and the answer did not come, or did not reach it.
    Unanswered,
    /// The client no longer wants the answer.
    Cancelled,
    /// The child answered with something that is no answer.
    BadAnswer {
        /// The mount.
        mount: Arc<str>,
    },
    /// A defect of the gateway.
    Internal,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What went wrong.
    pub kind: Kind,
    /// One or two sentences that the client may read: no secret, no inner address.
    pub text: String,
    /// More, for the log alone.
    pub log: Option<String>,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), log: None }
    }

    /// An unknown name, a bad cursor or argument.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid { uri: None }, text)
    }

    /// The child's own error.
    pub fn child(error: ErrorObject) -> Self {
        Self::new(Kind::Child(error.clone()), error.message)
    }

    /// The same fault with more for the log.
    #[must_use]
    pub fn with_log(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Whose doing it is.
    pub fn origin(&self) -> Origin {
        match self.kind {
            Kind::Child(_)
            | Kind::Unreachable { .. }
            | Kind::Timeout { .. }
            | Kind::OutcomeUnknown { .. }
            | Kind::BadAnswer { .. } => Origin::Child,
            Kind::Internal | Kind::Limited { .. } => Origin::Gateway,
            _ => Origin::Client,
        }
    }

    /// Whether the same call may be sent again.
    pub fn retry(&self) -> Retry {
        match self.kind {
            Kind::Unreachable { .. } | Kind::Limited { .. } => Retry::Safe,
            Kind::Timeout { .. }
            | Kind::OutcomeUnknown { .. }
            | Kind::BadAnswer { .. }
            | Kind::Unanswered
            | Kind::Cancelled
            | Kind::Internal => Retry::Unknown,
            _ => Retry::Never,
        }
    }
}
