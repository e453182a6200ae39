//! From faults to JSON-RPC codes and HTTP status, and the last touch on results: one table per era.

use bytes::Bytes;
use protocol::json::{self, Members, ObjectEdit, ObjectWriter};
use protocol::{ErrorObject, Method, Raw, Version, envelope, error, meta};

use super::downgrade::Face;
use crate::call::{Fault, Kind, Reply, ReplyKind};

/// `Implementation` of the gateway, an object.
pub(super) const IDENTITY: &str = concat!(
    r#"{"name":"gateway","title":"MCP gateway","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// The member of an error's `data` under which the gateway says more, as design says: owned.
const DATA: &str = "gateway";

/// A fault as an error object and the status of a modern answer (digest 1.7, design 7).
pub(super) fn error_of(fault: &Fault) -> (u16, ErrorObject) {
    let text = || fault.text.clone();
    let data = |code: &str| ObjectWriter::new().string("code", code);
    let under = |inside: ObjectWriter| ObjectWriter::new().raw(DATA, &inside.finish()).finish();
    let at = |code: &str, mount: &str| under(data(code).string("mount", mount));
    match &fault.kind {
        Kind::Child(child) => (200, child.clone().relayed()),
        Kind::Invalid { uri } => {
            let mut object = ObjectWriter::new();
            if let Some(uri) = uri {
                object = object.string("uri", uri);
            }
            let object = object.raw(DATA, &data("VALIDATION_ERROR").finish()).finish();
            (200, ErrorObject::new(error::INVALID_PARAMS, text()).with_data(object))
        }
        Kind::BadMeta => {
            let object = under(data("VALIDATION_ERROR"));
            (400, ErrorObject::new(error::INVALID_PARAMS, text()).with_data(object))
        }
        Kind::InvalidRequest => {
            let object = under(data("INVALID_REQUEST"));
            (400, ErrorObject::new(error::INVALID_REQUEST, text()).with_data(object))
        }
        Kind::UnknownMethod => {
            let object = under(data("METHOD_NOT_FOUND"));
            (404, ErrorObject::new(error::METHOD_NOT_FOUND, text()).with_data(object))
        }
        Kind::HeaderMismatch => (400, ErrorObject::new(error::HEADER_MISMATCH, text())),
        Kind::MissingCapability(required) => {
            let object = ObjectWriter::new().raw("requiredCapabilities", required).finish();
            (400, ErrorObject::new(error::MISSING_CLIENT_CAPABILITY, text()).with_data(object))
        }
        Kind::UnsupportedVersion(requested) => {
            let supported = Raw::of(&modern_versions());
            let object = ObjectWriter::new().raw("supported", &supported);
            let object = object.string("requested", requested).finish();
            (400, ErrorObject::new(error::UNSUPPORTED_VERSION, text()).with_data(object))
        }
        Kind::Limited { retry_after } => {
            let mut object = data("LIMITED");
            if let Some(after) = retry_after {
                object = object.raw("retryAfterMs", &after.as_millis().to_string());
            }
            (429, ErrorObject::new(error::INTERNAL_ERROR, text()).with_data(under(object)))
        }
        Kind::Unreachable { mount, state, since, retry_after, .. } => {
            let mut object = data("CONNECTION_ERROR").string("mount", mount);
            object = object.string("state", state).raw("since", &since.to_string());
            if let Some(after) = retry_after {
                object = object.raw("retryAfterMs", &after.as_millis().to_string());
            }
            (200, ErrorObject::new(error::INTERNAL_ERROR, text()).with_data(under(object)))
        }
        Kind::Timeout { mount } => internal(fault, at("TIMEOUT", mount)),
        Kind::OutcomeUnknown { mount } => internal(fault, at("OUTCOME_UNKNOWN", mount)),
        Kind::BadAnswer { mount } => internal(fault, at("BAD_ANSWER", mount)),
        Kind::Unanswered => internal(fault, under(data("UNANSWERED"))),
        Kind::Cancelled => internal(fault, under(data("CANCELLED"))),
        Kind::Internal => internal(fault, under(data("INTERNAL_ERROR"))),
    }
}

fn internal(fault: &Fault, data: Raw) -> (u16, ErrorObject) {
    (200, ErrorObject::new(error::INTERNAL_ERROR, fault.text.clone()).with_data(data))
}

/// Status of an error that a modern child sent, so that it means the same one hop further.
fn child_status(error: &ErrorObject) -> u16 {
    match error.code {
        error::METHOD_NOT_FOUND => 404,
        error::MISSING_CLIENT_CAPABILITY => 400,
        _ => 200,
    }
}

/// The modern versions served here, newest first: what discover and `-32022` say.
pub(super) fn modern_versions() -> Vec<&'static str> {
    let modern = Version::ALL.into_iter().rev().filter(|version| version.is_modern());
    modern.map(Version::as_str).collect()
}

/// The whole answer to a modern request: HTTP status and body.
pub(super) fn modern(id: &Raw, method: &Method, outcome: Result<Reply, Fault>) -> (u16, Bytes) {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(fault) => {
            let (status, object) = error_of(&fault);
            log(&fault, method);
            let status = match &fault.kind {
                Kind::Child(_) => child_status(&object),
                _ => status,
            };
            return (status, envelope::error(Some(id), &object));
        }
    };
    let result = finish_modern(method, &reply).unwrap_or(reply.result);
    (200, reply.room.keep(envelope::result(id, &result)))
}

/// Adds what every modern result has: `resultType`, who answers, and for the cacheable ones how
/// long (checks 4, 6, 151).
fn finish_modern(method: &Method, reply: &Reply) -> Option<Raw> {
    let members = Members::read(&reply.result).ok()?;
    let mut edit = ObjectEdit::new(&members);
    if members.get("resultType").is_none() {
        edit.set("resultType", "\"complete\"");
    }
    let meta = match members.get("_meta") {
        Some(text) => {
            let inside = Members::read(text).ok()?;
            ObjectEdit::new(&inside).set(meta::SERVER_INFO, IDENTITY).finish()
        }
        None => ObjectWriter::new().raw(meta::SERVER_INFO, IDENTITY).finish().to_string(),
    };
    edit.set("_meta", meta);
    if *method == Method::Discover {
        edit.set("supportedVersions", Raw::of(&modern_versions()).to_string());
    }
    if method.is_cacheable() && reply.kind == ReplyKind::Complete {
        let ttl = members.get("ttlMs").and_then(|text| text.parse::<u64>().ok());
        if ttl.is_none() {
            edit.set("ttlMs", "0");
        }
        if !matches!(members.get_string("cacheScope").as_deref(), Some("public" | "private")) {
            edit.set("cacheScope", "\"private\"");
        }
    }
    Some(edit.finish_raw())
}

/// The whole answer to a legacy request.
pub(super) fn legacy(
    face: Face,
    id: &Raw,
    method: &Method,
    outcome: Result<Reply, Fault>,
) -> Bytes {
    match outcome {
        Ok(reply) if reply.kind == ReplyKind::InputRequired => {
            let text = "the server asks for a further round of this call, which the gateway does \
                        not lead clients of this protocol version through";
            legacy(face, id, method, Err(Fault::new(Kind::Internal, text)))
        }
        Ok(reply) => reply.room.keep(envelope::result(id, &face.result(method, &reply.result))),
        Err(fault) => {
            log(&fault, method);
            envelope::error(Some(id), &face.error(&fault, error_of(&fault).1))
        }
    }
}

/// Says a fault to the log where it is not the client's own doing.
fn log(fault: &Fault, method: &Method) {
    use crate::call::Origin;
    let (text, more) = (fault.text.as_str(), fault.log.as_deref());
    let method = method.as_str();
    match fault.origin() {
        Origin::Client => tracing::debug!(method, text, more, "refused"),
        Origin::Child => tracing::info!(method, text, more, "failed at the child"),
        Origin::Gateway => tracing::warn!(method, text, more, "failed here"),
    }
}

/// A notification's params with the client's own progress token in place of the hop's.
pub(super) fn with_token(params: &Raw, token: &Raw) -> Option<Raw> {
    let members = Members::read(params).ok()?;
    Some(ObjectEdit::new(&members).set(meta::PROGRESS_TOKEN, token.as_str()).finish_raw())
}

/// The `progress` member, to keep it rising; a number that is too large to be read is none.
pub(super) fn progress(params: &Raw) -> Option<f64> {
    Members::read(params).ok()?.get("progress")?.parse().ok().filter(|now: &f64| now.is_finite())
}

/// The `level` member of a log message, as a position in [`meta::LEVELS`].
pub(super) fn level(params: &Raw) -> Option<u8> {
    let members = Members::read(params).ok()?;
    meta::level(&json::string(members.get("level")?)?)
}
