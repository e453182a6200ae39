//! The accept loop: connections within bounds, each served by hyper, drained in order.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use super::body::{self, Body};
use super::socket::{Listener, Patient};
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
    /// The longest that a client may take no bytes while some are sent to it.
    pub write_timeout: Duration,
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

    /// What browsers are told of pages of other origins: nothing, so that none may call.
    fn cors(&self) -> CorsLayer {
        CorsLayer::new()
    }
}

/// What a connection stands on, and what it is upgraded to as well.
#[derive(Clone)]
pub(super) struct Ground {
    /// Its place among the connections.
    _place: Arc<OwnedSemaphorePermit>,
    /// The listener stops.
    pub(super) stop: CancellationToken,
    /// How long what is under way may take then.
    pub(super) drain: Duration,
    /// What runs beside it is waited for, too.
    pub(super) tasks: TaskTracker,
}

/// Accepts connections until `stop`, then waits for the requests under way within the bound.
pub async fn serve<S: Service>(
    listener: Listener,
    service: Arc<S>,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let tasks = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, place) = match (accepted, place) {
            (Ok(stream), Ok(place)) => (stream, Arc::new(place)),
            (Err(fault), _) => {
                tracing::warn!(%fault, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
            (_, Err(_closed)) => break,
        };
        let (stop, tasks) = (stop.clone(), tasks.clone());
        let ground = Ground { _place: place, stop, drain: bounds.drain, tasks: tasks.clone() };
        let stream = Patient::new(stream, bounds.write_timeout);
        let stopped = ground.stop.clone();
        let head_wait = bounds.header_read_timeout;
        let connection = connection(stream, Arc::clone(&service), head_wait, ground);
        tasks.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(fault) = ended {
                tracing::debug!(%fault, "a connection ended early");
            }
        });
    }
    drop(listener);
    tasks.close();
    if timeout(bounds.drain, tasks.wait()).await.is_err() {
        tracing::warn!(drain = ?bounds.drain, "connections were still open after the drain");
    }
}

fn connection<S: Service>(
    stream: Patient,
    service: Arc<S>,
    head_wait: Duration,
    ground: Ground,
) -> hyper::server::conn::http1::UpgradeableConnection<
    TokioIo<Patient>,
    impl hyper::service::HttpService<
        Incoming,
        ResBody = Body,
        Error = std::convert::Infallible,
        Future: Send,
    > + use<S>,
> {
    let cors = service.cors();
    let answer = tower::service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ground.clone());
        let answering = Arc::clone(&service).answer(request);
        async move { Ok::<_, std::convert::Infallible>(answering.await) }
    });
    // One bad request must not end the connection's task without an answer.
    let panicked = |_panic: Box<dyn std::any::Any + Send>| body::full(500, "text/plain", "");
    let stack = ServiceBuilder::new().layer(CatchPanicLayer::custom(panicked)).service(answer);
    let stack = ServiceBuilder::new()
        .layer(cors)
        .map_response(
            |response: http::Response<tower_http::body::UnsyncBoxBody<bytes::Bytes, _>>| {
                response.map(body::boxed)
            },
        )
        .service(stack);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_wait)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(stack))
        .with_upgrades()
}
