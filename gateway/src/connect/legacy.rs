//! A connection in the legacy era: handshake, session, requests of the child.

use std::sync::{Arc, Weak};
use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::question::Question;
use protocol::{ErrorObject, Method, Raw, Version, error};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::asking::{Asked, Asking, Channel, Delivery, OpenCalls, may_ask};
use super::audience::{asked_uris, taken};
use super::dialect::{child_error, legacy_params, legacy_reply};
use super::discover;
use super::identity::IDENTITY;
use super::level::{LEVEL_WAIT, Level};
use super::subscriptions::Subscriptions;
use super::unreachable::unreachable;
use super::wire::{Answer, Hear, Wire};
use crate::call::{About, Call, Event, Fault, Future, List, Reply};

/// How long a child may take to answer `initialize`; `npx` and `uvx` load programs before that.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(60);

/// A legacy session over a wire.
pub(super) struct Legacy {
    wire: Arc<Wire>,
    ear: Arc<Ear>,
    calls: Arc<OpenCalls>,
    about: About,
    level: Level,
}

impl Legacy {
    /// Shakes hands, offering `offered` first, which must be a legacy version (check 42).
    ///
    /// # Errors
    /// [`crate::call::Kind::Unreachable`] when the child refuses, speaks no legacy version or is
    /// lost.
    pub(super) async fn greet(
        wire: Arc<Wire>,
        offered: Version,
        events: mpsc::Sender<Event>,
        asking: Asking,
    ) -> Result<Self, Fault> {
        let declared = asking.declared();
        let calls = OpenCalls::new(asking);
        let ear = Arc::new(Ear {
            wire: Arc::downgrade(&wire),
            calls: Arc::clone(&calls),
            events,
            subscriptions: Subscriptions::default(),
        });
        wire.heard_by(ear.clone());
        let result = match initialize(&wire, offered, &declared).await? {
            Ok(result) => Ok(result),
            Err(refused) => {
                let other = discover::newest(&discover::supported(refused.data.as_ref()), false);
                match other.filter(|other| *other != offered) {
                    Some(other) => initialize(&wire, other, &declared).await?,
                    None => Err(refused),
                }
            }
        };
        let refused = |error: ErrorObject| {
            let text = format!("it refused `initialize`: {} ({})", error.message, error.code);
            unreachable(wire.mount(), &text)
        };
        let about = read_about(&result.map_err(refused)?)
            .map_err(|text| unreachable(wire.mount(), &text))?;
        wire.notify(notice::INITIALIZED, &Raw::default());
        Ok(Self { wire, ear, calls, about, level: Level::new() })
    }

    /// Answers one call.
    pub(super) async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        if call.method == Method::Listen {
            return self.listen(&call).await;
        }
        self.tell_level(&call).await;
        let id = self.wire.fresh_id();
        if may_ask(&call.method) {
            let wire = Arc::clone(&self.wire);
            // Nothing on a wire says in which call the child asks.
            let begin = |call, _voice| -> Future<'static, _> { Box::pin(send(wire, id, call)) };
            return self.calls.serve(call, Some(id), begin).await;
        }
        let sending = send(Arc::clone(&self.wire), id, call.clone());
        match call.method {
            Method::Complete => self.calls.count(&call, Some(id), sending).await,
            _ => self.calls.own(sending).await,
        }
    }

    /// What the child said of itself in the handshake.
    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Whether the child announced that it tells of changes: it does so unasked.
    pub(super) fn tells_changes(&self, list: List) -> bool {
        match list {
            List::Tools => self.about.capabilities.tools_changed,
            List::Prompts => self.about.capabilities.prompts_changed,
            List::Resources => self.about.capabilities.resources_changed,
        }
    }

    /// Ends the calls that wait for their clients.
    pub(super) async fn end_parked(&self) {
        self.calls.end().await;
    }

    /// Whether a call is open, be it one that waits for its client.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.is_busy()
    }

    /// Pings the child. Any answer is a sign of life, an error too.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        let id = self.wire.fresh_id();
        self.wire.request(id, &Method::Ping, &Raw::default(), None).await.map(drop)
    }

    /// Has the child log as much as the most curious of its callers wants; each gets only what it
    /// asked for (check 95).
    async fn tell_level(&self, call: &Call) {
        let wanted = call.log_level.filter(|_| self.about.capabilities.logging);
        let Some(params) = wanted.and_then(|level| self.level.raise(level)) else { return };
        let id = self.wire.fresh_id();
        let setting = self.wire.request(id, &Method::SetLevel, &params, None);
        // A child that does not take it logs as it likes.
        let _taken = timeout(LEVEL_WAIT, setting).await;
    }

    /// A modern listen, as subscriptions to single resources.
    async fn listen(&self, call: &Call) -> Result<Reply, Fault> {
        let asked = asked_uris(&call.params)?;
        let subscriptions = &self.ear.subscriptions;
        // Before the subscriptions, so that no update falls between their answers and this.
        let listening = subscriptions.audience.join(asked.clone(), call.back.clone());
        let shares = match self.about.capabilities.subscribe {
            true => {
                let sharing = asked.into_iter().map(|uri| subscriptions.share(&self.wire, uri));
                taken(call, self.wire.mount(), sharing).await?
            }
            false => Vec::new(),
        };
        if !listening.acknowledge(shares.iter().map(|share| share.uri().to_owned()).collect()) {
            return Ok(Reply::complete(Raw::default()));
        }
        tokio::select! {
            () = listening.over() => Ok(Reply::complete(Raw::default())),
            why = self.wire.lost() => Err(unreachable(self.wire.mount(), &why)),
        }
    }
}

/// Sends one call and waits for its answer.
async fn send(wire: Arc<Wire>, id: u64, call: Call) -> Result<Reply, Fault> {
    let params = legacy_params(&call, id)?;
    let progress = call.wants_progress.then(|| call.back.clone());
    match wire.request(id, &call.method, &params, progress).await? {
        Ok(result) => legacy_reply(result, wire.mount()),
        Err(error) => Err(child_error(&call, error.of_legacy())),
    }
}

async fn initialize(wire: &Wire, offered: Version, declared: &Raw) -> Result<Answer, Fault> {
    let params = ObjectWriter::new().string("protocolVersion", offered.as_str());
    let params = params.raw("capabilities", declared).raw("clientInfo", IDENTITY).finish();
    let id = wire.fresh_id();
    let answer = wire.request(id, &Method::Initialize, &params, None);
    timeout(HANDSHAKE_WAIT, answer).await.unwrap_or_else(|_| {
        let text = format!("no answer to `initialize` within {} s", HANDSHAKE_WAIT.as_secs());
        Err(unreachable(wire.mount(), &text))
    })
}

fn read_about(result: &Raw) -> Result<About, String> {
    let bad = |fault| format!("its answer to `initialize` is none: {fault}");
    let members = Members::read(result).map_err(bad)?;
    let named = members.get_string("protocolVersion").unwrap_or_default();
    let version = Version::read(&named).filter(|version| !version.is_modern());
    let version = version.ok_or_else(|| {
        format!(
            "it answered `initialize` with the version `{named:.40}`, and the newest that a \
             handshake can end with is {}",
            Version::NEWEST_LEGACY
        )
    })?;
    let capabilities = result.slice(members.get("capabilities").unwrap_or("{}"));
    let info = members.get("serverInfo").filter(|text| text.starts_with('{'));
    Ok(About {
        speaks: version.era().to_string(),
        server_info: info.map(|text| result.slice(text)),
        capabilities: ServerCapabilities::read(&capabilities).map_err(bad)?.of_session(),
        instructions: members.get_string("instructions").map(|text| text.into_owned()),
        keeps_state: true,
    })
}

/// What the child says by itself.
struct Ear {
    wire: Weak<Wire>,
    calls: Arc<OpenCalls>,
    events: mpsc::Sender<Event>,
    subscriptions: Subscriptions,
}

impl Hear for Ear {
    fn notification(&self, wire: &Wire, method: &str, params: Raw) {
        let changed = |list| {
            // A full queue holds an event that makes the mount look again anyway.
            let _full = self.events.try_send(Event::Changed(list));
        };
        match method {
            notice::TOOLS_CHANGED => changed(List::Tools),
            notice::PROMPTS_CHANGED => changed(List::Prompts),
            notice::RESOURCES_CHANGED => changed(List::Resources),
            notice::RESOURCE_UPDATED => self.subscriptions.audience.updated(&params),
            notice::CANCELLED => {
                let members = Members::read(&params).ok();
                if let Some(id) = members.as_ref().and_then(|members| members.get("requestId")) {
                    self.calls.withdraw(&params.slice(id));
                }
            }
            notice::MESSAGE => self.calls.log(params, Channel::Only),
            notice::ELICITATION_COMPLETE => self.calls.visited(&params),
            _ => tracing::debug!(target: "child", mount = wire.mount(), "ignored: {method}"),
        }
    }

    fn request(&self, wire: &Wire, id: &Raw, method: &str, params: Raw) {
        if let Some(question) = Question::read(method) {
            let (asker, asked_as) = (self.wire.clone(), id.clone());
            let asked = Asked::new(id.clone(), question, &params, move |answer, delivery| {
                if let Some(wire) = asker.upgrade() {
                    respond(&wire, &asked_as, &answer, Some(delivery));
                }
            });
            return self.calls.ask(asked, Channel::Only);
        }
        let answer = match method {
            "ping" => Ok(Raw::default()),
            _ => Err(ErrorObject::new(
                error::METHOD_NOT_FOUND,
                format!("`{method:.80}` is unknown to this client"),
            )),
        };
        respond(wire, id, &answer, None);
    }

    fn over(&self, id: u64) {
        self.calls.over(id);
    }
}

fn respond(wire: &Wire, id: &Raw, answer: &Answer, delivery: Option<Delivery>) {
    if !wire.answer(id, answer, delivery) {
        wire.odd("it takes no messages: the answer to a request of its own was left out");
    }
}
