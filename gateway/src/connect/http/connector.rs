//! Connects to remote children: name, TCP and TLS within one bound, and why it failed.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tower::Service;

use crate::call::{Fault, Kind};

/// After this much silence TCP asks whether the peer is still there: streams may be quiet for days.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Unanswered probes of TCP after which the connection is dead.
const KEEPALIVE_PROBES_MAX: u32 = 3;

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects by `http` and `https` URLs.
pub(in crate::connect) type Connector = Bounded<HttpsConnector<HttpConnector>>;

/// A connector that takes at most `wait`.
///
/// # Errors
/// [`Kind::Internal`] when TLS cannot be set up.
pub(in crate::connect) fn connector(wait: Duration) -> Result<Connector, Fault> {
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
    Ok(Bounded { next: tls, wait })
}

/// Why a connection failed, in words that name no address, and in all words for the log.
pub(in crate::connect) fn why_not_connected(
    fault: &(dyn Error + 'static),
) -> (&'static str, String) {
    let mut log = fault.to_string();
    let mut why = said(fault).unwrap_or("no connection");
    let mut source = below(fault);
    while let Some(cause) = source {
        log = format!("{log}: {cause}");
        why = said(cause).unwrap_or(why);
        source = below(cause);
    }
    (why, log)
}

/// The source of an I/O error is that of the error in it, which would be left out.
fn below<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within.map(|within| within as &(dyn Error + 'static)).or_else(|| cause.source())
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
pub(in crate::connect) struct Bounded<C> {
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
