//! The scripted child on Streamable HTTP: every POST is answered with one JSON object.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::net::TcpListener;

use super::ledger::Ledger;
use super::script::{Answer, Heads, Origin, Script};
use super::sessions::Sessions;
use crate::args::ChildArgs;
#[cfg(test)]
use crate::args::Speaks;
use crate::fault::Fault;
use crate::serve::{bind, serve};
use crate::wire::name;

/// Longest request body taken, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

struct Child {
    script: Script,
    sessions: Sessions,
    ledger: Option<Ledger>,
}

/// Serves `/mcp` until its end is called for.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn run(args: ChildArgs) -> Result<(), Fault> {
    let bytes = usize::try_from(args.bytes).map_err(Fault::during("--bytes"))?;
    let listener = bind(args.listen, "/mcp").await?;
    let ledger = args.ledger.as_deref().map(Ledger::open).transpose()?;
    let script = Script::new(args.era, bytes);
    serve_child(listener, Child { script, sessions: Sessions::default(), ledger }, args.tied).await;
    Ok(())
}

/// Answers whatever reaches `listener` with texts of `bytes` bytes.
#[cfg(test)]
pub(crate) async fn stand(listener: TcpListener, speaks: Speaks, bytes: usize, tied: bool) {
    let script = Script::new(speaks, bytes);
    let child = Child { script, sessions: Sessions::default(), ledger: None };
    serve_child(listener, child, tied).await;
}

async fn serve_child(listener: TcpListener, child: Child, tied: bool) {
    let child = Arc::new(child);
    let service = service_fn(move |request| {
        let child = Arc::clone(&child);
        async move { Ok::<_, Infallible>(child.meet(request).await) }
    });
    serve(listener, tied, service).await;
}

impl Child {
    async fn meet(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::DELETE => self.delete(request.headers()),
            _ => bare(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    async fn post(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return bare(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let session = text(&head.headers, name::SESSION_HEADER);
        let heads = Heads {
            version: text(&head.headers, name::VERSION_HEADER),
            method: text(&head.headers, name::METHOD_HEADER),
            name: text(&head.headers, name::NAME_HEADER),
        };
        let in_session = session.is_some_and(|id| self.sessions.has(id));
        // Modern clients have no sessions: a stray id of theirs is not looked at.
        if session.is_some() && !in_session && heads.method.is_none() {
            return bare(StatusCode::NOT_FOUND);
        }
        let body = body.to_bytes();
        let answer = self.script.answer(&body, Origin::Http { heads, in_session });
        if let Some(ledger) = &self.ledger {
            ledger.note(&body, &answer);
        }
        self.print(answer)
    }

    fn print(&self, answer: Answer) -> Response<Full<Bytes>> {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        let Some(body) = answer.body else { return bare(status) };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if answer.greets {
            let id = self.sessions.begin().and_then(|id| HeaderValue::try_from(id).ok());
            let Some(id) = id else { return bare(StatusCode::SERVICE_UNAVAILABLE) };
            headers.insert(name::SESSION_HEADER, id);
        }
        response
    }

    fn delete(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        match text(headers, name::SESSION_HEADER) {
            Some(id) if self.sessions.end(id) => bare(StatusCode::NO_CONTENT),
            Some(_) => bare(StatusCode::NOT_FOUND),
            None => bare(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
