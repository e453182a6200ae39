//! One client of either era on one kept HTTP/1.1 connection.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use crate::fault::Fault;
use crate::wire::{Era, LEGACY, MODERN, Template, name};

/// Longest wait for a connection or for one whole answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest answer taken, in bytes: the longest result text, escaped, and its frame.
const ANSWER_BYTES_MAX: usize = 40 * 1024 * 1024;

/// Where calls go: host, port and path of an `http:` URL.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    authority: Authority,
    path: PathAndQuery,
}

impl Endpoint {
    /// # Errors
    /// The URL is not `http://HOST:PORT/PATH`.
    pub(crate) fn parse(url: &Uri) -> Result<Self, Fault> {
        let is_http = url.scheme_str() == Some("http");
        match (url.authority(), url.path_and_query()) {
            (Some(authority), Some(path)) if is_http && authority.port_u16().is_some() => {
                Ok(Self { authority: authority.clone(), path: path.clone() })
            }
            _ => Err(Fault(format!("expected an URL http://HOST:PORT/PATH, got `{url}`"))),
        }
    }
}

/// A client that has introduced itself in its era and can call.
#[derive(Debug)]
pub(crate) struct Client {
    era: Era,
    endpoint: Endpoint,
    sender: SendRequest<Full<Bytes>>,
    session: Option<HeaderValue>,
    /// Drives the connection; ends with the client.
    _driver: JoinSet<()>,
}

/// Status, headers and body of an answer.
type Answer = (StatusCode, HeaderMap, Bytes);

impl Client {
    /// Connects and greets: `server/discover`, or the legacy handshake.
    ///
    /// # Errors
    /// Nobody listens, or the server does not speak this era.
    pub(crate) async fn open(endpoint: &Endpoint, era: Era) -> Result<Self, Fault> {
        let at = endpoint.authority.as_str();
        let connecting = async {
            let stream = TcpStream::connect(at).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = timeout(ANSWER_WAIT_MAX, connecting)
            .await
            .map_err(Fault::during(format_args!("connecting to {at}")))?
            .map_err(Fault::during(format_args!("connecting to {at}")))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(Fault::during(format_args!("speaking HTTP to {at}")))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A broken connection shows at the call that it breaks.
            let _broken = connection.await;
        });
        let endpoint = endpoint.clone();
        let mut client = Self { era, endpoint, sender, session: None, _driver: driver };
        client.greet().await?;
        Ok(client)
    }

    async fn greet(&mut self) -> Result<(), Fault> {
        match self.era {
            Era::Modern => self.discover().await,
            Era::Legacy => self.initialize().await,
        }
    }

    async fn discover(&mut self) -> Result<(), Fault> {
        let (said, _headers) = self.ask("server/discover", json!({})).await?;
        let versions = &said["result"]["supportedVersions"];
        if versions.as_array().is_some_and(|list| list.contains(&json!(MODERN))) {
            return Ok(());
        }
        Err(Fault(format!("server/discover: expected version {MODERN} among {versions}")))
    }

    async fn initialize(&mut self) -> Result<(), Fault> {
        let version = self.era.version();
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "benches", "version": env!("CARGO_PKG_VERSION") },
        });
        let (said, headers) = self.ask("initialize", params).await?;
        let agreed = &said["result"]["protocolVersion"];
        if agreed != version {
            return Err(Fault(format!("initialize: expected version {version}, got {agreed}")));
        }
        self.session = headers.get(name::SESSION_HEADER).cloned();
        let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let head = self.head("notifications/initialized", None)?;
        let (status, _, body) = self.post(&head, Bytes::from_static(note)).await?;
        if status == StatusCode::ACCEPTED {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&body);
        Err(Fault(format!("notifications/initialized: expected 202, got {status} {body}")))
    }

    /// The names of the tools on the first page of the list.
    ///
    /// # Errors
    /// The answer has another status than 200 or is not JSON.
    pub(crate) async fn tools(&mut self) -> Result<Vec<String>, Fault> {
        let (said, _headers) = self.ask("tools/list", json!({})).await?;
        let tools = said["result"]["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names = tools.iter().filter_map(|tool| tool["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// One request off the measured path, its answer parsed.
    async fn ask(&mut self, method: &str, params: Value) -> Result<(Value, HeaderMap), Fault> {
        let head = self.head(method, None)?;
        let body = Template::request(self.era, method, params).with("0");
        let (status, headers, body) = self.post(&head, body).await?;
        let text = String::from_utf8_lossy(&body);
        if status != StatusCode::OK {
            return Err(Fault(format!("{method}: expected status 200, got {status} {text}")));
        }
        let said = serde_json::from_slice(message(&headers, &body))
            .map_err(Fault::during(format_args!("{method}: expected JSON, got `{text}`")))?;
        Ok((said, headers))
    }

    /// The headers of every request of this method; `tool` is the name of a tool that is called.
    ///
    /// # Errors
    /// A name cannot stand in a header.
    pub(crate) fn head(&self, method: &str, tool: Option<&str>) -> Result<HeaderMap, Fault> {
        let session = self.session.as_ref().and_then(|id| id.to_str().ok());
        let agreed = (method != "initialize").then_some(LEGACY);
        let mut all = vec![
            (HOST.as_str(), Some(self.endpoint.authority.as_str())),
            (CONTENT_TYPE.as_str(), Some("application/json")),
            (ACCEPT.as_str(), Some("application/json, text/event-stream")),
        ];
        match self.era {
            Era::Modern => all.extend([
                (name::VERSION_HEADER, Some(MODERN)),
                (name::METHOD_HEADER, Some(method)),
                (name::NAME_HEADER, tool),
            ]),
            Era::Legacy => {
                all.extend([(name::VERSION_HEADER, agreed), (name::SESSION_HEADER, session)]);
            }
        }
        let mut head = HeaderMap::with_capacity(all.len());
        for (key, text) in all {
            let Some(text) = text else { continue };
            let value = HeaderValue::try_from(text)
                .map_err(Fault::during(format_args!("header {key}: `{text}`")))?;
            head.insert(HeaderName::try_from(key).map_err(Fault::during(key))?, value);
        }
        Ok(head)
    }

    /// Posts one message and reads the whole answer.
    ///
    /// # Errors
    /// The connection is gone, the answer too long or too late.
    pub(crate) async fn post(&mut self, head: &HeaderMap, body: Bytes) -> Result<Answer, Fault> {
        self.send(Method::POST, head, body).await
    }

    async fn send(
        &mut self,
        method: Method,
        head: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Fault> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(self.endpoint.path.clone());
        *request.headers_mut() = head.clone();
        let exchange = async {
            self.sender.ready().await.map_err(Fault::during("waiting for the connection"))?;
            let answer = self.sender.send_request(request).await;
            let (head, body) = answer.map_err(Fault::during("sending a request"))?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(Fault::during("reading an answer"))?;
            Ok((head.status, head.headers, body.to_bytes()))
        };
        timeout(ANSWER_WAIT_MAX, exchange).await.map_err(Fault::during("waiting for an answer"))?
    }

    /// Ends the session, if there is one, and the connection.
    pub(crate) async fn part(mut self) {
        if self.session.is_some()
            && let Ok(head) = self.head("", None)
        {
            // A server need not take part in the farewell.
            let _refused = self.send(Method::DELETE, &head, Bytes::new()).await;
        }
    }
}

/// The JSON-RPC answer in a body: the body itself, or the last event of a stream.
pub(crate) fn message<'a>(headers: &HeaderMap, body: &'a [u8]) -> &'a [u8] {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !kind.starts_with(b"text/event-stream") {
        return body;
    }
    let data = body.split(|byte| *byte == b'\n').rev().find_map(|line| line.strip_prefix(b"data:"));
    data.unwrap_or(body).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_needs_host_port_and_http() {
        assert!(Endpoint::parse(&Uri::from_static("http://127.0.0.1:80/mcp")).is_ok());
        for wrong in ["https://127.0.0.1:80/mcp", "http://127.0.0.1/mcp", "/mcp"] {
            let fault = Endpoint::parse(&Uri::from_static(wrong)).unwrap_err();
            assert!(fault.0.contains(wrong), "{fault}");
        }
    }

    #[test]
    fn the_answer_of_a_stream_is_its_last_event() {
        let mut headers = HeaderMap::new();
        assert_eq!(message(&headers, b"{}"), b"{}");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        let stream = b": hello\n\ndata: {\"a\":1}\n\nevent: message\ndata: {\"b\":2}\r\n\n";
        assert_eq!(message(&headers, stream), b"{\"b\":2}");
    }
}
