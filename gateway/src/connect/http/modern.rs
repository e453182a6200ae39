//! A remote child of the modern era: one POST a call, answered by JSON or by a stream.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::envelope::{self, Message};
use protocol::json::Members;
use protocol::method::notice;
use protocol::{ErrorObject, Method, Raw, Version, error, header};
use tokio::sync::mpsc;

use super::answer::{Answered, Broken};
use super::client::HttpClient;
use super::faults::unreachable;
use super::life::Life;
use super::wanted::{Ended, Wanted, ended};
use crate::call::{About, Call, Caller, Event, Fault, Future, Kind, Link, List, Reply};
use crate::connect::audience::names_tasks;
use crate::connect::dialect::{bad_answer, child_error, modern_params, modern_reply};
use crate::connect::fan::{Ask, Fan};

/// Requests in the modern era: no state but the next id.
pub(super) struct Requests {
    client: HttpClient,
    version: Version,
    ids: AtomicU64,
}

impl Requests {
    pub(super) fn new(client: HttpClient) -> Self {
        Self { client, version: Version::NEWEST_MODERN, ids: AtomicU64::new(1) }
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Sends one call; each notification that comes with the answer is `told`.
    ///
    /// # Errors
    /// [`Fault`] when the call cannot be sent at all; the [`Broken`] of its answer is inside.
    pub(super) async fn ask(
        &self,
        call: &Call,
        life: &Life,
        told: impl FnMut(Message) -> ControlFlow<()> + Send,
    ) -> Result<Result<Ended, Broken>, Fault> {
        let id = self.ids.fetch_add(1, Relaxed);
        let params = modern_params(call, self.version, id)?;
        let headers = self.headers(call, &params)?;
        let wanted = Wanted::new(id);
        let body = envelope::request(wanted.id(), call.method.as_str(), &params);
        Ok(match self.client.post(headers, body).await {
            Ok(Answered { answer, .. }) => ended(answer, wanted, life, told).await,
            Err(broken) => Err(broken),
        })
    }

    /// The headers of one call, from the params as they go out (checks 56, 65, 66, 69).
    fn headers(&self, call: &Call, params: &Raw) -> Result<HeaderMap, Fault> {
        let mut headers = self.client.headers();
        headers.insert(header::VERSION, HeaderValue::from_static(self.version.as_str()));
        let method = HeaderValue::from_str(call.method.as_str())
            .map_err(|_| Fault::invalid("the method's name cannot be sent over HTTP"))?;
        headers.insert(header::METHOD, method);
        if let Some(member) = call.method.name_member() {
            let members = Members::read(params).ok();
            let name = members.as_ref().and_then(|members| members.get_string(member));
            let Some(name) = name else {
                return Err(Fault::invalid(format!("params.{member}: expected a string")));
            };
            headers.insert(header::NAME, value(&header::encode(&name))?);
        }
        for (name, came) in call.param_headers.as_deref().unwrap_or_default() {
            let known = call.mirrored.iter().any(|one| one.header.eq_ignore_ascii_case(name));
            if !known {
                headers.insert(param(name)?, value(came)?);
            }
        }
        for one in call.mirrored.iter() {
            if let Some(text) = one.value(params) {
                headers.insert(param(&one.header)?, value(&header::encode(&text))?);
            }
        }
        Ok(headers)
    }
}

fn param(name: &str) -> Result<HeaderName, Fault> {
    HeaderName::from_bytes(format!("{}{name}", header::PARAM_PREFIX).as_bytes())
        .map_err(|_| Fault::invalid(format!("Mcp-Param-{name:.60} is no header name")))
}

fn value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|_| Fault::invalid("a value cannot be sent in a header"))
}

/// The notification that `message` is.
fn heard(message: Message) -> Option<(String, Raw)> {
    match message {
        Message::Notification { method, params } => Some((method, params)),
        // A modern child asks by a result; who asks like this gets no answer.
        Message::Request { method, .. } => {
            tracing::debug!(method, "a request from a modern child is ignored");
            None
        }
        Message::Response { .. } => None,
    }
}

/// Hands a notification to the client; all that a stream carries belongs to its call.
fn tell(call: &Call, method: &str, params: Raw) -> ControlFlow<()> {
    let listens = call.method == Method::Listen;
    match method {
        // One of the three ways in which a listen ends (digest 1.14).
        notice::CANCELLED if listens => Break(()),
        notice::PROGRESS | notice::MESSAGE if !listens => {
            // Progress that finds no place is followed by better.
            let _told = call.back.tell(method, params);
            Continue(())
        }
        notice::PROGRESS | notice::MESSAGE => Continue(()),
        // An event of a listen must not be lost: the client listens again and reads anew.
        _ if listens && !call.back.tell(method, params) => Break(()),
        _ => Continue(()),
    }
}

/// The child, for the link and for its fan.
struct Peer {
    requests: Requests,
    life: Life,
}

/// A live connection to a modern child.
pub(super) struct ModernLink {
    peer: Arc<Peer>,
    fan: Fan,
    about: About,
}

impl ModernLink {
    /// A link to the child that said `about` of itself.
    pub(super) fn open(requests: Requests, about: About, events: mpsc::Sender<Event>) -> Self {
        let peer = Arc::new(Peer { requests, life: Life::new() });
        let asked = Arc::clone(&peer);
        let ask: Ask = Box::new(move |call| {
            let peer = Arc::clone(&asked);
            Box::pin(async move { peer.answer(&call).await })
        });
        let fan = Fan::open(ask, &about.capabilities, events);
        Self { peer, fan, about }
    }

    async fn serve(&self, call: &Call) -> Result<Reply, Fault> {
        let Peer { requests, life } = &*self.peer;
        if call.method == Method::Listen && !names_tasks(call) {
            return tokio::select! {
                reply = self.fan.listen(call) => reply,
                why = life.lost() => Err(unreachable(requests.client.mount(), &why)),
            };
        }
        self.fan.reading(&call.method);
        let outcome = self.peer.answer(call).await;
        if let Err(Fault { kind: Kind::Child(error), .. }) = &outcome
            && error.code == error::HEADER_MISMATCH
            && call.method == Method::ToolsCall
        {
            // The schema that says what to mirror is not the child's any more (check 68).
            self.fan.doubt_tools();
        }
        outcome
    }
}

impl Peer {
    async fn answer(&self, call: &Call) -> Result<Reply, Fault> {
        let Self { requests, life } = self;
        let mount = requests.client.mount();
        let listens = call.method == Method::Listen;
        let told = |message: Message| match heard(message) {
            None => Continue(()),
            Some((method, params)) => tell(call, &method, params),
        };
        match requests.ask(call, life, told).await? {
            Ok(Ended::Answered(Ok(result))) => modern_reply(call, result, mount),
            Ok(Ended::Answered(Err(error))) => Err(self.said(call, error)),
            Ok(Ended::Refused(mut refusal)) => match refusal.error.take() {
                Some(error) if error.code == error::UNSUPPORTED_VERSION => {
                    Err(self.said(call, error))
                }
                error => {
                    refusal.error = error;
                    Err(refusal.fault(mount, call))
                }
            },
            Ok(Ended::Left) if listens => Ok(Reply::complete(Raw::default())),
            Ok(Ended::Left) => Err(bad_answer(mount, "it ended without a result")),
            Err(broken) => Err(broken.fault(mount, &call.method)),
        }
    }

    fn said(&self, call: &Call, error: ErrorObject) -> Fault {
        match error.code {
            // The child changed under us; it has done nothing, and only a new probe helps
            // (checks 27, 41).
            error::UNSUPPORTED_VERSION => {
                let version = self.requests.version;
                let why = format!("it no longer speaks {version}");
                self.life.lose(why.clone());
                let data = error.data.map(|data| data.to_string()).unwrap_or_default();
                unreachable(self.requests.client.mount(), &why).with_log(data)
            }
            _ => child_error(call, error),
        }
    }
}

impl Link for ModernLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async move { self.serve(&call).await })
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn tells_changes(&self, list: List) -> bool {
        self.fan.tells(list)
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(self.peer.life.lost())
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(async move {
            let call = Call::own(Method::Discover, Raw::default(), Caller::gateway());
            self.peer.answer(&call).await.map(drop)
        })
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async move {
            self.fan.close();
            self.peer.life.close().await;
        })
    }
}

impl Drop for ModernLink {
    fn drop(&mut self) {
        self.peer.life.stop();
    }
}
