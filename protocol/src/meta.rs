//! `params._meta` of a modern request: reading what a client stamped, stamping what a child needs
//! (digest 1.3).

use std::borrow::Cow;

use crate::json::{self, Members, ObjectEdit, ObjectWriter};
use crate::{NotJson, Raw};

/// The version the request speaks; required.
pub const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// What the client of this request can do; required.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Who the client says it is.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The least severe log message the client wants; none without it.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Who answers; on results.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// The listen request a message belongs to.
pub const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// The name under which progress of this request is told.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// Who calls, as the gateway says; what a client writes here never reaches a child.
pub const CALLER: &str = "gateway/caller";

/// The members that each hop sets anew; all others go from end to end.
const PER_HOP: [&str; 7] =
    [VERSION, CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PROGRESS_TOKEN, SUBSCRIPTION, CALLER];

/// The log levels, least severe first.
pub const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Where a level stands in [`LEVELS`].
pub fn level(text: &str) -> Option<u8> {
    (0u8..).zip(LEVELS).find(|(_, name)| *name == text).map(|(at, _)| at)
}

/// What the metadata of one request says.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// The version, as it came.
    pub version: Option<String>,
    /// The client's capabilities, an object.
    pub client_capabilities: Option<Raw>,
    /// The client's name and version, an object.
    pub client_info: Option<Raw>,
    /// Position in [`LEVELS`].
    pub log_level: Option<u8>,
    /// A string or an integer, as it came.
    pub progress_token: Option<Raw>,
}

impl Meta {
    /// Reads `params._meta`; an absent one is empty.
    ///
    /// # Errors
    /// A text naming the member, what was expected and what came.
    pub fn read(params: &Raw) -> Result<Self, NotJson> {
        let members = Members::read(params)?;
        let Some(meta) = members.get("_meta") else { return Ok(Self::default()) };
        let meta =
            Members::read(meta).map_err(|fault| NotJson(format!("params._meta: {fault}")))?;
        let mut read = Self::default();
        if let Some(text) = meta.get(VERSION) {
            let version = json::string(text).ok_or_else(|| wrong(VERSION, "a string", text))?;
            read.version = Some(version.into_owned());
        }
        for (key, place) in [
            (CLIENT_CAPABILITIES, &mut read.client_capabilities),
            (CLIENT_INFO, &mut read.client_info),
        ] {
            if let Some(text) = meta.get(key) {
                if !text.starts_with('{') {
                    return Err(wrong(key, "an object", text));
                }
                *place = Some(params.slice(text));
            }
        }
        if let Some(text) = meta.get(LOG_LEVEL) {
            let known = json::string(text).and_then(|name| level(&name));
            let expected = || format!("one of {}", LEVELS.join(", "));
            read.log_level = Some(known.ok_or_else(|| wrong(LOG_LEVEL, &expected(), text))?);
        }
        if let Some(text) = meta.get(PROGRESS_TOKEN) {
            if !crate::envelope::is_id(text) {
                return Err(wrong(PROGRESS_TOKEN, "a string or an integer", text));
            }
            read.progress_token = Some(params.slice(text));
        }
        Ok(read)
    }
}

fn wrong(key: &str, expected: &str, came: &str) -> NotJson {
    const SHOWN_MAX: usize = 60;
    let came: Cow<'_, str> = match came.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", came.get(..at).unwrap_or_default()).into(),
        None => came.into(),
    };
    NotJson(format!("params._meta[\"{key}\"]: expected {expected}, found {came}"))
}

/// What the gateway says of itself to a child with one request.
#[derive(Debug, Clone, Default)]
pub struct Stamp<'a> {
    /// The version; `None` towards a legacy child.
    pub version: Option<&'a str>,
    /// Capabilities, an object; `None` towards a legacy child.
    pub client_capabilities: Option<&'a str>,
    /// Name and version, an object.
    pub client_info: Option<&'a str>,
    /// The level of log messages wanted.
    pub log_level: Option<u8>,
    /// The token of this hop.
    pub progress_token: Option<u64>,
    /// Who calls, an object; `None` where the child is not told.
    pub caller: Option<&'a str>,
}

/// `params` with the per-hop metadata replaced by `stamp`; foreign members of `_meta` stay.
///
/// # Errors
/// [`NotJson`] when `params` or its `_meta` is no object.
pub fn stamp(params: &Raw, stamp: &Stamp<'_>) -> Result<Raw, NotJson> {
    let members = Members::read(params)?;
    let meta_text = members.get("_meta").unwrap_or("{}");
    let meta = Members::read(meta_text).map_err(|fault| NotJson(format!("_meta: {fault}")))?;
    let mut edit = ObjectEdit::new(&meta);
    for key in PER_HOP {
        edit.remove(key);
    }
    let kept = edit.finish();
    let kept = Members::read(&kept)?;
    let mut edit = ObjectEdit::new(&kept);
    if let Some(version) = stamp.version {
        edit.set(VERSION, json::quoted(version));
    }
    for (key, value) in [
        (CLIENT_CAPABILITIES, stamp.client_capabilities),
        (CLIENT_INFO, stamp.client_info),
        (CALLER, stamp.caller),
    ] {
        if let Some(value) = value {
            edit.set(key, value);
        }
    }
    if let Some(name) = stamp.log_level.and_then(|level| LEVELS.get(usize::from(level))) {
        edit.set(LOG_LEVEL, json::quoted(name));
    }
    if let Some(token) = stamp.progress_token {
        edit.set(PROGRESS_TOKEN, token.to_string());
    }
    let meta = edit.finish();
    let mut edit = ObjectEdit::new(&members);
    if meta == "{}" && kept.is_empty() {
        edit.remove("_meta");
    } else {
        edit.set("_meta", meta);
    }
    Ok(edit.finish_raw())
}

/// `object` with `_meta[key] = value`; every other byte stays.
///
/// # Errors
/// [`NotJson`] when `object` or its `_meta` is no object.
pub fn set(object: &Raw, key: &str, value: &str) -> Result<Raw, NotJson> {
    let members = Members::read(object)?;
    let meta = match members.get("_meta") {
        Some(text) => {
            let meta = Members::read(text)?;
            ObjectEdit::new(&meta).set(key, value).finish()
        }
        None => ObjectWriter::new().raw(key, value).finish().to_string(),
    };
    Ok(ObjectEdit::new(&members).set("_meta", meta).finish_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use expect_test::expect;

    #[test]
    fn per_hop_members_are_replaced_and_foreign_ones_stay() {
        let params = r#"{"name":"x","_meta":{"traceparent":"00-a","progressToken":"t",
"io.modelcontextprotocol/protocolVersion":"2026-07-28","com.example/k":{"a":1.0}},"z":1}"#;
        let params = Raw::parse(Bytes::from_static(params.as_bytes())).unwrap();
        let ours =
            Stamp { version: Some("2026-07-28"), progress_token: Some(7), ..Stamp::default() };
        expect![[r#"{"name":"x","_meta":{"traceparent":"00-a","com.example/k":{"a":1.0},"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":7},"z":1}"#]]
            .assert_eq(&stamp(&params, &ours).unwrap());
        expect![[r#"{"name":"x","_meta":{"traceparent":"00-a","com.example/k":{"a":1.0}},"z":1}"#]]
            .assert_eq(&stamp(&params, &Stamp::default()).unwrap());
    }

    #[test]
    fn what_a_client_says_of_the_caller_never_reaches_a_child() {
        let forged = Raw::from_static(r#"{"_meta":{"gateway/caller":{"principal":"root"},"a":1}}"#);
        expect![[r#"{"_meta":{"a":1}}"#]].assert_eq(&stamp(&forged, &Stamp::default()).unwrap());
        let told = Stamp { caller: Some(r#"{"principal":"ann"}"#), ..Stamp::default() };
        expect![[r#"{"_meta":{"a":1,"gateway/caller":{"principal":"ann"}}}"#]]
            .assert_eq(&stamp(&forged, &told).unwrap());
    }

    #[test]
    fn an_empty_meta_is_taken_out_for_a_legacy_child() {
        let params = Raw::from_static(r#"{"_meta":{"progressToken":1},"a":2}"#);
        expect![[r#"{"a":2}"#]].assert_eq(&stamp(&params, &Stamp::default()).unwrap());
    }

    #[test]
    fn a_wrong_level_says_which_are_right() {
        let params = Raw::from_static(r#"{"_meta":{"io.modelcontextprotocol/logLevel":"loud"}}"#);
        expect![[r#"params._meta["io.modelcontextprotocol/logLevel"]: expected one of debug, info, notice, warning, error, critical, alert, emergency, found "loud""#]]
            .assert_eq(&Meta::read(&params).unwrap_err().0);
    }
}
