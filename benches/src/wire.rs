//! The words of both eras, and messages of which only the id changes from call to call.

use bytes::Bytes;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

/// The modern revision that load and child speak.
pub(crate) const MODERN: &str = "2026-07-28";

/// The legacy revision that the load generator asks for.
pub(crate) const LEGACY: &str = "2025-11-25";

/// Every legacy revision, newest first.
pub(crate) const LEGACY_ALL: [&str; 4] = [LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

/// Header and `_meta` names of the protocol, spelled as `http` wants them: lower case.
pub(crate) mod name {
    pub(crate) const VERSION_HEADER: &str = "mcp-protocol-version";
    pub(crate) const METHOD_HEADER: &str = "mcp-method";
    pub(crate) const NAME_HEADER: &str = "mcp-name";
    pub(crate) const SESSION_HEADER: &str = "mcp-session-id";
    pub(crate) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    pub(crate) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    pub(crate) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
}

/// The era that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Era {
    Modern,
    Legacy,
}

impl Era {
    /// The revision spoken in this era.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy => LEGACY,
        }
    }
}

/// A message printed once; only the id is put in anew.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Template {
    /// A request; the params of a modern one get the three `_meta` members.
    pub(crate) fn request(era: Era, method: &str, params: Value) -> Self {
        let params = if era == Era::Modern { with_meta(params) } else { params };
        Self {
            before: br#"{"jsonrpc":"2.0","id":"#.to_vec(),
            after: format!(r#","method":{},"params":{params}}}"#, json!(method)).into_bytes(),
        }
    }

    /// The answer with this result.
    pub(crate) fn result(result: &Value) -> Self {
        Self {
            before: br#"{"jsonrpc":"2.0","id":"#.to_vec(),
            after: format!(r#","result":{result}}}"#).into_bytes(),
        }
    }

    /// The answer with this error object.
    pub(crate) fn error(error: &Value) -> Self {
        Self {
            before: br#"{"jsonrpc":"2.0","id":"#.to_vec(),
            after: format!(r#","error":{error}}}"#).into_bytes(),
        }
    }

    /// The message with `id`, which is JSON text: digits, or a string with its quotes.
    pub(crate) fn with(&self, id: &str) -> Bytes {
        let mut text = Vec::with_capacity(self.before.len() + id.len() + self.after.len() + 1);
        self.put(id, &mut text);
        text.into()
    }

    /// The message with `id`, appended to `out`.
    pub(crate) fn put(&self, id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&self.after);
    }
}

fn with_meta(mut params: Value) -> Value {
    if let Value::Object(members) = &mut params {
        let meta = json!({
            name::VERSION: MODERN,
            name::CLIENT_CAPABILITIES: {},
            name::CLIENT_INFO: { "name": "benches", "version": env!("CARGO_PKG_VERSION") },
        });
        members.insert("_meta".to_owned(), meta);
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_valid_json_with_any_id() {
        let call = Template::request(Era::Modern, "tools/call", json!({ "name": "echo" }));
        let sent: Value = serde_json::from_slice(&call.with("\"a-1\"")).unwrap();
        assert_eq!(sent["id"], "a-1");
        assert_eq!(sent["params"]["_meta"][name::VERSION], MODERN);
        assert_eq!(sent["params"]["name"], "echo");
    }

    #[test]
    fn a_legacy_request_carries_no_meta() {
        let call = Template::request(Era::Legacy, "tools/list", json!({}));
        let sent: Value = serde_json::from_slice(&call.with("7")).unwrap();
        assert_eq!(sent["params"], json!({}));
    }
}
