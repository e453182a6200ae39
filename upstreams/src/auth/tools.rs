//! The tools about callers and tokens.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Auth;
use super::verify::{Verified, verify};
use crate::{Checks, Code, Fault, Who};

/// The tool that is there for development only.
pub(super) const ISSUE: &str = "issue_token";
/// Seconds that a token is good for unless told.
const TTL_SECONDS: u64 = 600;

#[derive(Serialize, JsonSchema)]
struct Caller {
    /// The name that the front door knows the caller by; `anonymous` where nothing authenticates.
    principal: String,
    is_anonymous: bool,
    scopes: Vec<String>,
    /// What the caller's token says.
    claims: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerifyArguments {
    /// The token, three parts with dots between them, without `Bearer`.
    #[schemars(length(min = 1))]
    token: String,
    /// Scopes that it has to carry, all of them.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    scopes: Vec<String>,
}

/// A token that is good.
#[derive(Serialize, JsonSchema)]
struct Good {
    /// Always true: a token that is not good is an error that says why.
    is_valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    scopes: Vec<String>,
    /// Seconds until it expires.
    expires_in: i64,
    algorithm: String,
    /// The name of the key that verified it, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    claims: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IssueArguments {
    /// Whom the token is about.
    #[schemars(length(min = 1, max = 200))]
    subject: String,
    /// What its bearer may do.
    #[serde(default)]
    #[schemars(
        length(max = 50),
        inner(length(min = 1, max = 200), regex(pattern = r"^[!#-\[\]-~]+$"))
    )]
    scopes: Vec<String>,
    /// Seconds that it is good for.
    #[schemars(range(min = 1, max = 3_600))]
    ttl_seconds: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Issued {
    token: String,
    /// Seconds until it expires.
    expires_in: u64,
}

#[tool_router(vis = "pub(super)")]
impl Auth {
    #[tool(
        title = "Who am I",
        description = "Says who calls, with which scopes and claims.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn whoami(&self, who: Who) -> Json<Caller> {
        Json(Caller {
            is_anonymous: &*who.principal == "anonymous",
            principal: who.principal.to_string(),
            scopes: who.grant.scopes.iter().map(|scope| scope.to_string()).collect(),
            claims: who.grant.claims.read().unwrap_or_default(),
        })
    }

    #[tool(
        title = "Verify a token",
        description = "Checks signature, issuer, audience and times of a token (JWT) and returns \
                       what it says. Nothing of a token that is not good is returned.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn verify_token(
        &self,
        Parameters(arguments): Parameters<VerifyArguments>,
    ) -> Result<Json<Good>, Fault> {
        let keys = self.keys.all();
        if keys.is_empty() {
            let text = "no keys are configured: whoever runs the gateway sets `issuer`, `audience` \
                        and `secret`, `public_key` or `jwks` in the options of this mount";
            return Err(Fault::new(Code::Unconfigured, text));
        }
        let Verified { algorithm, key_id, claims } =
            verify(&arguments.token, &keys, &self.demands)?;
        let scopes = scopes_of(&claims);
        let missing = arguments.scopes.iter().find(|scope| !scopes.contains(scope));
        if let Some(missing) = missing {
            let text = format!("the token is good, but does not carry the scope `{missing}`");
            return Err(Fault::new(Code::Forbidden, text));
        }
        let now = i64::try_from(get_current_timestamp()).unwrap_or(i64::MAX);
        let expires = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        Ok(Json(Good {
            is_valid: true,
            subject: claims.get("sub").and_then(Value::as_str).map(str::to_owned),
            scopes,
            expires_in: expires as i64 - now,
            algorithm: format!("{algorithm:?}"),
            key_id,
            claims,
        }))
    }

    #[tool(
        title = "Issue a token",
        description = "Makes a token for development, signed with the configured secret.",
        annotations(destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    fn issue_token(
        &self,
        Parameters(arguments): Parameters<IssueArguments>,
    ) -> Result<Json<Issued>, Fault> {
        let known = &self.options.scopes;
        let mut checks = Checks::new();
        for scope in &arguments.scopes {
            let is_known = known.is_empty() || known.contains_key(scope);
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            checks.that(is_known, "scopes", &format!("one of {}", names.join(", ")), scope);
        }
        checks.done()?;
        let (Some(secret), Some(issuer)) = (&self.options.secret, &self.options.issuer) else {
            return Err(Fault::new(Code::Unconfigured, "there is no secret to sign with"));
        };
        let now = get_current_timestamp();
        let expires_in = arguments.ttl_seconds.unwrap_or(TTL_SECONDS);
        let claims = json!({
            "iss": issuer,
            "aud": self.options.audience,
            "sub": arguments.subject,
            "scope": arguments.scopes.join(" "),
            "iat": now,
            "exp": now + expires_in,
        });
        let internal =
            |error: jsonwebtoken::errors::Error| Fault::new(Code::Internal, error.to_string());
        let key = EncodingKey::from_secret(secret.as_bytes()).map_err(internal)?;
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(internal)?;
        Ok(Json(Issued { token, expires_in }))
    }
}

/// The scopes of a token: `scope` as RFC 8693 has it, or `scp` as others do.
fn scopes_of(claims: &Map<String, Value>) -> Vec<String> {
    let mut scopes = BTreeSet::new();
    for claim in ["scope", "scp"] {
        match claims.get(claim) {
            Some(Value::String(text)) => scopes.extend(text.split(' ').map(str::to_owned)),
            Some(Value::Array(list)) => {
                scopes.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    scopes.remove("");
    scopes.into_iter().collect()
}
