//! The pooled way to one remote child: connects, sends, and never follows a redirect.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::{Answered, Broken, receive};
use super::connector::{Connector, connector, why_not_connected};
use super::settings::HttpSettings;
use crate::call::Fault;

/// How long an idle connection is kept. Node and uvicorn close theirs after five seconds; a call
/// that is written in that very moment would have an unknown outcome.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept at most.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// The pooled way to one remote child. Cloning shares the pool.
#[derive(Clone)]
pub(super) struct HttpClient {
    pool: Client<Connector, Full<Bytes>>,
    settings: Arc<HttpSettings>,
    base: HeaderMap,
}

impl HttpClient {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`crate::call::Kind::Invalid`] for a URL that is not `http` or `https` with a host.
    pub(super) fn new(settings: HttpSettings) -> Result<Self, Fault> {
        let scheme = settings.url.scheme();
        let known = scheme == Some(&uri::Scheme::HTTP) || scheme == Some(&uri::Scheme::HTTPS);
        if !known || settings.url.host().is_none_or(str::is_empty) {
            let text = format!("mount `{}`: expected an http or https URL", settings.mount);
            return Err(Fault::invalid(text).with_log(settings.shown));
        }
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            // Again only when hyper hands the request back, because no byte of it was written.
            .retry_canceled_requests(true)
            .build(connector(settings.connect_timeout)?);
        let mut base = HeaderMap::new();
        let agent = HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION")));
        base.insert(USER_AGENT, agent);
        for (name, value) in &settings.headers {
            base.insert(name, value.clone());
        }
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let both = HeaderValue::from_static("application/json, text/event-stream");
        base.insert(ACCEPT, both);
        Ok(Self { pool, settings: Arc::new(settings), base })
    }

    pub(super) fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    pub(super) fn mount(&self) -> &Arc<str> {
        &self.settings.mount
    }

    /// The headers of every POST; those of the protocol stand over the configured ones.
    pub(super) fn headers(&self) -> HeaderMap {
        self.base.clone()
    }

    /// Sends a message and reads the head of the answer. Dropping the future, or the answer before
    /// its end, closes the connection.
    pub(super) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answered, Broken> {
        self.send(Method::POST, &self.settings.url, headers, body).await
    }

    /// Sends a message to another place at the child's origin.
    pub(super) async fn post_to(&self, place: &Uri, body: Bytes) -> Result<Answered, Broken> {
        self.send(Method::POST, place, self.headers(), body).await
    }

    /// Opens a stream of the child's own messages.
    pub(super) async fn get(&self, mut headers: HeaderMap) -> Result<Answered, Broken> {
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.send(Method::GET, &self.settings.url, headers, Bytes::new()).await
    }

    /// Ends a session.
    pub(super) async fn delete(&self, mut headers: HeaderMap) -> Result<Answered, Broken> {
        headers.remove(CONTENT_TYPE);
        self.send(Method::DELETE, &self.settings.url, headers, Bytes::new()).await
    }

    async fn send(
        &self,
        method: Method,
        place: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Broken> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = place.clone();
        *request.headers_mut() = headers;
        let response = self.pool.request(request).await.map_err(|fault| broken(&fault))?;
        receive(response, self.settings.message_bytes_max).await
    }
}

/// Whether anything was written, and why it failed.
fn broken(fault: &hyper_util::client::legacy::Error) -> Broken {
    let mut unsent = fault.is_connect();
    let mut source = fault.source();
    while let Some(cause) = source {
        unsent |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        source = cause.source();
    }
    let (why, log) = why_not_connected(fault);
    if unsent { Broken::Unsent { why, log } } else { Broken::Cut { log } }
}
