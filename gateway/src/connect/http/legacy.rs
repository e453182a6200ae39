//! A remote child of the legacy era: a session, calls in it, and what a lost session costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use protocol::envelope::{self, Message};
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::{ErrorObject, Method, Raw, Version};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, timeout};

use super::answer::{Answer, Broken, Refusal};
use super::client::HttpClient;
use super::faults::unreachable;
use super::life::Life;
use super::questions::{self, On};
use super::resume::Resume;
use super::session::{NoSession, Session, shake_hands};
use super::stream::{self, Stream};
use super::subscriptions::{self, Subscriptions};
use super::wanted::{Ended, Outcome, Wanted, messages};
use crate::call::{About, Call, Caller, Event, Fault, Future, Link, List, Reply};
use crate::connect::asking::{Asking, Channel, OpenCalls, Voice, may_ask};
use crate::connect::changes::Changes;
use crate::connect::dialect::{bad_answer, child_error, legacy_params, legacy_reply};
use crate::connect::level::LEVEL_WAIT;

/// How long a start waits for the child's own stream where a call may be asked about on it: what is
/// asked before it is open is lost. A child that says nothing until it has something to say is not
/// waited for any longer.
const STREAM_WAIT: Duration = Duration::from_secs(2);

/// What a link and its tasks share.
pub(super) struct Legacy {
    pub(super) client: HttpClient,
    pub(super) session: watch::Sender<Arc<Session>>,
    pub(super) stream: watch::Sender<Stream>,
    pub(super) subscriptions: Subscriptions,
    pub(super) changes: Changes,
    pub(super) life: Life,
    pub(super) calls: Arc<OpenCalls>,
    version: Version,
    /// The capabilities that each of its handshakes declares.
    declared: Raw,
    ids: AtomicU64,
    /// Held while shaking hands anew; the last failure, for those who waited for that one.
    renewing: Mutex<Option<(Instant, Fault)>>,
}

/// Why one attempt at a call has no outcome.
enum Missed {
    /// The child forgot the session and did nothing.
    Gone,
    Fault(Fault),
}

impl Legacy {
    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session.borrow())
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    /// Waits until the child's own stream is open, or known to be absent; whether there may be one.
    /// Updates come on it; without one, no subscription can be honoured (check 134).
    pub(super) async fn stream_known(&self, wait: Duration) -> bool {
        let mut stream = self.stream.subscribe();
        let known = stream.wait_for(|stream| *stream != Stream::Opening);
        !matches!(timeout(wait, known).await, Ok(Ok(stream)) if *stream == Stream::Absent)
    }

    /// A request outside of any call, in the present session.
    pub(super) async fn own(self: &Arc<Self>, method: Method, params: Raw) -> Result<Raw, Fault> {
        self.answer(&Call::own(method, params, Caller::gateway()), None).await
    }

    async fn reply(self: &Arc<Self>, call: &Call, voice: Option<&Voice>) -> Result<Reply, Fault> {
        legacy_reply(self.answer(call, voice).await?, self.client.mount())
    }

    /// Answers a call; when the child forgot the session, once more in a new one.
    async fn answer(self: &Arc<Self>, call: &Call, voice: Option<&Voice>) -> Result<Raw, Fault> {
        let session = self.session();
        self.tell_level(call, &session).await;
        match self.attempt(call, voice, &session).await {
            Ok(result) => return Ok(result),
            Err(Missed::Fault(fault)) => return Err(fault),
            Err(Missed::Gone) => {}
        }
        let session = self.renew(&session).await?;
        self.tell_level(call, &session).await;
        self.attempt(call, voice, &session).await.map_err(|missed| match missed {
            Missed::Fault(fault) => fault,
            Missed::Gone => unreachable(self.client.mount(), "it forgets its sessions at once"),
        })
    }

    /// Has the child log as much as the most curious of its callers wants; each gets only what it
    /// asked for (check 95).
    async fn tell_level(self: &Arc<Self>, call: &Call, session: &Arc<Session>) {
        let raised = call.log_level.and_then(|level| session.raise_level(level));
        let Some(params) = raised else { return };
        // A child that does not take it logs as it likes.
        let _taken = timeout(LEVEL_WAIT, self.once(Method::SetLevel, params, session)).await;
    }

    /// One attempt in one session.
    pub(super) async fn once(
        self: &Arc<Self>,
        method: Method,
        params: Raw,
        session: &Arc<Session>,
    ) -> bool {
        let call = Call::own(method, params, Caller::gateway());
        self.attempt(&call, None, session).await.is_ok()
    }

    async fn attempt(
        self: &Arc<Self>,
        call: &Call,
        voice: Option<&Voice>,
        session: &Arc<Session>,
    ) -> Result<Raw, Missed> {
        let id = self.next_id();
        let params = legacy_params(call, id).map_err(Missed::Fault)?;
        let mut cancel = Cancel { child: Some(self), session, id };
        let ended = self.exchange((call, voice), session, Wanted::new(id), &params).await;
        cancel.child = None;
        let mount = self.client.mount();
        match ended {
            Ok(Ended::Answered(Ok(result))) => Ok(result),
            Ok(Ended::Answered(Err(error))) => {
                Err(Missed::Fault(child_error(call, error.of_legacy())))
            }
            Ok(Ended::Refused(refusal)) => Err(self.refused(call, session, refusal)),
            Ok(Ended::Left) => Err(Missed::Fault(bad_answer(mount, "it ended without a result"))),
            Err(broken) => Err(Missed::Fault(broken.fault(mount, &call.method))),
        }
    }

    fn refused(&self, call: &Call, session: &Session, mut refusal: Refusal) -> Missed {
        if session.is_gone(&refusal) {
            return Missed::Gone;
        }
        refusal.error = refusal.error.map(ErrorObject::of_legacy);
        Missed::Fault(refusal.fault(self.client.mount(), call))
    }

    /// Sends a request and follows its answer, over broken streams too (check 103).
    async fn exchange(
        self: &Arc<Self>,
        (call, voice): (&Call, Option<&Voice>),
        session: &Arc<Session>,
        mut wanted: Wanted,
        params: &Raw,
    ) -> Result<Ended, Broken> {
        let body = envelope::request(wanted.id(), call.method.as_str(), params);
        let mut events = match self.client.post(session.headers(&self.client), body).await?.answer {
            Answer::Events(events) => events,
            Answer::Refused(refusal) => return Ok(Ended::Refused(refusal)),
            Answer::Empty => return Err(Broken::NoAnswer("an empty body".to_owned())),
            Answer::Json(bytes) => {
                for message in messages(bytes)? {
                    if let Some(outcome) =
                        self.take((call, voice), session, &mut wanted, message)?
                    {
                        return Ok(Ended::Answered(outcome));
                    }
                }
                let none = |_| Broken::NoAnswer("the body has no response".to_owned());
                return wanted.end().map(Ended::Answered).map_err(none);
            }
        };
        let mut resume = Resume::default();
        loop {
            let cut = match events.next().await {
                Ok(Some(event)) => {
                    resume.note(&event);
                    if event.data.is_empty() || event.name.is_some_and(|name| name != "message") {
                        continue;
                    }
                    for message in messages(event.data)? {
                        if let Some(outcome) =
                            self.take((call, voice), session, &mut wanted, message)?
                        {
                            self.life.linger(events.end());
                            return Ok(Ended::Answered(outcome));
                        }
                    }
                    continue;
                }
                Ok(None) => {
                    if resume.header().is_some() && !wanted.has_stray() {
                        call.back.let_poll();
                    }
                    None
                }
                Err(Broken::Cut { log }) => Some(Broken::Cut { log }),
                Err(broken) => return Err(broken),
            };
            if wanted.has_stray() {
                return wanted.end().map(Ended::Answered);
            }
            events = match resume.open(&self.client, session).await {
                Some(events) => events,
                None => return cut.map_or_else(|| wanted.end().map(Ended::Answered), Err),
            };
        }
    }

    /// Takes one message that came with the answer to a call.
    fn take(
        self: &Arc<Self>,
        (call, voice): (&Call, Option<&Voice>),
        session: &Arc<Session>,
        wanted: &mut Wanted,
        message: Message,
    ) -> Result<Option<Outcome>, Broken> {
        match message {
            Message::Response { id, outcome } => return wanted.take(id.as_ref(), outcome),
            Message::Request { id, method, params } => {
                let on = voice.map_or(On::Own, On::Call);
                questions::take(self, session, on, (id, &method, &params));
            }
            Message::Notification { method, params } => match method.as_str() {
                notice::PROGRESS if !is_token(&params, wanted.id()) => {}
                notice::PROGRESS | notice::MESSAGE => {
                    // Progress that finds no place is followed by better.
                    let _told = call.back.tell(&method, params);
                }
                _ => self.notice(&method, params),
            },
        }
        Ok(None)
    }

    /// Takes a notification that belongs to no call.
    pub(super) fn notice(&self, method: &str, params: Raw) {
        if method == notice::RESOURCE_UPDATED {
            self.subscriptions.audience.updated(&params);
        } else if method == notice::CANCELLED {
            let members = Members::read(&params).ok();
            if let Some(id) = members.as_ref().and_then(|members| members.get("requestId")) {
                self.calls.withdraw(&params.slice(id));
            }
        } else if method == notice::MESSAGE {
            self.calls.log(params, Channel::Aside);
        } else if method == notice::ELICITATION_COMPLETE {
            self.calls.visited(&params);
        } else if !self.changes.notice(method) {
            tracing::debug!(method, "a notification without a call is left aside");
        }
    }

    /// A new session in the place of `seen`; many who miss the same one share one handshake.
    pub(super) async fn renew(
        self: &Arc<Self>,
        seen: &Arc<Session>,
    ) -> Result<Arc<Session>, Fault> {
        let began = Instant::now();
        let mut last = self.renewing.lock().await;
        let present = self.session();
        if !Arc::ptr_eq(&present, seen) {
            return Ok(present);
        }
        if let Some((at, fault)) = &*last
            && *at >= began
        {
            return Err(fault.clone());
        }
        let shaken =
            shake_hands(&self.client, &self.life, &self.ids, (self.version, &self.declared));
        let shaken = shaken.await;
        match shaken.map_err(|none| *none.fault) {
            Ok(session) => Ok(self.renewed(seen, session)),
            Err(fault) => {
                *last = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// The child was restarted, or it forgets: everything it told before may be different now.
    fn renewed(self: &Arc<Self>, seen: &Session, session: Session) -> Arc<Session> {
        if seen.about != session.about {
            self.life.lose("it came back as another server, in a new session".to_owned());
        }
        let session = Arc::new(session);
        self.session.send_replace(Arc::clone(&session));
        self.calls.anew();
        self.subscriptions.forgotten();
        self.changes.all();
        self.life.run(subscriptions::again(Arc::clone(self), Arc::clone(&session)));
        session
    }
}

fn is_token(params: &Raw, id: &str) -> bool {
    Members::read(params).is_ok_and(|members| members.get("progressToken") == Some(id))
}

/// Tells the child, when dropped with it, that a call is no longer wanted (check 104).
struct Cancel<'a> {
    child: Option<&'a Arc<Legacy>>,
    session: &'a Arc<Session>,
    id: u64,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        let Some(child) = self.child.cloned() else { return };
        let params = ObjectWriter::new().raw("requestId", &self.id.to_string());
        let params = params.string("reason", "the client no longer wants the answer").finish();
        let body = envelope::notification(notice::CANCELLED, &params);
        let headers = self.session.headers(&child.client);
        child.clone().life.errand(async move {
            if let Err(broken) = child.client.post(headers, body).await {
                tracing::debug!(?broken, "a cancellation did not reach its child");
            }
        });
    }
}

/// A live connection to a legacy child.
pub(super) struct LegacyLink {
    shared: Arc<Legacy>,
    about: About,
}

impl LegacyLink {
    /// Shakes hands and opens the child's own stream.
    ///
    /// # Errors
    /// Those of the handshake.
    pub(super) async fn open(
        (client, asking): (HttpClient, Asking),
        version: Version,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, NoSession> {
        let (life, ids) = (Life::new(), AtomicU64::new(1));
        let declared = asking.declared();
        let session = shake_hands(&client, &life, &ids, (version, &declared)).await?;
        let about = session.about.clone();
        let calls = OpenCalls::new(asking);
        let changes = Changes::new(&about.capabilities, events);
        let shared = Arc::new(Legacy {
            client,
            session: watch::Sender::new(Arc::new(session)),
            stream: watch::Sender::new(Stream::Opening),
            subscriptions: Subscriptions::default(),
            changes,
            life,
            calls,
            version,
            declared,
            ids,
            renewing: Mutex::new(None),
        });
        // Also where nothing is told of changes: some children ask what belongs to a call on it.
        shared.life.run(stream::follow(Arc::clone(&shared)));
        if shared.calls.hears_aside() {
            shared.stream_known(STREAM_WAIT).await;
        }
        Ok(Self { shared, about })
    }
}

impl Link for LegacyLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async move {
            if call.method == Method::Listen {
                return subscriptions::listen(&self.shared, &call).await;
            }
            self.shared.changes.reading(&call.method);
            if may_ask(&call.method) {
                let shared = Arc::clone(&self.shared);
                let begin = |call, voice| -> Future<'static, _> {
                    Box::pin(async move { shared.reply(&call, Some(&voice)).await })
                };
                return self.shared.calls.serve(call, None, begin).await;
            }
            let sending = self.shared.reply(&call, None);
            match call.method {
                Method::Complete => self.shared.calls.count(&call, None, sending).await,
                _ => self.shared.calls.own(sending).await,
            }
        })
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

    fn is_busy(&self) -> bool {
        self.shared.calls.is_busy()
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(async move { self.shared.own(Method::Ping, Raw::default()).await.map(drop) })
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async move {
            self.shared.calls.end().await;
            self.shared.life.lose("the gateway closed the connection".to_owned());
            // What is still to be told belongs to the session.
            self.shared.life.close().await;
            self.shared.session().end(&self.shared.client).await;
        })
    }
}

impl Drop for LegacyLink {
    fn drop(&mut self) {
        self.shared.life.stop();
    }
}
