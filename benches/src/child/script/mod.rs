//! What the scripted child answers to a message, whatever the transport: no I/O here.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::Speaks;
use crate::wire::{LEGACY, LEGACY_ALL, MODERN, Template, name};

/// The only tool.
const TOOL: &str = "echo";

/// Plain lines with a line end, as most text results are: one escape in 74 bytes.
const LINE: &str = "Bytes in, bytes out: what a child says reaches the client as it was said.\n";

/// How long a client may keep lists, in milliseconds: longer than any run of the benches.
const TTL_MS: u64 = 86_400_000;

/// JSON-RPC codes, as the protocol gives them out.
mod code {
    pub(super) const PARSE: i64 = -32700;
    pub(super) const REQUEST: i64 = -32600;
    pub(super) const METHOD: i64 = -32601;
    pub(super) const PARAMS: i64 = -32602;
    pub(super) const HEADER: i64 = -32020;
    pub(super) const VERSION: i64 = -32022;
}

/// The headers that must equal the body of a modern message.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Heads<'a> {
    pub(super) version: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

/// Where a message came from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// One POST; `in_session` when it named a session that is open.
    Http { heads: Heads<'a>, in_session: bool },
    /// A line; `greeted` once `initialize` was answered.
    Stdio { greeted: bool },
}

impl Origin<'_> {
    fn may_speak_legacy(self) -> bool {
        match self {
            Self::Http { in_session, .. } => in_session,
            Self::Stdio { greeted } => greeted,
        }
    }
}

/// What goes back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// HTTP status; lines have none.
    pub(super) status: u16,
    /// One JSON-RPC message; nothing after a notification.
    pub(super) body: Option<Bytes>,
    /// `initialize` was answered: a session begins.
    pub(super) greets: bool,
}

impl Answer {
    fn accepted() -> Self {
        Self { status: 202, body: None, greets: false }
    }

    fn with(status: u16, template: &Template, id: Option<&RawValue>) -> Self {
        let id = id.map_or("null", RawValue::get);
        Self { status, body: Some(template.with(id)), greets: false }
    }

    fn refusal(status: u16, code: i64, why: &str, id: Option<&RawValue>) -> Self {
        let error = json!({ "code": code, "message": why });
        Self::with(status, &Template::error(&error), id)
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Params<'a>,
}

#[derive(Deserialize, Default)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "protocolVersion")]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "_meta", default)]
    meta: Meta<'a>,
}

#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

/// The text of a result of so many bytes.
pub(crate) fn text_of(bytes: usize) -> String {
    LINE.chars().cycle().take(bytes).collect()
}

/// The results of the modern child, whatever carries them.
pub(crate) struct Answers {
    pub(crate) discover: Value,
    pub(crate) list: Value,
    pub(crate) call: Value,
}

impl Answers {
    /// Those of a child whose tool answers with a text of `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let content = json!([{ "type": "text", "text": text_of(bytes) }]);
        let tools = json!([{
            "name": TOOL,
            "description": "Answers with a text of a fixed length, at once.",
            "inputSchema": { "type": "object", "properties": { "text": { "type": "string" } } },
        }]);
        Self {
            discover: modern(json!({
                "supportedVersions": [MODERN], "capabilities": { "tools": {} },
                "ttlMs": TTL_MS, "cacheScope": "public",
            })),
            list: modern(json!({ "tools": tools, "ttlMs": TTL_MS, "cacheScope": "public" })),
            call: modern(json!({ "content": content })),
        }
    }
}

/// The child's whole repertoire, printed once.
#[derive(Debug)]
pub(super) struct Script {
    speaks: Speaks,
    discover: Template,
    list: Template,
    list_legacy: Template,
    call: Template,
    call_legacy: Template,
    empty: Template,
}

impl Script {
    /// A child whose tool answers with a text of `bytes` bytes.
    pub(super) fn new(speaks: Speaks, bytes: usize) -> Self {
        let answers = Answers::new(bytes);
        let tools = &answers.list["tools"];
        let content = &answers.call["content"];
        Self {
            speaks,
            discover: Template::result(&answers.discover),
            list: Template::result(&answers.list),
            list_legacy: Template::result(&json!({ "tools": tools })),
            call: Template::result(&answers.call),
            call_legacy: Template::result(&json!({ "content": content })),
            empty: Template::result(&json!({})),
        }
    }

    /// Answers one message.
    pub(super) fn answer(&self, body: &[u8], origin: Origin<'_>) -> Answer {
        let envelope: Envelope<'_> = match serde_json::from_slice(body) {
            Ok(envelope) => envelope,
            Err(fault) if fault.is_data() => {
                let why = format!("expected one JSON-RPC request or notification: {fault}");
                return Answer::refusal(400, code::REQUEST, &why, None);
            }
            Err(fault) => return Answer::refusal(400, code::PARSE, &fault.to_string(), None),
        };
        if self.is_modern(&envelope, origin) {
            self.modern(&envelope, origin)
        } else {
            self.legacy(&envelope, origin)
        }
    }

    fn is_modern(&self, envelope: &Envelope<'_>, origin: Origin<'_>) -> bool {
        match self.speaks {
            Speaks::Modern => return true,
            Speaks::Legacy => return false,
            Speaks::Both => {}
        }
        let by_heads = match origin {
            Origin::Http { heads, .. } => heads.method.is_some() || heads.version == Some(MODERN),
            Origin::Stdio { .. } => false,
        };
        by_heads
            || envelope.params.meta.version.is_some()
            || matches!(envelope.method.as_ref(), "server/discover" | "subscriptions/listen")
    }

    /// The order of these checks is the protocol's: metadata, headers, version, method, params.
    fn modern(&self, envelope: &Envelope<'_>, origin: Origin<'_>) -> Answer {
        let Some(id) = envelope.id else { return Answer::accepted() };
        if envelope.method == "initialize" && envelope.params.meta.version.is_none() {
            return other_version(envelope.params.version.as_deref(), id);
        }
        let meta = &envelope.params.meta;
        let (Some(version), Some(_capabilities)) = (&meta.version, meta.capabilities) else {
            let why = format!(
                "expected `params._meta` with `{}` and `{}`",
                name::VERSION,
                name::CLIENT_CAPABILITIES
            );
            return Answer::refusal(400, code::PARAMS, &why, Some(id));
        };
        if let Origin::Http { heads, .. } = origin
            && let Err(why) = compare(heads, envelope, version)
        {
            return Answer::refusal(400, code::HEADER, &why, Some(id));
        }
        if version != MODERN {
            return other_version(Some(version), id);
        }
        match envelope.method.as_ref() {
            "server/discover" => Answer::with(200, &self.discover, Some(id)),
            "tools/list" => Answer::with(200, &self.list, Some(id)),
            "tools/call" => call(&self.call, envelope, id),
            other => unknown_method(404, other, id),
        }
    }

    fn legacy(&self, envelope: &Envelope<'_>, origin: Origin<'_>) -> Answer {
        let Some(id) = envelope.id else { return Answer::accepted() };
        let method = envelope.method.as_ref();
        if method == "initialize" {
            let version = negotiated(envelope.params.version.as_deref());
            let result = json!({
                "protocolVersion": version,
                "capabilities": { "tools": {} },
                "serverInfo": server_info(),
            });
            let answer = Answer::with(200, &Template::result(&result), Some(id));
            return Answer { greets: true, ..answer };
        }
        let greeted = origin.may_speak_legacy();
        if !greeted && matches!(origin, Origin::Http { .. }) {
            let why = format!("expected `initialize` or the header {}", name::SESSION_HEADER);
            return Answer::refusal(400, code::REQUEST, &why, Some(id));
        }
        match method {
            "ping" => Answer::with(200, &self.empty, Some(id)),
            "tools/list" if greeted => Answer::with(200, &self.list_legacy, Some(id)),
            "tools/call" if greeted => call(&self.call_legacy, envelope, id),
            "tools/list" | "tools/call" => {
                Answer::refusal(200, code::REQUEST, "expected `initialize` first", Some(id))
            }
            other => unknown_method(200, other, id),
        }
    }
}

fn server_info() -> Value {
    json!({ "name": "benches-child", "version": env!("CARGO_PKG_VERSION") })
}

/// A modern result: complete, and with the name of who answers.
fn modern(mut result: Value) -> Value {
    if let Value::Object(members) = &mut result {
        members.insert("resultType".to_owned(), json!("complete"));
        members.insert("_meta".to_owned(), json!({ name::SERVER_INFO: server_info() }));
    }
    result
}

fn negotiated(asked: Option<&str>) -> &'static str {
    LEGACY_ALL.into_iter().find(|version| Some(*version) == asked).unwrap_or(LEGACY)
}

fn compare(heads: Heads<'_>, envelope: &Envelope<'_>, version: &str) -> Result<(), String> {
    let asked = (envelope.method == "tools/call").then_some(envelope.params.name.as_deref());
    let pairs = [
        (name::VERSION_HEADER, heads.version, Some(version)),
        (name::METHOD_HEADER, heads.method, Some(envelope.method.as_ref())),
        (name::NAME_HEADER, asked.and(heads.name), asked.flatten()),
    ];
    match pairs.into_iter().find(|(_, head, body)| head != body) {
        Some((header, head, body)) => {
            Err(format!("header {header}: expected {body:?} as in the body, got {head:?}"))
        }
        None => Ok(()),
    }
}

fn call(template: &Template, envelope: &Envelope<'_>, id: &RawValue) -> Answer {
    match envelope.params.name.as_deref() {
        Some(TOOL) => Answer::with(200, template, Some(id)),
        other => {
            let why = format!("unknown tool: expected `{TOOL}`, got {other:?}");
            Answer::refusal(200, code::PARAMS, &why, Some(id))
        }
    }
}

fn unknown_method(status: u16, method: &str, id: &RawValue) -> Answer {
    let why = format!("unknown method `{method}`");
    Answer::refusal(status, code::METHOD, &why, Some(id))
}

fn other_version(asked: Option<&str>, id: &RawValue) -> Answer {
    let error = json!({
        "code": code::VERSION,
        "message": format!("expected protocol version {MODERN}, got {asked:?}"),
        "data": { "supported": [MODERN], "requested": asked },
    });
    Answer::with(400, &Template::error(&error), Some(id))
}

#[cfg(test)]
mod tests;
