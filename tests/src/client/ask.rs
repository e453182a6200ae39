//! One request as data: right as it is built, and every part of it can be made wrong.

use bytes::Bytes;
use protocol::json::{Members, ObjectWriter};
use protocol::{Method, header, meta};

/// The newest modern version, as the clients here speak it.
pub const MODERN: &str = "2026-07-28";

/// A request over HTTP, or as a line.
#[derive(Clone, Debug)]
pub struct Ask {
    /// `POST` unless changed.
    pub(super) verb: String,
    /// `/mcp` unless changed.
    pub(super) path: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    method: String,
    id: Option<String>,
    params: String,
    meta: Vec<(String, String)>,
    body: Option<Bytes>,
}

/// A request of the modern era with all that it must have; `params` is an object without `_meta`.
pub fn modern(method: &str, params: &str) -> Ask {
    let ask = legacy(method, params)
        .meta(meta::VERSION, &format!("\"{MODERN}\""))
        .meta(meta::CLIENT_CAPABILITIES, "{}")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    let name = Method::read(method).name_member().and_then(|member| {
        let members = Members::read(params).ok()?;
        Some(header::encode(&members.get_string(member)?).into_owned())
    });
    match name {
        Some(name) => ask.header("mcp-name", name),
        None => ask,
    }
}

/// A request of the legacy era, before a session's headers are put on it.
pub fn legacy(method: &str, params: &str) -> Ask {
    Ask {
        method: method.to_owned(),
        id: Some("1".to_owned()),
        params: params.to_owned(),
        ..posted("")
    }
    .without_body()
}

/// A POST of exactly this body.
pub fn posted(body: impl Into<Bytes>) -> Ask {
    let headers =
        [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Ask {
        verb: "POST".to_owned(),
        path: "/mcp".to_owned(),
        headers: headers.to_vec(),
        method: String::new(),
        id: None,
        params: "{}".to_owned(),
        meta: Vec::new(),
        body: Some(body.into()),
    }
}

impl Ask {
    /// A `GET` or `DELETE`, without a body.
    pub fn bare(verb: &str) -> Self {
        let accept = vec![("accept".to_owned(), b"text/event-stream".to_vec())];
        Self { verb: verb.to_owned(), headers: accept, ..posted("") }
    }

    fn without_body(mut self) -> Self {
        self.body = None;
        self
    }

    /// With this id, a JSON text.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// A notification: without an id.
    #[must_use]
    pub fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    /// With this member of `_meta`, a JSON text, in place of one of the same name.
    #[must_use]
    pub fn meta(mut self, key: &str, value: &str) -> Self {
        self = self.without_meta(key);
        self.meta.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Without this member of `_meta`; the last one takes `_meta` with it.
    #[must_use]
    pub fn without_meta(mut self, key: &str) -> Self {
        self.meta.retain(|(name, _)| name != key);
        self
    }

    /// With this header in place of those of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without this header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// At this path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// With this verb.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = verb.to_owned();
        self
    }

    /// With this body, whatever the rest says.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The body: what was given, or the message.
    pub fn bytes(&self) -> Bytes {
        if let Some(body) = &self.body {
            return body.clone();
        }
        let mut params = self.params.clone();
        if !self.meta.is_empty() {
            let members = self.meta.iter();
            let meta = members.fold(ObjectWriter::new(), |meta, (key, value)| meta.raw(key, value));
            let open = params.trim_end().strip_suffix('}').unwrap_or_default().to_owned();
            let comma = if open.trim_end().ends_with('{') { "" } else { "," };
            params = format!("{open}{comma}\"_meta\":{}}}", meta.finish().as_str());
        }
        let message = ObjectWriter::new().string("jsonrpc", "2.0");
        let message = message.optional("id", self.id.as_deref()).string("method", &self.method);
        message.raw("params", &params).finish().into_bytes()
    }
}
