//! What of a message is shown: without what differs from build to build or from era to era.

use serde_json::Value;

/// Who the gateway says it is, up to the version, and what stands for it.
const IDENTITIES: [(&str, &str); 2] = [
    (r#"{"name":"gateway","title":"MCP gateway","version":""#, "{gateway}"),
    (r#"{"name":"gateway","version":""#, "{gateway as client}"),
];

/// Puts short words for who the gateway says it is: the version differs from build to build.
pub(super) fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    for (start, word) in IDENTITIES {
        while let Some((before, after)) = text.split_once(start) {
            let after = after.split_once("\"}").map_or("", |(_version, after)| after);
            text = format!("{before}{word}{after}");
        }
    }
    text
}

/// A message as it is, or `(nothing)`.
pub fn shown(message: Option<String>) -> String {
    message.unwrap_or_else(|| "(nothing)".to_owned())
}

/// A message without what only one era has, its members sorted: the same for every client that got
/// the same answer.
pub fn essence(message: &str) -> String {
    let text = message.replace("{gateway as client}", "{}").replace("{gateway}", "{}");
    let mut value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(fault) => panic!("not a message ({fault}): {message}"),
    };
    for member in ["jsonrpc", "id"] {
        value.as_object_mut().map(|message| message.remove(member));
    }
    if let Some(result) = value.get_mut("result").and_then(Value::as_object_mut) {
        for member in ["resultType", "ttlMs", "cacheScope"] {
            result.remove(member);
        }
        let meta = result.get_mut("_meta").and_then(Value::as_object_mut);
        if meta.is_some_and(|meta| {
            meta.remove("io.modelcontextprotocol/serverInfo");
            meta.is_empty()
        }) {
            result.remove("_meta");
        }
    }
    value.to_string()
}
