//! Verifies a token: its form, its algorithm, its signature, and only then what it says.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode};
use serde_json::{Map, Value};

use super::keys::Key;
use crate::{Code, Fault};

/// Bytes of a token; real ones have to fit into a header.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What a token has to say to be good.
pub(super) struct Demands {
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
    /// Seconds that clocks may differ.
    pub(super) leeway: u64,
}

/// A good token.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
}

/// Verifies a token.
///
/// # Errors
/// The first thing that is wrong, each with a code of its own.
pub(super) fn verify(token: &str, keys: &[Key], demands: &Demands) -> Result<Verified, Fault> {
    let (algorithm, key_id) = head(token)?;
    let mut fitting = keys.iter().filter(|key| key.algorithms.contains(&algorithm)).peekable();
    if fitting.peek().is_none() {
        return Err(wrong_algorithm(&format!("{algorithm:?}"), keys));
    }
    // A key with a name is asked for by its name; one without may be any.
    let named = |key: &&Key| match (&key.id, &key_id) {
        (Some(id), Some(wanted)) => id == wanted,
        _ => true,
    };
    let mut named = fitting.filter(named).peekable();
    if named.peek().is_none() {
        let shown = short(key_id.as_deref().unwrap_or_default());
        let text = format!("expected a token of a known key, came one of the key `{shown}`");
        return Err(Fault::new(Code::TokenUnknownKey, text));
    }
    let validation = validation(algorithm, demands);
    for key in named {
        match decode::<Map<String, Value>>(token, &key.key, &validation) {
            Ok(data) => {
                has_one_issuer(&data.claims)?;
                let key_id = key.id.clone();
                return Ok(Verified { algorithm, key_id, claims: data.claims });
            }
            // Signed by another key, perhaps.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
            Err(error) => return Err(refused(&error, demands)),
        }
    }
    let text = "the signature is not of any key that is known here: the token was made or changed \
                by somebody else";
    Err(Fault::new(Code::TokenBadSignature, text))
}

/// The algorithm and the key that a token names. Nothing of it is believed: what it names has to be
/// what a key here is for.
fn head(token: &str) -> Result<(Algorithm, Option<String>), Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        let text =
            format!("expected a token of at most {TOKEN_BYTES_MAX} bytes, came {}", token.len());
        return Err(Fault::new(Code::Limited, text));
    }
    let parts: Vec<&str> = token.split('.').collect();
    if parts.len() != 3 {
        let text = match parts.len() {
            5 => "expected a signed token, came an encrypted one".to_owned(),
            count => format!("expected three parts with dots between them, came {count}"),
        };
        return Err(malformed(&text));
    }
    let head = URL_SAFE_NO_PAD.decode(parts[0]).ok();
    let head = head.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    let head = head.ok_or_else(|| malformed("expected an object in the first part, came none"))?;
    let Some(named) = head.get("alg").and_then(Value::as_str) else {
        return Err(malformed("expected an algorithm in the first part, came none"));
    };
    if named.eq_ignore_ascii_case("none") {
        let text =
            "expected a signed token, came one that says `alg: none`: anybody could have made it";
        return Err(Fault::new(Code::TokenUnsecured, text));
    }
    if head.contains_key("crit") {
        let text = "the token demands an extension (`crit`) that is not known here";
        return Err(malformed(text));
    }
    let algorithm = named.parse().map_err(|_| {
        let text = format!("expected an algorithm that is known here, came `{}`", short(named));
        Fault::new(Code::TokenWrongAlgorithm, text)
    })?;
    let key_id = head.get("kid").and_then(Value::as_str).map(str::to_owned);
    Ok((algorithm, key_id))
}

fn validation(algorithm: Algorithm, demands: &Demands) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = demands.leeway;
    validation.validate_nbf = true;
    validation.set_issuer(&demands.issuers);
    validation.set_audience(&demands.audiences);
    // Whoever leaves a claim out shall not be better off than who has a wrong one.
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

/// The library takes a list of issuers too; a token has one (RFC 7519, 4.1.1).
fn has_one_issuer(claims: &Map<String, Value>) -> Result<(), Fault> {
    match claims.get("iss") {
        Some(Value::String(_)) => Ok(()),
        _ => Err(malformed("`iss`: expected a text, came something else")),
    }
}

fn refused(error: &Error, demands: &Demands) -> Fault {
    let (code, text) = match error.kind() {
        ErrorKind::ExpiredSignature => {
            (Code::TokenExpired, "the token has expired: get a new one".to_owned())
        }
        ErrorKind::ImmatureSignature => {
            (Code::TokenNotYetValid, "the token is not valid yet (`nbf`)".to_owned())
        }
        ErrorKind::InvalidIssuer => {
            let text = format!("expected a token of {}, came another's", either(&demands.issuers));
            (Code::TokenWrongIssuer, text)
        }
        ErrorKind::InvalidAudience => {
            let text =
                format!("expected a token for {}, came one for others", either(&demands.audiences));
            (Code::TokenWrongAudience, text)
        }
        ErrorKind::MissingRequiredClaim(claim) => (
            Code::TokenIncomplete,
            format!("expected the claim `{claim}` in its proper form, came none"),
        ),
        ErrorKind::InvalidClaimFormat(claim) => {
            return malformed(&format!("the claim `{claim}` is not of the kind it has to be"));
        }
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => {
            let text = "the token's algorithm is not the one of its key".to_owned();
            (Code::TokenWrongAlgorithm, text)
        }
        _ => return malformed("its parts are not what parts of a token are"),
    };
    Fault::new(code, text)
}

fn malformed(text: &str) -> Fault {
    Fault::new(Code::TokenMalformed, format!("this is no token: {text}"))
}

fn wrong_algorithm(named: &str, keys: &[Key]) -> Fault {
    let known: BTreeSet<String> =
        keys.iter().flat_map(|key| &key.algorithms).map(|one| format!("{one:?}")).collect();
    let known: Vec<String> = known.into_iter().collect();
    let text = format!("expected one of the algorithms {}, came {named}", known.join(", "));
    Fault::new(Code::TokenWrongAlgorithm, text)
}

fn either(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}

fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}
