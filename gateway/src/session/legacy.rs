//! The legacy face: the handshake, and requests within a session.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use protocol::capabilities::ServerCapabilities;
use protocol::envelope::{self, Message};
use protocol::json::{self, Members, ObjectWriter};
use protocol::meta::{self, Meta};
use protocol::method::notice;
use protocol::question::Abilities;
use protocol::{ErrorObject, Method, Raw, Version, error, extension};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::asking::Asker;
use super::downgrade::Face;
use super::exchange::{Exchange, NoticeShape, Running};
use super::front::{Front, Held, Outcome};
use super::head::Arrival;
use super::ledger::Change;
use super::live::Live;
use super::modern::{in_flight_twice, nothing};
use super::resume::is_primed;
use super::rounds;
use super::sessions::Session;
use super::states::may_ask;
use crate::call::{Aside, Backchannel, Call, Caller, DynServe, Endpoint, Fault, Kind, Reply};

/// The extensions that a handshake can agree on: tasks are of the modern era alone (check 187).
const OF_A_HANDSHAKE: [&str; 1] = [extension::UI];

impl Front {
    /// `initialize` over HTTP: agrees on a version and gives out a session id.
    pub(super) fn handshake(
        self: &Arc<Self>,
        arrival: &Arrival,
        id: &Raw,
        params: &Raw,
    ) -> Outcome {
        let session = match session_of(arrival, params) {
            Ok(session) => session,
            Err(error) => return Outcome::refuse(200, Some(id), &error),
        };
        let Some(minted) = self.sessions.mint(&session) else {
            let text = "params.capabilities: too large to keep in a session id";
            let error = ErrorObject::new(error::INVALID_PARAMS, text);
            return Outcome::refuse(200, Some(id), &error);
        };
        let exchange = self.initialized(&session, id.clone());
        Outcome::Answered { session: Some(minted), exchange }
    }

    /// The answer to `initialize`: what the catalog offers, in a handshake's words.
    pub(super) fn initialized(self: &Arc<Self>, session: &Session, id: Raw) -> Exchange {
        let discover =
            Call { endpoint: session.endpoint.clone(), ..own(session, Method::Discover) };
        let serve = Arc::clone(&self.serve);
        let (version, face) = (session.version, face_of(session));
        self.answering(None, CancellationToken::new(), async move {
            let outcome = serve.serve_boxed(discover).await;
            let outcome = outcome.map(|reply| Reply::complete(greeting(version, &reply.result)));
            (200, answer::legacy(face, &id, &Method::Initialize, outcome))
        })
    }

    /// A request within a session.
    pub(super) fn legacy(
        self: &Arc<Self>,
        held: &Held,
        id: Raw,
        method: Method,
        params: Raw,
    ) -> Exchange {
        let face = face_of(&held.session);
        let refuse =
            |fault: Fault| Exchange::ready(200, answer::legacy(face, &id, &method, Err(fault)));
        match &method {
            Method::Ping => return Exchange::ready(200, nothing(&id)),
            Method::Initialize => return refuse(Fault::invalid("this session is initialized")),
            method if method.is_of_task() || method.is_modern_only() => {
                return refuse(not_offered(method));
            }
            _ => {}
        }
        let Some((in_flight, cancelled)) = held.live.enter(&id) else {
            return refuse(in_flight_twice(&id));
        };
        let Ok(place) = Arc::clone(&self.calls).try_acquire_owned() else {
            return refuse(self.full(false));
        };
        if matches!(method, Method::SetLevel | Method::Subscribe | Method::Unsubscribe) {
            let (front, held) = (Arc::clone(self), held.clone());
            return self.answering(Some(in_flight), cancelled, async move {
                let _place = place;
                let outcome = front.of_session(&held, &method, &params).await;
                (200, answer::legacy(face, &id, &method, outcome))
            });
        }
        let meta = match Meta::read(&params) {
            Ok(meta) => meta,
            Err(fault) => return refuse(Fault::invalid(fault.0)),
        };
        let (back, notices) = Backchannel::open();
        let (asker, questions) = Asker::new(
            Arc::clone(&held.live),
            held.session.version,
            self.settings.question_wait,
            self.ending.clone(),
        );
        let level = held.live.level();
        let shape = held.shape(&meta);
        let call = Call {
            params,
            wants_progress: meta.progress_token.is_some(),
            log_level: Some(level),
            aside: held.aside(),
            back: back.holding(),
            ..held.call(method.clone())
        };
        let resumes = held.resumes.then(|| held.live.replays.begin(id.clone()));
        let (serve, rounds_max) = (Arc::clone(&self.serve), self.settings.rounds_max);
        let answering = Box::pin(async move {
            let _place = place;
            let outcome = match may_ask(&method) {
                true => rounds::serve(&serve, call, &asker, rounds_max).await,
                false => serve.serve_boxed(call).await,
            };
            (200, answer::legacy(face, &id, &method, outcome))
        });
        let mut running = Running::new(answering, notices, shape, cancelled, Some(in_flight));
        running.questions = Some(questions);
        let Some(stream) = resumes else { return Exchange::detached(running, &self.tasks) };
        let begin = is_primed(held).then_some(self.settings.stream_after);
        Exchange::resumable(running, &self.tasks, stream, begin)
    }

    /// The requests that change the session itself; unknown where nothing offers what they are for
    /// (check 30).
    async fn of_session(
        self: &Arc<Self>,
        held: &Held,
        method: &Method,
        params: &Raw,
    ) -> Result<Reply, Fault> {
        let discover = own(&held.session, Method::Discover);
        let found = self.serve.serve_boxed(discover).await?.result;
        let members = Members::read(&found).ok();
        let offered = members.as_ref().and_then(|members| members.get("capabilities"));
        let offered = offered.and_then(|text| ServerCapabilities::read(&found.slice(text)).ok());
        let offered = offered.unwrap_or_default();
        if *method != Method::SetLevel {
            return match offered.subscribe {
                true => self.subscription(held, method, params).await,
                false => Err(not_offered(method)),
            };
        }
        if !offered.logging {
            return Err(not_offered(method));
        }
        let level = level_of(params)?;
        held.live.set_level(level);
        self.note(held, Change::Level(level)).await;
        Ok(Reply::complete(Raw::default()))
    }

    /// An exchange whose answer is `answering`, without notices of its own.
    fn answering(
        self: &Arc<Self>,
        in_flight: Option<super::live::InFlight>,
        cancelled: CancellationToken,
        answering: impl Future<Output = (u16, bytes::Bytes)> + Send + 'static,
    ) -> Exchange {
        let (_none, notices) = Backchannel::open();
        let shape = NoticeShape::default();
        let running = Running::new(Box::pin(answering), notices, shape, cancelled, in_flight);
        Exchange::detached(running, &self.tasks)
    }

    /// A notification or response within a session.
    pub(super) fn legacy_one_way(self: &Arc<Self>, held: &Held, message: &Message) {
        let (method, params) = match message {
            Message::Notification { method, params } => (method, params),
            Message::Response { id: Some(id), outcome } => {
                return held.live.answered(id, outcome.clone());
            }
            _ => return,
        };
        match method.as_str() {
            notice::CANCELLED => {
                let members = Members::read(params).ok();
                if let Some(id) = members.as_ref().and_then(|members| members.get("requestId")) {
                    held.live.cancel(id);
                }
            }
            notice::INITIALIZED => held.live.touch(),
            _ => {}
        }
    }
}

/// What the params of `initialize` agree on.
pub(super) fn session_of(arrival: &Arrival, params: &Raw) -> Result<Session, ErrorObject> {
    let bad = |text: String| ErrorObject::new(error::INVALID_PARAMS, text);
    let members = Members::read(params).map_err(|fault| bad(format!("params: {fault}")))?;
    let Some(asked) = members.get_string("protocolVersion") else {
        return Err(bad("params.protocolVersion: expected a string".to_owned()));
    };
    let object = |key: &str| match members.get(key) {
        None => Ok(None),
        Some(text) if text.starts_with('{') => Ok(Some(params.slice(text))),
        Some(text) => {
            let came = json::kind_of(text);
            Err(bad(format!("params.{key}: expected an object, found {came}")))
        }
    };
    let caller = Caller {
        principal: arrival.principal.clone(),
        grant: Arc::clone(&arrival.grant),
        capabilities: object("capabilities")?.unwrap_or_default(),
        client_info: object("clientInfo")?,
        session: Some(rand::random()),
    };
    Ok(Session {
        version: Version::negotiate_legacy(&asked),
        caller: Arc::new(caller),
        endpoint: arrival.endpoint.clone(),
    })
}

/// What the client of a session can take.
fn face_of(session: &Session) -> Face {
    Face::of(session.version, &session.caller.capabilities)
}

/// The result of `initialize` from that of discover.
fn greeting(version: Version, discovered: &Raw) -> Raw {
    let members = Members::read(discovered).ok();
    let get = |key: &str| members.as_ref().and_then(|members| members.get(key));
    let offered = get("capabilities").map(|text| discovered.slice(text)).unwrap_or_default();
    ObjectWriter::new()
        .string("protocolVersion", version.as_str())
        .raw("capabilities", &extension::relayed(&offered, &OF_A_HANDSHAKE))
        .raw("serverInfo", answer::IDENTITY)
        .optional("instructions", get("instructions"))
        .finish()
}

/// Whether a client has words for the end of a visit to a page.
fn knows_visits(session: &Session) -> bool {
    session.version == Version::V2025_11_25
}

fn not_offered(method: &Method) -> Fault {
    Fault::new(Kind::UnknownMethod, format!("nothing here offers {}", method.as_str()))
}

fn level_of(params: &Raw) -> Result<u8, Fault> {
    let members = Members::read(params).map_err(|fault| Fault::invalid(fault.0))?;
    let name = members.get_string("level");
    name.as_deref().and_then(meta::level).ok_or_else(|| {
        let came = members.get("level").unwrap_or("nothing");
        let known = meta::LEVELS.join(", ");
        Fault::invalid(format!("params.level: expected one of {known}, found {came:.40}"))
    })
}

impl Held {
    /// How the notices of a call look to the client.
    fn shape(&self, meta: &Meta) -> NoticeShape {
        NoticeShape {
            token: meta.progress_token.clone(),
            log_level: Some(self.live.level()),
            visits: knows_visits(&self.session),
            ..NoticeShape::default()
        }
    }

    /// The way to the client outside of its calls.
    fn aside(&self) -> Aside {
        self.live.knows_visits.store(knows_visits(&self.session), Ordering::Relaxed);
        let live: Weak<Live> = Arc::downgrade(&self.live);
        Aside::to(live)
    }

    /// A call of the session, by a client that can be asked if it takes streams.
    pub(super) fn call(&self, method: Method) -> Call {
        let mut call = own(&self.session, method);
        if self.streams {
            let said = &self.session.caller.capabilities;
            let able = Abilities::of_handshake(said, self.session.version).to_raw();
            let extensions = extension::declared(said, &OF_A_HANDSHAKE);
            let capabilities = extension::with(&able, extensions.as_ref());
            let caller = Caller { capabilities, ..(*call.caller).clone() };
            call.caller = Arc::new(caller);
        }
        call
    }
}

/// A call of a legacy session that nobody is asked about.
pub(super) fn own(session: &Session, method: Method) -> Call {
    let extensions = extension::declared(&session.caller.capabilities, &OF_A_HANDSHAKE);
    let caller = Caller {
        principal: session.caller.principal.clone(),
        grant: Arc::clone(&session.caller.grant),
        capabilities: extension::with(&Raw::default(), extensions.as_ref()),
        client_info: session.caller.client_info.clone(),
        session: session.caller.session,
    };
    let mut call = Call::own(method, Raw::default(), Arc::new(caller));
    call.endpoint = match &session.endpoint {
        Endpoint::Merged => Endpoint::Merged,
        Endpoint::Mount(prefix) => Endpoint::Mount(Arc::clone(prefix)),
    };
    call
}

/// An error for a message that cannot be answered otherwise.
pub(super) fn plain_error(id: Option<&Raw>, text: &str) -> bytes::Bytes {
    let error = ErrorObject::new(error::INVALID_REQUEST, text);
    envelope::error(id.map(Raw::as_str), &error)
}
