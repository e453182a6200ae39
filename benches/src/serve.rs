//! The listener under floor and child: bounded connections, HTTP/1.1, an end that can be tied to
//! the process which started this one.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::say;

/// Most connections open at once; the next wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;

/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Listens on `at` and prints `endpoint   http://ADDR<path>`: from then on it can be reached.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn bind(at: SocketAddr, path: &str) -> Result<TcpListener, Fault> {
    let listener =
        TcpListener::bind(at).await.map_err(Fault::during(format_args!("listening on {at}")))?;
    let here = listener.local_addr().map_err(Fault::during("asking for the port"))?;
    say(&format!("endpoint   http://{here}{path}"));
    Ok(listener)
}

/// Serves until the end of standard input if `tied`, else until the process ends. Faults of
/// single connections end those connections only.
pub(crate) async fn serve<S, B>(listener: TcpListener, tied: bool, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    tokio::select! {
        () = accept(listener, service) => {}
        () = end_of_input(), if tied => {}
    }
}

async fn accept<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < CONNECTIONS_MAX => {
                // A connection that died before it was accepted, or no free descriptor: the
                // load generator counts what it cannot reach.
                match accepted {
                    Ok((stream, _from)) => drop(open.spawn(converse(stream, service.clone()))),
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        }
    }
}

async fn converse<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it the kernel would hold back small answers; on failure it only does that.
    let _slow = stream.set_nodelay(true);
    // A client that leaves in the middle is no fault of this side.
    let _left = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Waits until standard input ends, that is until the process that holds its other end is gone.
pub(crate) async fn end_of_input() {
    let _lost = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}
