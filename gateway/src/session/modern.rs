//! The modern face: each request checked in the order of digest 1.6, then turned into a call.

use std::sync::Arc;

use protocol::capabilities::of_client;
use protocol::header::decode;
use protocol::json::{self, Members};
use protocol::meta::Meta;
use protocol::question::Abilities;
use protocol::{ErrorObject, Method, Raw, Version, envelope, error};

use super::answer;
use super::exchange::{Exchange, NoticeShape, Running, listen_closed};
use super::front::Front;
use super::head::{Arrival, Head};
use super::live::Live;
use super::states::{States, may_ask, unsealed};
use super::task_ids::{self, Known};
use super::visit;
use crate::call::{Backchannel, Call, Caller, DynServe, Fault, Kind, Reply, ReplyKind};

impl Front {
    /// A request that is of the modern era; `live` is the connection's on transports that share
    /// one channel.
    pub(super) fn modern(
        self: &Arc<Self>,
        arrival: &Arrival,
        id: Raw,
        method: Method,
        params: Raw,
        live: Option<&Arc<Live>>,
    ) -> Exchange {
        let refuse = |fault: Fault| {
            let (status, body) = answer::modern(&id, &method, Err(fault));
            Exchange::ready(status, body)
        };
        let meta = match check(arrival.head.as_ref(), &method, &params) {
            Ok(meta) => meta,
            Err(fault) => return refuse(fault),
        };
        let listen = method == Method::Listen;
        if listen && arrival.head.as_ref().is_some_and(|head| head.no_stream) {
            return no_stream(&id);
        }
        let places = if listen { &self.listens } else { &self.calls };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            return refuse(self.full(listen));
        };
        let (in_flight, cancelled) = match live.map(|live| live.enter(&id)) {
            None => (None, tokio_util::sync::CancellationToken::new()),
            Some(Some((place, token))) => (Some(place), token),
            Some(None) => return refuse(in_flight_twice(&id)),
        };
        let (back, notices) = Backchannel::open();
        let mut shape = NoticeShape {
            token: meta.progress_token.clone(),
            log_level: meta.log_level,
            subscription: listen.then(|| id.clone()),
            ..NoticeShape::default()
        };
        let session = live.map(|live| live.number);
        let call = call_of(arrival, meta, session, (method.clone(), params, back));
        let (call, known) = match task_ids::opened(&self.seal, call) {
            Ok(opened) => opened,
            Err(fault) => return refuse(fault),
        };
        shape.tasks = known.clone();
        let front = Arc::clone(self);
        let answering = Box::pin(async move {
            let _place = place;
            let mut outcome = front.answer_or_ask(call, &known).await;
            if let (true, Ok(reply)) = (listen, &mut outcome) {
                reply.result = listen_closed(&reply.result, &id);
            }
            answer::modern(&id, &method, outcome)
        });
        Exchange::attached(Running::new(answering, notices, shape, cancelled, in_flight))
    }

    /// Serves a call; what is asked for goes to the client with a state that is sealed.
    async fn answer_or_ask(&self, call: Call, known: &Known) -> Result<Reply, Fault> {
        if call.method.is_of_task() {
            let asked = call.clone();
            let reply = self.serve.serve_boxed(call).await?;
            return task_ids::closed(&self.seal, &asked, known, reply);
        }
        if !may_ask(&call.method) {
            return self.serve.serve_boxed(call).await;
        }
        let call = unsealed(&self.seal, self.settings.question_wait, call)?;
        let asked = call.clone();
        let outcome = self.serve.serve_boxed(call).await;
        let able = Abilities::read(&asked.caller.capabilities);
        let states = || States::of(&self.seal, self.settings.question_wait, &asked);
        match outcome {
            Ok(reply) => match reply.kind {
                ReplyKind::Complete => Ok(reply),
                ReplyKind::Task => task_ids::closed(&self.seal, &asked, known, reply),
                ReplyKind::InputRequired => states().close(&reply, able),
            },
            Err(fault) => match visit::question_of(&fault) {
                Some(question) => states().close_over(&question, able),
                None => Err(fault),
            },
        }
    }

    pub(super) fn full(&self, listen: bool) -> Fault {
        let (what, max) = match listen {
            true => ("listens are open", self.settings.listens_max),
            false => ("requests are under way", self.settings.calls_in_flight_max),
        };
        Fault::new(
            Kind::Limited { retry_after: None },
            format!("{max} {what}, which is this gateway's limit; try again later"),
        )
    }
}

/// A request as a call.
fn call_of(
    arrival: &Arrival,
    meta: Meta,
    session: Option<u64>,
    (method, params, back): (Method, Raw, Backchannel),
) -> Call {
    let said = meta.client_capabilities.unwrap_or_default();
    let caller = Caller {
        principal: arrival.principal.clone(),
        grant: Arc::clone(&arrival.grant),
        capabilities: of_client(&said),
        client_info: meta.client_info,
        session,
    };
    Call {
        endpoint: arrival.endpoint.clone(),
        wants_progress: meta.progress_token.is_some(),
        log_level: meta.log_level,
        param_headers: arrival.head.as_ref().map(|head| Arc::clone(&head.params)),
        back,
        ..Call::own(method, params, Arc::new(caller))
    }
}

/// A listen is answered by a stream, which this client does not take.
fn no_stream(id: &Raw) -> Exchange {
    let text = "Accept: expected text/event-stream: what a listen tells comes as a stream";
    let error = ErrorObject::new(error::INVALID_REQUEST, text);
    Exchange::ready(406, envelope::error(Some(id.as_str()), &error))
}

pub(super) fn in_flight_twice(id: &Raw) -> Fault {
    Fault::new(
        Kind::InvalidRequest,
        format!("id: {id:?} is that of a request still in flight on this connection"),
    )
}

/// Steps 3 to 6 of digest 1.6. Origin and host were checked before the body was read, the JSON
/// when it was; capabilities and params are checked by who serves the call.
fn check(head: Option<&Head>, method: &Method, params: &Raw) -> Result<Meta, Fault> {
    let bad_meta = |text: String| Fault::new(Kind::BadMeta, text);
    let meta = Meta::read(params).map_err(|fault| bad_meta(fault.0))?;
    let missing = |key: &str| {
        bad_meta(format!("params._meta[\"{key}\"] is missing; every 2026-07-28 request has it"))
    };
    let Some(version) = meta.version.as_deref() else {
        return Err(missing(protocol::meta::VERSION));
    };
    if meta.client_capabilities.is_none() {
        return Err(missing(protocol::meta::CLIENT_CAPABILITIES));
    }
    if let Some(head) = head {
        check_head(head, version, method, params)?;
    }
    if !Version::read(version).is_some_and(Version::is_modern) {
        let known = answer::modern_versions().join(", ");
        return Err(Fault::new(
            Kind::UnsupportedVersion(version.to_owned()),
            format!("protocol version `{version}` is not spoken in this form; spoken are {known}"),
        ));
    }
    if !method.is_modern() {
        let name = method.as_str();
        let text = format!("`{name}` is no method of protocol version {version}");
        return Err(Fault::new(Kind::UnknownMethod, text));
    }
    Ok(meta)
}

/// The headers say what the body says (checks 48 to 52).
fn check_head(head: &Head, version: &str, method: &Method, params: &Raw) -> Result<(), Fault> {
    same("MCP-Protocol-Version", trimmed(head.version.as_deref()), version)?;
    same("Mcp-Method", trimmed(head.method.as_deref()), method.as_str())?;
    let Some(member) = method.name_member() else { return Ok(()) };
    let members = Members::read(params).map_err(|fault| Fault::invalid(fault.0))?;
    let Some(expected) = members.get(member).and_then(json::string) else {
        // The params themselves are wrong, and that is said where they are read.
        return Ok(());
    };
    let came = match head.name.as_deref().map(decode) {
        None => None,
        Some(Ok(came)) => Some(came),
        Some(Err(fault)) => return Err(mismatch(format!("Mcp-Name: {fault}"))),
    };
    same("Mcp-Name", came.as_deref(), &expected)
}

fn trimmed(text: Option<&str>) -> Option<&str> {
    text.map(|text| text.trim_matches([' ', '\t']))
}

/// Compares a value that has no blanks around it, or whose blanks were behind the sentinel.
fn same(name: &str, came: Option<&str>, expected: &str) -> Result<(), Fault> {
    match came {
        Some(came) if came == expected => Ok(()),
        Some(came) => {
            Err(mismatch(format!("{name}: the body says `{expected}`, the header `{came}`")))
        }
        None => Err(mismatch(format!("{name}: the header is missing; the body says `{expected}`"))),
    }
}

fn mismatch(text: String) -> Fault {
    Fault::new(Kind::HeaderMismatch, text)
}

/// A message that says nothing a client could use.
pub(super) fn nothing(id: &Raw) -> bytes::Bytes {
    envelope::result(id, &Raw::default())
}
