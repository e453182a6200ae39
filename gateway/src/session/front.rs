//! The front of the gateway, whatever the transport: which era a message is of, and who answers it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::envelope::{self, Body, Malformed, Message};
use protocol::{ErrorObject, Method, Raw, error, meta};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::{Exchange, Tasks};
use super::head::{Arrival, Head};
use super::journal::Journal;
use super::live::Live;
use super::sessions::{Session, Sessions, Unfound};
use super::{Seal, Stream};
use crate::call::BoxServe;

/// Bounds of the front.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Requests under way at once, of all clients.
    pub calls_in_flight_max: usize,
    /// Listens open at once, of all clients.
    pub listens_max: usize,
    /// Legacy sessions in memory.
    pub sessions_max: usize,
    /// How long an unused session stays in memory.
    pub session_idle: Duration,
    /// How long a session id is good.
    pub session_age_max: Duration,
    /// Ended ids that are kept.
    pub sessions_ended_max: usize,
    /// The folder for what outlives this gateway of its sessions.
    pub state: Option<PathBuf>,
    /// How long a client may take to answer a question.
    pub question_wait: Duration,
    /// How often a legacy client is asked in one call.
    pub rounds_max: usize,
    /// Events of a legacy session's streams that are kept for a client that comes back.
    pub replay_events_max: usize,
    /// Bytes of them.
    pub replay_bytes_max: usize,
    /// How long a call may be unanswered before its answer becomes a stream that can be resumed.
    pub stream_after: Duration,
}

/// What a client that opens a stream gets.
pub enum Opened {
    /// What is told outside the session's requests.
    Standing(Stream),
    /// The rest of an answer that it has begun to read.
    Answer(Exchange),
}

/// Takes messages of either era, on any transport.
pub struct Front {
    pub(super) serve: BoxServe,
    pub(super) sessions: Sessions,
    pub(super) seal: Arc<Seal>,
    /// Nobody is asked any more.
    pub(super) ending: CancellationToken,
    pub(super) calls: Arc<Semaphore>,
    pub(super) listens: Arc<Semaphore>,
    pub(super) tasks: Tasks,
    pub(super) settings: Settings,
}

/// What becomes of a message or body.
pub enum Outcome {
    /// Taken; there is nothing to answer.
    Accepted,
    /// Answered now or later.
    Answered {
        /// The id of a session that has just begun, for `Mcp-Session-Id`.
        session: Option<String>,
        /// The answer, and what comes before it.
        exchange: Exchange,
    },
}

impl Outcome {
    pub(super) fn exchange(exchange: Exchange) -> Self {
        Self::Answered { session: None, exchange }
    }

    pub(super) fn refuse(status: u16, id: Option<&Raw>, error: &ErrorObject) -> Self {
        let body = envelope::error(id.map(Raw::as_str), error);
        Self::exchange(Exchange::ready(status, body))
    }

    fn malformed(fault: &Malformed) -> Self {
        Self::refuse(400, fault.id.as_ref(), &fault.error)
    }
}

/// What a legacy session or a connection brings to a message.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) session: Session,
    pub(super) live: Arc<Live>,
    /// Whether the client can be told things before an answer, and so be asked.
    pub(super) streams: bool,
    /// Whether it can come back for the rest of a stream.
    pub(super) resumes: bool,
}

impl Front {
    /// A front before `serve`.
    pub fn new(serve: BoxServe, seal: Seal, settings: Settings) -> Arc<Self> {
        let seal = Arc::new(seal);
        let sessions = Sessions::new(Arc::clone(&seal), &settings);
        Arc::new(Self {
            serve,
            sessions,
            seal,
            ending: CancellationToken::new(),
            calls: Arc::new(Semaphore::new(settings.calls_in_flight_max)),
            listens: Arc::new(Semaphore::new(settings.listens_max)),
            tasks: Arc::new(TaskTracker::new()),
            settings,
        })
    }

    /// Takes one body that was posted (digest 1.12.1, in that order).
    pub fn post(self: &Arc<Self>, arrival: &Arrival, body: Bytes) -> Outcome {
        let head = arrival.head.clone().unwrap_or_default();
        match Body::read(body) {
            Err(fault) => Outcome::malformed(&fault),
            Ok(Body::Batch(parts)) => self.batch(arrival, &head, parts),
            Ok(Body::One(Message::Request { id, method, params })) => {
                self.request(arrival, &head, id, method, params)
            }
            Ok(Body::One(other)) => self.one_way(arrival, &head, &other),
        }
    }

    fn request(
        self: &Arc<Self>,
        arrival: &Arrival,
        head: &Head,
        id: Raw,
        method: String,
        params: Raw,
    ) -> Outcome {
        let method = Method::read(&method);
        if head.is_modern() || is_modern(&method, &params) {
            return Outcome::exchange(self.modern(arrival, id, method, params, None));
        }
        if method == Method::Initialize {
            return self.handshake(arrival, &id, &params);
        }
        match self.held(arrival, head) {
            Ok(held) => Outcome::exchange(self.legacy(&held, id, method, params)),
            Err((status, error)) => Outcome::refuse(status, Some(&id), &error),
        }
    }

    /// A notification or response: legal without a session only where nothing hangs on it.
    fn one_way(self: &Arc<Self>, arrival: &Arrival, head: &Head, message: &Message) -> Outcome {
        if head.is_modern() && matches!(message, Message::Notification { .. }) {
            // There is none that means anything over HTTP, and a session id on it is a stray one.
            return Outcome::Accepted;
        }
        match (self.held(arrival, head), message) {
            (Ok(held), message) => {
                self.legacy_one_way(&held, message);
                Outcome::Accepted
            }
            (Err(_), Message::Notification { .. }) if head.session.is_none() => Outcome::Accepted,
            (Err((status, error)), _) => Outcome::refuse(status, None, &error),
        }
    }

    /// The session that the headers name.
    fn held(&self, arrival: &Arrival, head: &Head) -> Result<Held, (u16, ErrorObject)> {
        let Some(id) = &head.session else {
            let text = "this request is neither of 2026-07-28 (no _meta with a protocol version) \
                        nor of a session: send `initialize` first and then its Mcp-Session-Id";
            return Err((400, ErrorObject::new(error::INVALID_REQUEST, text)));
        };
        if let Some(version) = &head.version
            && protocol::Version::read(version.trim()).is_none()
        {
            let text = format!("MCP-Protocol-Version: `{version}` is no version known here");
            return Err((400, ErrorObject::new(error::INVALID_REQUEST, text)));
        }
        let found = self.sessions.find(id, &arrival.principal, &arrival.grant, &arrival.endpoint);
        let (session, live) = found.map_err(|unfound| {
            if unfound == Unfound::Full {
                let text = "as many sessions as may be (sessions_max) are in use: try again later";
                return (429, ErrorObject::new(error::INTERNAL_ERROR, text));
            }
            let text = "no such session: it ended, is too old, or was never given out here; \
                        send `initialize` without Mcp-Session-Id";
            (404, ErrorObject::new(error::INVALID_REQUEST, text))
        })?;
        Ok(Held { session, live, streams: !head.no_stream, resumes: !head.no_stream })
    }

    /// The batch that only `2025-03-26` knows (check 11).
    fn batch(
        self: &Arc<Self>,
        arrival: &Arrival,
        head: &Head,
        parts: Vec<Result<Message, Malformed>>,
    ) -> Outcome {
        let held = match self.held(arrival, head) {
            Ok(held) if held.session.version == protocol::Version::V2025_03_26 => held,
            Err((404, error)) => return Outcome::refuse(404, None, &error),
            _ => {
                let text = "an array is a batch, which only sessions of 2025-03-26 may send";
                let error = ErrorObject::new(error::INVALID_REQUEST, text);
                return Outcome::refuse(400, None, &error);
            }
        };
        self.batch_of(&held, parts)
    }

    pub(super) fn batch_of(
        self: &Arc<Self>,
        held: &Held,
        parts: Vec<Result<Message, Malformed>>,
    ) -> Outcome {
        // The answers to a batch share one stream, which none of them can end.
        let held = &Held { resumes: false, ..held.clone() };
        let mut exchanges = Vec::new();
        for part in parts {
            match part {
                Ok(Message::Request { id, method, params }) => {
                    exchanges.push(self.legacy(held, id, Method::read(&method), params));
                }
                Ok(other) => self.legacy_one_way(held, &other),
                Err(fault) => {
                    let id = fault.id.as_ref().map(Raw::as_str);
                    exchanges.push(Exchange::ready(400, envelope::error(id, &fault.error)));
                }
            }
        }
        match exchanges.is_empty() {
            true => Outcome::Accepted,
            false => Outcome::exchange(Exchange::several(exchanges)),
        }
    }

    /// Opens the standing stream of the session that the headers name, or the stream that they say
    /// was broken.
    ///
    /// # Errors
    /// HTTP status and body: 405 without a session, 404 for an unknown one, 400 for a place in a
    /// stream that the session never had.
    pub fn open_stream(self: &Arc<Self>, arrival: &Arrival) -> Result<Opened, (u16, Bytes)> {
        let head = arrival.head.clone().unwrap_or_default();
        let held = self.held(arrival, &head).map_err(|(status, error)| {
            let status = if head.session.is_none() { 405 } else { status };
            (status, envelope::error(None, &error))
        })?;
        match &head.last_event {
            Some(id) => self.resume(&held, id),
            None => {
                self.subscribe_again(&held);
                self.listen_to_lists(&held, held.live.take_missed());
                Ok(Opened::Standing(Stream::take_over(&held, None)))
            }
        }
    }

    /// Takes up what outlived the gateway before, where there is a folder for it, and keeps on disk
    /// what will outlive this one, until `stop`.
    pub fn keep_sessions(
        &self,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let ledger = Arc::clone(&self.sessions.ledger);
        let place = self.settings.state.as_ref().zip(self.seal.fingerprint());
        let opened = place.map(|(folder, key)| Journal::open(folder, key, &ledger));
        async move {
            match opened {
                Some(Ok(journal)) => journal.run(ledger, stop).await,
                Some(Err(fault)) => {
                    tracing::warn!(%fault, "no session is kept: correct `gateway.state`");
                }
                None => {}
            }
        }
    }

    /// Ends the session that the headers name; the HTTP status. It is 405, which says that clients
    /// cannot end sessions, where no more ended ids can be kept.
    pub async fn end_session(&self, arrival: &Arrival) -> u16 {
        let head = arrival.head.clone().unwrap_or_default();
        match (self.held(arrival, &head), head.session) {
            (Ok(_), Some(id)) => match self.sessions.end(&id).await {
                true => 204,
                false => 405,
            },
            (Err((status, _)), Some(_)) => status,
            _ => 405,
        }
    }

    /// Forgets idle sessions; called now and then by the owner.
    pub fn reap(&self) {
        self.sessions.reap();
    }

    /// Sessions in memory, and requests under way.
    pub fn counts(&self) -> [usize; 2] {
        let free = self.calls.available_permits();
        [self.sessions.len(), self.settings.calls_in_flight_max.saturating_sub(free)]
    }

    /// Ends standing streams and listens, and waits for the requests under way.
    pub async fn drain(&self) {
        self.listens.close();
        self.ending.cancel();
        self.sessions.end_all();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Whether the message itself says that it is of the modern era.
pub(super) fn is_modern(method: &Method, params: &Raw) -> bool {
    if method.is_modern_only() {
        return true;
    }
    // A quick look first: most legacy messages have no such key at all, however it is escaped
    // (some encoders write each slash as `\/`).
    let has = |text: &str| memchr::memmem::find(params.as_bytes(), text.as_bytes()).is_some();
    (has("protocolVersion") || has("\\u"))
        && meta::Meta::read(params)
            .map_or_else(|_| has(meta::VERSION), |meta| meta.version.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Call, Endpoint, Fault, Future, Principal, Reply};
    use crate::session::Step;

    struct Nobody;

    impl crate::call::DynServe for Nobody {
        fn serve_boxed(&self, _call: Call) -> Future<'_, Result<Reply, Fault>> {
            Box::pin(async { Ok(Reply::complete(Raw::default())) })
        }
    }

    fn front() -> Arc<Front> {
        let hour = Duration::from_secs(3600);
        let settings = Settings {
            calls_in_flight_max: 8,
            listens_max: 8,
            sessions_max: 8,
            sessions_ended_max: 8,
            state: None,
            session_idle: hour,
            session_age_max: hour,
            question_wait: hour,
            rounds_max: 1,
            replay_events_max: 8,
            replay_bytes_max: 1024,
            stream_after: hour,
        };
        Front::new(Arc::new(Nobody), Seal::new(None).unwrap(), settings)
    }

    fn arrival(name: &str, session: Option<&str>) -> Arrival {
        let session = session.map(str::to_owned);
        let head = Head { session, version: Some("2025-11-25".to_owned()), ..Head::default() };
        let (endpoint, principal) = (Endpoint::Merged, Principal(name.into()));
        Arrival { endpoint, principal, grant: Arc::default(), head: Some(head) }
    }

    /// The status of what was posted.
    async fn status(outcome: Outcome) -> u16 {
        let Outcome::Answered { mut exchange, .. } = outcome else { return 202 };
        while let Some(step) = exchange.next().await {
            if let Step::Last { status, .. } = step {
                return status;
            }
        }
        panic!("no answer");
    }

    #[tokio::test]
    async fn c087_c199_a_session_is_not_there_for_another_principal_and_stays_its_owners() {
        let front = front();
        let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}"#;
        let params = Raw::parse(params.into()).unwrap();
        let greeting = envelope::request("1", "initialize", &params);
        let ping = Bytes::from_static(br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
        let notice = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let notice = Bytes::from_static(notice);
        let greeted = front.post(&arrival("ada", None), greeting);
        let Outcome::Answered { session: Some(id), .. } = greeted else { panic!("no session") };
        let (ada, ben) = (arrival("ada", Some(&id)), arrival("ben", Some(&id)));
        assert_eq!(status(front.post(&ben, ping.clone())).await, 404);
        assert_eq!(status(front.post(&ben, notice.clone())).await, 404);
        assert_eq!(front.open_stream(&ben).err().map(|(status, _)| status), Some(404));
        assert_eq!(front.end_session(&ben).await, 404);
        assert_eq!(status(front.post(&ada, notice)).await, 202);
        assert_eq!(status(front.post(&ada, ping)).await, 200);
        assert!(front.open_stream(&ada).is_ok());
    }
}
