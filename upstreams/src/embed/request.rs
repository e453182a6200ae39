//! From a method and raw params to the typed request that rmcp dispatches.

use protocol::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use protocol::{ErrorObject, Raw};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelTaskParams, CancelTaskRequest, ClientRequest,
    CompleteRequest, CompleteRequestParams, CustomRequest, DiscoverRequest, DiscoverRequestParams,
    GetPromptRequest, GetPromptRequestParams, GetSkillRequest, GetSkillRequestParams,
    GetTaskParams, GetTaskRequest, JsonObject, ListPromptsRequest, ListResourceTemplatesRequest,
    ListResourcesRequest, ListSkillsRequest, ListToolsRequest, PaginatedRequestParams,
    ProtocolVersion, ReadResourceDirectoryRequest, ReadResourceDirectoryRequestParams,
    ReadResourceRequest, ReadResourceRequestParams, RequestMetaObject, RequestParamsMeta,
    SubscriptionsListenRequest, SubscriptionsListenRequestParams, UpdateTaskParams,
    UpdateTaskRequest,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exact::rounded_integer;

/// Requests of the handshake eras, which 2026-07-28 has no longer.
const REMOVED: [&str; 5] =
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// How much of a caller's value an error repeats, in characters.
const SHOWN_MAX: usize = 60;

/// How severe a log message is: 0 for `debug` to 7 for `emergency`.
pub(super) type Severity = u8;

/// A request as rmcp's dispatch wants it, its metadata apart.
pub(super) struct Asked {
    pub(super) request: ClientRequest,
    pub(super) meta: RequestMetaObject,
    /// What the caller calls its progress by: a string or an integer.
    pub(super) progress_token: Option<Value>,
    /// The least severity of log messages that the caller wants; without one it wants none.
    pub(super) severity: Option<Severity>,
}

/// Reads one request.
///
/// # Errors
/// `-32601` for a method of the handshake eras; `-32602` for params that are no object, that do
/// not have the method's shape, that hold an integer which would be rounded, or whose `_meta` lacks
/// what every 2026-07-28 request carries. The message says what was expected and what came.
pub(super) fn read(method: &str, params: &Raw) -> Result<Asked, ErrorObject> {
    if REMOVED.contains(&method) {
        let message = format!("`{method}` is not a method of 2026-07-28");
        return Err(ErrorObject::new(METHOD_NOT_FOUND, message));
    }
    if !params.is_object() {
        let came = shown(params);
        return Err(wrong(method, &format!("params: expected an object, came {came}")));
    }
    if let Some(integer) = rounded_integer(params) {
        let came = shown(integer);
        return Err(wrong(
            method,
            &format!("params: expected integers of at most 64 bits, came {came}; give a string"),
        ));
    }
    let (request, meta) = typed(method, params)?;
    let progress_token = progress_token(method, &meta)?;
    let severity = severity(method, &meta)?;
    let missing = meta.missing_required_keys(&ProtocolVersion::V_2026_07_28);
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        return Err(wrong(
            method,
            &format!("params._meta: expected a valid {missing}, which every request carries"),
        ));
    }
    Ok(Asked { request, meta, progress_token, severity })
}

fn typed(method: &str, raw: &Raw) -> Result<(ClientRequest, RequestMetaObject), ErrorObject> {
    /// Reads params of one type and builds the request of that type around them.
    macro_rules! request {
        ($Params:ty, $build:expr) => {{
            let (params, meta) = params::<$Params>(method, raw)?;
            Ok(($build(params).into(), meta))
        }};
    }
    match method {
        "server/discover" => {
            let (_, meta) = object(method, raw)?;
            Ok((DiscoverRequest::new(DiscoverRequestParams {}).into(), meta))
        }
        "tools/list" => request!(PaginatedRequestParams, ListToolsRequest::with_param),
        "tools/call" => request!(CallToolRequestParams, CallToolRequest::new),
        "resources/list" => request!(PaginatedRequestParams, ListResourcesRequest::with_param),
        "resources/templates/list" => {
            request!(PaginatedRequestParams, ListResourceTemplatesRequest::with_param)
        }
        "resources/read" => request!(ReadResourceRequestParams, ReadResourceRequest::new),
        "resources/directory/read" => {
            request!(ReadResourceDirectoryRequestParams, ReadResourceDirectoryRequest::new)
        }
        "prompts/list" => request!(PaginatedRequestParams, ListPromptsRequest::with_param),
        "prompts/get" => request!(GetPromptRequestParams, GetPromptRequest::new),
        "completion/complete" => request!(CompleteRequestParams, CompleteRequest::new),
        "subscriptions/listen" => {
            request!(SubscriptionsListenRequestParams, SubscriptionsListenRequest::new)
        }
        "tasks/get" => request!(GetTaskParams, GetTaskRequest::new),
        "tasks/update" => request!(UpdateTaskParams, UpdateTaskRequest::new),
        "tasks/cancel" => request!(CancelTaskParams, CancelTaskRequest::new),
        "skills/list" => request!(PaginatedRequestParams, ListSkillsRequest::with_param),
        "skills/get" => request!(GetSkillRequestParams, GetSkillRequest::new),
        _ => {
            let (rest, meta) = object(method, raw)?;
            Ok((CustomRequest::new(method, Some(Value::Object(rest))).into(), meta))
        }
    }
}

fn params<P>(method: &str, raw: &Raw) -> Result<(P, RequestMetaObject), ErrorObject>
where
    P: DeserializeOwned + RequestParamsMeta,
{
    let mut params: P = raw.read().map_err(|fault| wrong(method, &format!("params: {fault}")))?;
    let meta = params.meta_mut().take().unwrap_or_default();
    Ok((params, meta))
}

fn object(method: &str, raw: &Raw) -> Result<(JsonObject, RequestMetaObject), ErrorObject> {
    let mut members: JsonObject =
        raw.read().map_err(|fault| wrong(method, &format!("params: {fault}")))?;
    match members.remove("_meta") {
        None | Some(Value::Null) => Ok((members, RequestMetaObject::default())),
        Some(Value::Object(meta)) => Ok((members, meta.into())),
        Some(other) => {
            let came = shown(&other.to_string());
            Err(wrong(method, &format!("params._meta: expected an object, came {came}")))
        }
    }
}

fn progress_token(method: &str, meta: &RequestMetaObject) -> Result<Option<Value>, ErrorObject> {
    match meta.get("progressToken") {
        None => Ok(None),
        Some(token) if token.is_string() || token.is_i64() || token.is_u64() => {
            Ok(Some(token.clone()))
        }
        Some(other) => {
            let came = shown(&other.to_string());
            let what =
                format!("params._meta.progressToken: expected a string or an integer, came {came}");
            Err(wrong(method, &what))
        }
    }
}

fn severity(method: &str, meta: &RequestMetaObject) -> Result<Option<Severity>, ErrorObject> {
    match (meta.get("io.modelcontextprotocol/logLevel"), meta.log_level()) {
        (None, _) => Ok(None),
        (Some(_), Some(level)) => Ok(Some(level as Severity)),
        (Some(other), None) => {
            let came = shown(&other.to_string());
            let what = format!(
                "params._meta.io.modelcontextprotocol/logLevel: expected debug, info, notice, \
                 warning, error, critical, alert or emergency, came {came}"
            );
            Err(wrong(method, &what))
        }
    }
}

fn wrong(method: &str, what: &str) -> ErrorObject {
    ErrorObject::new(INVALID_PARAMS, format!("{method}: {what}"))
}

fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}
