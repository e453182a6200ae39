//! The accept loop: connections within bounds, each served by hyper, drained in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::body::{self, Body};
use crate::call::Future;

/// The pause after the system refused a new connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of one listener.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections open at once; further ones wait to be accepted.
    pub connections_max: usize,
    /// The longest wait for the head of a request, which is also how long an idle connection is
    /// kept.
    pub header_read_timeout: Duration,
    /// The longest wait for requests under way at drain.
    pub drain: Duration,
}

/// Answers HTTP requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
    ) -> Future<'static, http::Response<Body>>;
}

/// Opens the listening socket.
///
/// # Errors
/// A text with the address and what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|fault| {
        format!("cannot listen on {address}: {fault}; is another program on that port?")
    })
}

/// Accepts connections until `stop`, then waits for the requests under way within the bound.
pub async fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::warn!(%fault, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection(stream, Arc::clone(&service), &bounds);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(fault) = connection.await {
                tracing::debug!(%fault, "a connection ended early");
            }
        });
    }
    drop(listener);
    if timeout(bounds.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(drain = ?bounds.drain, "connections were still open after the drain");
    }
}

fn connection<S: Service>(
    stream: TcpStream,
    service: Arc<S>,
    bounds: &Bounds,
) -> hyper::server::conn::http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<
        Incoming,
        ResBody = Body,
        Error = std::convert::Infallible,
        Future: Send,
    > + use<S>,
> {
    // Small answers must not wait for more to send.
    if let Err(fault) = stream.set_nodelay(true) {
        tracing::debug!(%fault, "no TCP_NODELAY");
    }
    let answer = tower::service_fn(move |request| {
        let answering = Arc::clone(&service).answer(request);
        async move { Ok::<_, std::convert::Infallible>(answering.await) }
    });
    // One bad request must not end the connection's task without an answer.
    let panicked = |_panic: Box<dyn std::any::Any + Send>| body::full(500, "text/plain", "");
    let stack = ServiceBuilder::new().layer(CatchPanicLayer::custom(panicked)).service(answer);
    let stack = ServiceBuilder::new()
        .map_response(
            |response: http::Response<tower_http::body::UnsyncBoxBody<bytes::Bytes, _>>| {
                response.map(body::boxed)
            },
        )
        .service(stack);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(stack))
}
