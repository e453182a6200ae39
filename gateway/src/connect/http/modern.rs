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
use super::changes::Changes;
use super::client::HttpClient;
use super::faults::unreachable;
use super::life::Life;
use super::listen;
use super::wanted::{Ended, Wanted, ended};
use crate::call::{About, Call, Caller, Event, Fault, Future, Link, List, Reply};
use crate::connect::dialect::{bad_answer, child_error, modern_params, modern_reply};

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
pub(super) fn heard(message: Message) -> Option<(String, Raw)> {
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

/// What a link and its task share.
pub(super) struct Modern {
    pub(super) requests: Requests,
    pub(super) changes: Changes,
    pub(super) life: Life,
}

/// A live connection to a modern child.
pub(super) struct ModernLink {
    shared: Arc<Modern>,
    about: About,
}

impl ModernLink {
    /// A link to the child that said `about` of itself.
    pub(super) fn open(requests: Requests, about: About, events: mpsc::Sender<Event>) -> Self {
        let changes = Changes::new(&about.capabilities, events);
        let shared = Arc::new(Modern { requests, changes, life: Life::new() });
        if shared.changes.advertised() != 0 {
            shared.life.run(listen::hear(Arc::clone(&shared)));
        }
        Self { shared, about }
    }

    async fn answer(&self, call: &Call) -> Result<Reply, Fault> {
        let Modern { requests, changes, life } = &*self.shared;
        let mount = requests.client.mount();
        changes.reading(&call.method);
        let listens = call.method == Method::Listen;
        let told = |message: Message| match heard(message) {
            None => Continue(()),
            Some((method, params)) => tell(call, &method, params),
        };
        match requests.ask(call, life, told).await? {
            Ok(Ended::Answered(Ok(result))) => modern_reply(&call.method, result, mount),
            Ok(Ended::Answered(Err(error))) => Err(self.said(call, error)),
            Ok(Ended::Refused(mut refusal)) => match refusal.error.take() {
                Some(error) if error.code == error::UNSUPPORTED_VERSION => {
                    Err(self.said(call, error))
                }
                error => {
                    refusal.error = error;
                    if refusal.error.as_ref().is_some_and(|e| e.code == error::HEADER_MISMATCH) {
                        self.mismatched(call);
                    }
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
                let version = self.shared.requests.version;
                let why = format!("it no longer speaks {version}");
                self.shared.life.lose(why.clone());
                let data = error.data.map(|data| data.to_string()).unwrap_or_default();
                unreachable(self.shared.requests.client.mount(), &why).with_log(data)
            }
            error::HEADER_MISMATCH => {
                self.mismatched(call);
                child_error(call, error)
            }
            _ => child_error(call, error),
        }
    }

    /// The schema that says what to mirror is not the child's any more (check 68).
    fn mismatched(&self, call: &Call) {
        if call.method == Method::ToolsCall {
            self.shared.changes.tell(Changes::TOOLS);
        }
    }
}

impl Link for ModernLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async move { self.answer(&call).await })
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn tells_changes(&self, list: List) -> bool {
        self.shared.changes.tells(list)
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(self.shared.life.lost())
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(async move {
            let call = Call::own(Method::Discover, Raw::default(), Caller::gateway());
            self.answer(&call).await.map(drop)
        })
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(self.shared.life.close())
    }
}

impl Drop for ModernLink {
    fn drop(&mut self) {
        self.shared.life.stop();
    }
}
