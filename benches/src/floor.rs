//! The floor: a bare reverse proxy that only copies bodies, so that a hop's least cost is known.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::args::FloorArgs;
use crate::fault::Fault;
use crate::serve::{bind, serve};

type Pool = Client<HttpConnector, Incoming>;
type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Serves until its end is called for.
///
/// # Errors
/// The address cannot be had, or `--to` names no host.
pub(crate) async fn run(args: FloorArgs) -> Result<(), Fault> {
    let Some(to) = args.to.authority().cloned() else {
        return Err(Fault(format!("--to: expected http://HOST:PORT/PATH, got `{}`", args.to)));
    };
    let listener = bind(args.listen, args.to.path()).await?;
    stand(listener, to, args.tied).await;
    Ok(())
}

/// Passes everything that reaches `listener` on to `to`.
pub(crate) async fn stand(listener: TcpListener, to: Authority, tied: bool) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool: Pool = Client::builder(TokioExecutor::new()).build(connector);
    let service = service_fn(move |request| pass(pool.clone(), to.clone(), request));
    serve(listener, tied, service).await;
}

async fn pass(pool: Pool, to: Authority, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (mut head, body) = request.into_parts();
    let mut target = head.uri.into_parts();
    target.scheme = Some(Scheme::HTTP);
    target.authority = Some(to);
    let Ok(uri) = Uri::from_parts(target) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "expected a path in the request line"));
    };
    head.uri = uri;
    head.headers.remove(HOST);
    end_hop(&mut head.headers);
    match pool.request(Request::from_parts(head, body)).await {
        Ok(mut answer) => {
            end_hop(answer.headers_mut());
            Ok(answer.map(Either::Left))
        }
        Err(fault) => Ok(refusal(StatusCode::BAD_GATEWAY, &fault.to_string())),
    }
}

/// Takes out what belongs to one connection and not to the message.
fn end_hop(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
}

fn refusal(status: StatusCode, why: &str) -> Answer {
    let mut answer = Response::new(Either::Right(Full::from(why.to_owned())));
    *answer.status_mut() = status;
    answer
}
