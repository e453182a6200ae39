//! The pooled way to one remote child: connects, sends, and never follows a redirect.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use super::answer::{Answered, Broken, receive};
use super::settings::HttpSettings;
use crate::call::{Fault, Kind};

/// How long an idle connection is kept. Node and uvicorn close theirs after five seconds; a call
/// that is written in that very moment would have an unknown outcome.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept at most.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// After this much silence TCP asks whether the peer is still there: streams may be quiet for days.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Unanswered probes of TCP after which the connection is dead.
const KEEPALIVE_PROBES_MAX: u32 = 3;

type BoxError = Box<dyn Error + Send + Sync>;

/// The pooled way to one remote child. Cloning shares the pool.
#[derive(Clone)]
pub(super) struct HttpClient {
    pool: Client<Bounded<HttpsConnector<HttpConnector>>, Full<Bytes>>,
    settings: Arc<HttpSettings>,
    base: HeaderMap,
}

impl HttpClient {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a URL that is not `http` or `https` with a host.
    pub(super) fn new(settings: HttpSettings) -> Result<Self, Fault> {
        let scheme = settings.url.scheme();
        let known = scheme == Some(&uri::Scheme::HTTP) || scheme == Some(&uri::Scheme::HTTPS);
        if !known || settings.url.host().is_none_or(str::is_empty) {
            let text = format!("mount `{}`: expected an http or https URL", settings.mount);
            return Err(Fault::invalid(text).with_log(settings.shown));
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES_MAX));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|fault| Fault::new(Kind::Internal, format!("TLS cannot be used: {fault}")))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            // Again only when hyper hands the request back, because no byte of it was written.
            .retry_canceled_requests(true)
            .build(Bounded { next: tls, wait: settings.connect_timeout });
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
        self.send(Method::POST, headers, body).await
    }

    /// Opens a stream of the child's own messages.
    pub(super) async fn get(&self, mut headers: HeaderMap) -> Result<Answered, Broken> {
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.send(Method::GET, headers, Bytes::new()).await
    }

    /// Ends a session.
    pub(super) async fn delete(&self, mut headers: HeaderMap) -> Result<Answered, Broken> {
        headers.remove(CONTENT_TYPE);
        self.send(Method::DELETE, headers, Bytes::new()).await
    }

    async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Broken> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.settings.url.clone();
        *request.headers_mut() = headers;
        let response = self.pool.request(request).await.map_err(|fault| broken(&fault))?;
        receive(response, self.settings.message_bytes_max).await
    }
}

/// Whether anything was written, and why it failed.
fn broken(fault: &hyper_util::client::legacy::Error) -> Broken {
    let mut log = fault.to_string();
    let mut why = "no connection";
    let mut unsent = fault.is_connect();
    let mut source = fault.source();
    while let Some(cause) = source {
        log = format!("{log}: {cause}");
        unsent |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        why = said(cause).unwrap_or(why);
        // The source of an I/O error is that of the error in it, which would be left out.
        let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        source = within.map(|within| within as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    if unsent { Broken::Unsent { why, log } } else { Broken::Cut { log } }
}

/// What one cause of a failed connection is in words that name no address.
fn said(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if cause.is::<rustls::Error>() {
        return Some("the TLS handshake failed");
    }
    if cause.to_string().starts_with("dns error") {
        return Some("its name is not found");
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::TimedOut => Some("no connection in time"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("no route"),
        _ => None,
    }
}

/// A connector with one bound on all of connecting: name, TCP and TLS.
#[derive(Clone)]
struct Bounded<C> {
    next: C,
    wait: Duration,
}

impl<C> Service<http::Uri> for Bounded<C>
where
    C: Service<http::Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.next.poll_ready(cx)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connecting = self.next.call(uri);
        let wait = self.wait;
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("more than {wait:?}"));
            tokio::time::timeout(wait, connecting).await.map_err(late)?
        })
    }
}
