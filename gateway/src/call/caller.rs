//! Who calls, and what that client can answer.

use std::sync::Arc;

use protocol::json::ObjectWriter;
use protocol::{Grant, Raw, extension};

/// The identity that everything sealed is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(pub Arc<str>);

impl Principal {
    /// Who calls while nothing authenticates.
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    /// The gateway itself: lists, probes.
    pub fn gateway() -> Self {
        Self("gateway".into())
    }
}

/// Who calls: principal, and what the client of *this* request declared.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who the front door says it is.
    pub principal: Principal,
    /// What the front door knows of it besides: claims and scopes.
    pub grant: Arc<Grant>,
    /// `ClientCapabilities` of this request or session, an object.
    pub capabilities: Raw,
    /// `Implementation` of the client, self-reported: for logs only.
    pub client_info: Option<Raw>,
    /// The number of the client's session or connection, where it has one: what a child that keeps
    /// state keeps apart.
    pub session: Option<u64>,
}

impl Caller {
    /// The gateway itself, which answers no questions. It declares the extension by which children
    /// decide what to list, since it lists for clients that have it too.
    pub fn gateway() -> Arc<Self> {
        Arc::new(Self {
            principal: Principal::gateway(),
            grant: Arc::default(),
            capabilities: ui(),
            client_info: None,
            session: None,
        })
    }

    /// Principal, claims and scopes as an object, for a child that is told who calls.
    pub fn told(&self) -> Raw {
        ObjectWriter::new()
            .string("principal", &self.principal.0)
            .raw("claims", &self.grant.claims)
            .raw("scopes", &Raw::of(&self.grant.scopes))
            .finish()
    }
}

/// The declaration of MCP Apps.
fn ui() -> Raw {
    let settings = ObjectWriter::new().raw(extension::UI, extension::UI_SETTINGS).finish();
    extension::with(&Raw::default(), Some(&settings))
}
