//! Who calls, typed in the tool: never an argument that a model could make up.
//!
//! ```text
//! #[tool(description = "Forgets everything.")]
//! async fn forget(&self, who: Who) -> Result<Json<Forgotten>, Fault> {
//!     who.require_scope("notes:write")?;
//! ```

use std::sync::Arc;

use protocol::Grant;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde::de::DeserializeOwned;

use crate::fault::{Code, Fault};

/// The caller of this request, as the front door knows it.
#[derive(Debug, Clone)]
pub struct Who {
    /// Its name; `anonymous` where nothing authenticates.
    pub principal: Arc<str>,
    /// Its claims and scopes.
    pub grant: Arc<Grant>,
}

impl Who {
    /// The caller of a request, for handlers that are not tools or prompts. A server that is
    /// served by rmcp itself and not mounted has anonymous callers.
    pub fn of(context: &RequestContext<RoleServer>) -> Self {
        let here = context.extensions.get::<Self>().cloned();
        here.unwrap_or_else(|| Self { principal: "anonymous".into(), grant: Arc::default() })
    }

    /// Refuses a caller without this scope.
    ///
    /// # Errors
    /// [`Code::Forbidden`], with the scope that is missing.
    pub fn require_scope(&self, scope: &str) -> Result<(), Fault> {
        if self.grant.has_scope(scope) {
            return Ok(());
        }
        let who = &self.principal;
        let text =
            format!("this needs the scope `{scope}`, which the caller `{who}` does not have");
        Err(Fault::new(Code::Forbidden, text))
    }

    /// The claims of the caller's token as a type.
    ///
    /// # Errors
    /// [`Code::Forbidden`], with the claim that is missing or of another type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.grant.claims.read().map_err(|fault| {
            let text = format!("the claims of the caller's token are not as needed here: {fault}");
            Fault::new(Code::Forbidden, text)
        })
    }
}

impl<C: AsRequestContext> FromContextPart<C> for Who {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Self::of(context.as_request_context()))
    }
}
