//! What `[mounts.<name>.options]` may say to `auth`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthOptions {
    /// Who makes the tokens that are good: their `iss`.
    pub(super) issuer: Option<String>,
    /// Whom they are made for, any of these: their `aud`.
    #[schemars(length(max = 20))]
    pub(super) audience: Vec<String>,
    /// The secret that they are signed with (HS256, HS384, HS512).
    pub(super) secret: Option<String>,
    /// A file with a public key in PEM.
    pub(super) public_key: Option<String>,
    /// A file with a set of keys in JSON.
    pub(super) jwks: Option<String>,
    /// Seconds that clocks may differ; 60 unless given.
    #[schemars(range(max = 600))]
    pub(super) leeway_seconds: Option<u64>,
    /// Scopes there are, and what each is for.
    pub(super) scopes: BTreeMap<String, String>,
    /// Whether there is a tool that makes tokens, for development only; it signs with `secret`.
    pub(super) issue_tokens: bool,
}
