//! Finds out the era of a remote child by its answer to `server/discover` (digest 1.12.3).

use std::ops::ControlFlow::Continue;

use http::StatusCode;
use protocol::capabilities::ServerCapabilities;
use protocol::json::Members;
use protocol::{ErrorObject, Method, Raw, Version, error, meta};
use tokio::time::timeout;

use super::answer::{Broken, Refusal};
use super::client::HttpClient;
use super::faults::unreachable;
use super::life::Life;
use super::modern::Requests;
use super::session::{HANDSHAKE_WAIT, as_unreachable, mutual_legacy, supported, versions};
use super::wanted::Ended;
use crate::call::{About, Call, Caller, Fault};

/// What the first answer tells of a child.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It speaks our modern version, and says this of itself.
    Modern(About),
    /// It wants a handshake; ask for this version.
    Legacy(Version),
}

/// What one answer tells.
enum Judged {
    Verdict(Verdict),
    /// It refused a version that it names as its own: worth one more request.
    Again,
}

/// Asks the child.
///
/// # Errors
/// [`crate::call::Kind::Unreachable`] when the answer tells nothing about the era, or none of its
/// versions is spoken here. Nothing may be kept of such an answer.
pub(super) async fn probe(client: &HttpClient, requests: &Requests) -> Result<Verdict, Fault> {
    let life = Life::new();
    let call = Call::own(Method::Discover, Raw::default(), Caller::gateway());
    for _ in 0..2 {
        let asking = requests.ask(&call, &life, |_| Continue(()));
        let late = |_| {
            let why = format!("no answer to server/discover in {} s", HANDSHAKE_WAIT.as_secs());
            unreachable(client.mount(), &why)
        };
        let came = timeout(HANDSHAKE_WAIT, asking).await.map_err(late)??;
        if let Judged::Verdict(verdict) = judge(client, &call, came)? {
            return Ok(verdict);
        }
    }
    let version = requests.version();
    let why = format!("it refuses version {version}, which it names as supported");
    Err(unreachable(client.mount(), &why))
}

fn judge(client: &HttpClient, call: &Call, came: Result<Ended, Broken>) -> Result<Judged, Fault> {
    let legacy = Ok(Judged::Verdict(Verdict::Legacy(Version::NEWEST_LEGACY)));
    match came {
        Ok(Ended::Answered(Ok(result))) => discovered(client, &result),
        Ok(Ended::Answered(Err(error))) => complained(client, &error),
        Ok(Ended::Refused(refusal)) => refused(client, call, refusal),
        Ok(Ended::Left) => legacy,
        // An answer that is none is what a server gives that never heard of this method.
        Err(Broken::NoAnswer(_)) => legacy,
        Err(broken) => Err(broken.fault(client.mount(), &call.method)),
    }
}

fn refused(client: &HttpClient, call: &Call, refusal: Refusal) -> Result<Judged, Fault> {
    let status = refusal.status;
    let locked = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let modern = refusal.error.as_ref().filter(|error| is_modern(error.code) && !locked);
    if let Some(error) = modern {
        return complained(client, error);
    }
    let tells_nothing = locked
        || !status.is_client_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if tells_nothing {
        let refusal = Refusal { error: None, ..refusal };
        return Err(as_unreachable(client, refusal.fault(client.mount(), call)));
    }
    Ok(Judged::Verdict(Verdict::Legacy(Version::NEWEST_LEGACY)))
}

/// Whether only a modern server sends this code.
fn is_modern(code: i64) -> bool {
    matches!(
        code,
        error::UNSUPPORTED_VERSION | error::HEADER_MISMATCH | error::MISSING_CLIENT_CAPABILITY
    )
}

/// A JSON-RPC error. Of a modern one there is no way back to the handshake (check 39), except to a
/// version that the child itself names.
fn complained(client: &HttpClient, error: &ErrorObject) -> Result<Judged, Fault> {
    if !is_modern(error.code) {
        return Ok(Judged::Verdict(Verdict::Legacy(Version::NEWEST_LEGACY)));
    }
    if error.code == error::UNSUPPORTED_VERSION {
        let named = supported(error.data.as_ref());
        if named.iter().any(|version| version == Version::NEWEST_MODERN.as_str()) {
            return Ok(Judged::Again);
        }
        return spoken(client, &named);
    }
    let why = format!("it refused server/discover: {:.200} ({})", error.message, error.code);
    Err(unreachable(client.mount(), &why))
}

/// The versions decide, not that there was an answer (check 42).
fn discovered(client: &HttpClient, result: &Raw) -> Result<Judged, Fault> {
    let members = Members::read(result).ok();
    let named = versions(members.as_ref().and_then(|members| members.get("supportedVersions")));
    let (Some(members), Some(named)) = (&members, named.filter(|named| !named.is_empty())) else {
        return Ok(Judged::Verdict(Verdict::Legacy(Version::NEWEST_LEGACY)));
    };
    let version = Version::NEWEST_MODERN;
    if !named.iter().any(|named| named == version.as_str()) {
        return spoken(client, &named);
    }
    let capabilities = members.get("capabilities").map(|text| result.slice(text));
    let capabilities = capabilities.and_then(|raw| ServerCapabilities::read(&raw).ok());
    let info = members.get("_meta").and_then(|text| Members::read(text).ok());
    let info = info.and_then(|meta| meta.get(meta::SERVER_INFO).map(|text| result.slice(text)));
    Ok(Judged::Verdict(Verdict::Modern(About {
        speaks: version.era().to_string(),
        server_info: info,
        capabilities: capabilities.unwrap_or_default(),
        instructions: members.get_string("instructions").map(|text| text.into_owned()),
        keeps_state: false,
    })))
}

/// The handshake, with the best version that the child names; a fault when there is none.
fn spoken(client: &HttpClient, named: &[String]) -> Result<Judged, Fault> {
    if let Some(version) = mutual_legacy(named) {
        return Ok(Judged::Verdict(Verdict::Legacy(version)));
    }
    const SHOWN_MAX: usize = 5;
    let shown: Vec<String> = named.iter().take(SHOWN_MAX).map(|v| format!("{v:.20}")).collect();
    let shown = if shown.is_empty() { "none that it names".to_owned() } else { shown.join(", ") };
    let why = format!(
        "it speaks no version that the gateway speaks: expected {} or older, found {shown}",
        Version::NEWEST_MODERN
    );
    Err(unreachable(client.mount(), &why))
}
