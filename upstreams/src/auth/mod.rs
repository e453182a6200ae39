//! Who calls, and whether a token is good: tools that verify, and one to make tokens with.

mod options;
mod provider;
mod keys;
mod verify;
mod tools;

use std::path::Path;
use std::sync::LazyLock;

use protocol::Violation;
use rmcp::model::{
    Implementation, ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};
use serde_json::json;

use self::keys::Keys;
use self::options::AuthOptions;
use self::verify::Demands;
use crate::{Fault, Tools, Who, wrong_option};

/// The scopes: those of the caller, and those there are.
const SCOPES_URI: &str = "auth://scopes";
/// Seconds that clocks may differ, unless told.
const LEEWAY_SECONDS: u64 = 60;

static TOOLS: LazyLock<Tools<Auth>> = LazyLock::new(|| {
    let mut tools = Auth::tool_router();
    tools.remove_route(tools::ISSUE);
    Tools::new(tools)
});
static TOOLS_OF_DEVELOPMENT: LazyLock<Tools<Auth>> =
    LazyLock::new(|| Tools::new(Auth::tool_router()));

/// The server of callers and tokens.
pub(super) struct Auth {
    options: AuthOptions,
    keys: Keys,
    demands: Demands,
}

impl Auth {
    /// A server by its options; paths are seen from `folder`.
    ///
    /// # Errors
    /// Options that do not fit together, and files that hold no keys.
    pub(super) fn new(options: AuthOptions, folder: &Path) -> Result<Self, Vec<Violation>> {
        provider::install();
        let is_given = [&options.secret, &options.public_key, &options.jwks];
        let has_keys = is_given.iter().any(|option| option.is_some());
        let mut wrong = Vec::new();
        if has_keys && options.issuer.is_none() {
            wrong.push(wrong_option("issuer", "the issuer of the tokens, as there are keys"));
        }
        if has_keys && options.audience.is_empty() {
            wrong.push(wrong_option("audience", "at least one audience, as there are keys"));
        }
        if options.issue_tokens && options.secret.is_none() {
            wrong.push(wrong_option("issue_tokens", "a `secret` to sign with, or false"));
        }
        let path = |option: &Option<String>| option.as_ref().map(|path| folder.join(path));
        let (public_key, jwks) = (path(&options.public_key), path(&options.jwks));
        let keys = match Keys::new(options.secret.as_deref(), public_key, jwks) {
            Ok(keys) if wrong.is_empty() => keys,
            Ok(_) => return Err(wrong),
            Err((option, expected)) => {
                wrong.push(wrong_option(option, expected));
                return Err(wrong);
            }
        };
        let demands = Demands {
            issuers: options.issuer.iter().cloned().collect(),
            audiences: options.audience.clone(),
            leeway: options.leeway_seconds.unwrap_or(LEEWAY_SECONDS),
        };
        Ok(Self { options, keys, demands })
    }

    fn tools(&self) -> &'static Tools<Self> {
        if self.options.issue_tokens { &TOOLS_OF_DEVELOPMENT } else { &TOOLS }
    }
}

#[tool_handler(router = self.tools())]
impl ServerHandler for Auth {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let info = Implementation::new("auth", env!("CARGO_PKG_VERSION")).with_title("Auth");
        ServerConfig::new(capabilities).with_server_info(info).with_instructions(
            "`whoami` says who calls; `verify_token` says whether a token is good, and what \
             it says.",
        )
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let scopes = Resource::new(SCOPES_URI, "scopes")
            .with_title("Scopes")
            .with_description("The scopes of the caller, and those there are.")
            .with_mime_type("application/json");
        Ok(ListResourcesResult::with_all_items(vec![scopes]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        if uri != SCOPES_URI {
            let text = format!("there is no such resource: expected {SCOPES_URI}");
            return Err(Fault::not_found(text).into_error_of(Some(&uri)));
        }
        let who = Who::of(&context);
        let text = json!({ "granted": who.grant.scopes, "known": self.options.scopes }).to_string();
        let contents = ResourceContents::text(text, uri).with_mime_type("application/json");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
