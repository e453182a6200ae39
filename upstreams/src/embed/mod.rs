//! Mounts any server written with rmcp in this process: typed calls, no bytes, no task a call.
//!
//! A request is one direct call of rmcp's dispatch, on the caller's task. What the server sends
//! meanwhile goes through an rmcp peer to the [`switchboard`], which finds the request it belongs
//! to, and from there by that request's [`lane`] to its caller, again on the caller's task.
//!
//! ```text
//! request ──► read ──► handle_request(context with a peer) ──► result
//!                                   │ peer                        ▲ after all that was sent before
//!                                   ▼                             │
//!                       line (one, shared) ──► switchboard ──► lane of the request ──► its `back`
//! ```
//!
//! All requests share one peer, so that a server which keeps it reaches every open listen later.
//! Progress is told apart by tokens of our own. Only a request that asks for log messages, which
//! carry no such mark, gets a line of its own.

mod request;
mod exact;
mod line;
mod switchboard;
mod lane;
mod listening;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use protocol::error::INTERNAL_ERROR;
use protocol::{ChildRequest, ErrorObject, InProcess, Notify, Raw, Sending};
use rmcp::model::{
    ClientRequest, ErrorData, NumberOrString, ProgressToken, ServerResult,
    SubscriptionsListenResult,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer, ServerHandler};
use serde_json::Value;

use self::lane::Lane;
use self::line::{Line, Server};
use self::request::Asked;
use self::switchboard::{Home, LISTENS_MAX, Switchboard};

/// Lines of finished requests that stay open, oldest closed first: a server may have kept such a
/// peer to tell of changes later, and nothing says whether it has.
const LINES_KEPT_MAX: usize = 32;

/// Mounts a server written with rmcp as a child in this process.
///
/// Works with any handler, with rmcp's macros or by hand, for either era: requests come in the
/// shape of 2026-07-28, and results go back as rmcp prints them for that version.
///
/// * Dropping a request's future drops the handler and fires its `context.ct`.
/// * Progress and log messages reach the request that caused them, in order, before its result;
///   at most 64 wait for a slow receiver.
/// * `subscriptions/listen` is served by the handler, or, when it has none but its capabilities
///   promise changes, here: then `resources/subscribe` of the handler is called for each URI.
///   A peer kept from any request reaches every open listen; at most 1,024 listens are open.
/// * A question to the client (`peer.create_elicitation()` and the like) fails at once: in this
///   version a server returns `InputRequiredResult`.
/// * Who calls is in the context's extensions, as [`crate::Who`].
/// * A panic of the handler is that request's `-32603`.
///
/// Needs a tokio runtime when requests come, not before. Nothing runs until the first one.
pub fn mount<S: ServerHandler>(server: S) -> Arc<dyn InProcess> {
    Arc::new(Embedded { embed: Arc::new(Embed::new(Arc::new(server))), figures: None })
}

/// The same for a server with figures for whoever operates the gateway.
pub(crate) fn mount_with_figures<S: ServerHandler>(
    server: S,
    figures: fn(&S) -> Value,
) -> Arc<dyn InProcess> {
    let server = Arc::new(server);
    let own = server.clone();
    let figures: Box<Figures> = Box::new(move || Raw::of(&figures(&own)));
    Arc::new(Embedded { embed: Arc::new(Embed::new(server)), figures: Some(figures) })
}

type Figures = dyn Fn() -> Raw + Send + Sync;

struct Embedded {
    embed: Arc<Embed>,
    figures: Option<Box<Figures>>,
}

impl InProcess for Embedded {
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>> {
        Box::pin(self.embed.clone().serve(request))
    }

    fn figures(&self) -> Option<Raw> {
        self.figures.as_ref().map(|figures| figures())
    }
}

struct Embed {
    server: Server,
    switchboard: Arc<Switchboard>,
    shared: Mutex<Option<Line>>,
    kept: Mutex<VecDeque<Line>>,
    next_id: AtomicI64,
    sends_logs: bool,
    subscribing: listening::Subscribing,
}

impl Embed {
    fn new(server: Server) -> Self {
        let sends_logs = server.get_info().capabilities.logging.is_some();
        Self {
            server,
            switchboard: Arc::default(),
            shared: Mutex::default(),
            kept: Mutex::default(),
            next_id: AtomicI64::new(1),
            sends_logs,
            subscribing: listening::Subscribing::default(),
        }
    }

    async fn serve(self: Arc<Self>, request: ChildRequest) -> Result<Raw, ErrorObject> {
        let ChildRequest { method, params, back, principal, grant, .. } = request;
        let mut asked = request::read(&method, &params)?;
        // Megabytes of text, perhaps, and all of it is in `asked` now.
        drop(params);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if asked.progress_token.is_some() {
            asked.meta.set_progress_token(ProgressToken(NumberOrString::Number(id)));
        }
        let place = self.place(id, &asked)?;
        let mut context = RequestContext::new(NumberOrString::Number(id), place.peer.clone());
        context.meta = asked.meta;
        context.extensions.insert(crate::Who { principal, grant });
        let _cancel = context.ct.clone().drop_guard();

        let answer = guarded(Box::pin(self.answer(id, asked.request, context)));
        let answer = match &place.lane {
            None => answer.await,
            Some(lane) => carried(answer, lane, back.as_ref()).await,
        };
        match answer {
            Ok(result) => printed(result.map_err(error_object)?),
            Err(Cut::Closed) => printed(self.closing(id)),
            Err(Cut::Panicked) => {
                let text = format!("the server panicked while it answered {method}");
                Err(ErrorObject::new(INTERNAL_ERROR, text))
            }
        }
    }

    async fn answer(
        &self,
        id: i64,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let ClientRequest::SubscriptionsListenRequest(listen) = &request else {
            return self.server.handle_request(request, context).await;
        };
        let wanted = listen.params.notifications.clone();
        let stand_in = context.clone();
        match self.server.handle_request(request, context).await {
            Err(error) if listening::is_unserved(&error) => {
                self.listen(id, wanted, stand_in, error).await
            }
            answered => answered,
        }
    }

    /// Gives a request a peer, and a lane when something may be sent back for it.
    fn place(self: &Arc<Self>, id: i64, asked: &Asked) -> Result<Place, ErrorObject> {
        let is_listen = matches!(asked.request, ClientRequest::SubscriptionsListenRequest(_));
        let severity = asked.severity.filter(|_| self.sends_logs && !is_listen);
        if !is_listen && severity.is_none() && asked.progress_token.is_none() {
            let peer = self.shared_peer();
            return Ok(Place { embed: self.clone(), id, peer, lane: None, own: None });
        }
        let lane = Arc::new(Lane::default());
        if is_listen {
            if !self.switchboard.add_listen(id, lane.clone()) {
                let text = format!("{LISTENS_MAX} listens are open: end one before the next");
                return Err(ErrorObject::new(INTERNAL_ERROR, text));
            }
        } else {
            self.switchboard.add_call(id, lane.clone(), asked.progress_token.clone());
        }
        let own = severity.map(|severity| {
            let home = Home { id, lane: lane.clone(), severity };
            Line::of_one(self.server.clone(), self.switchboard.clone(), home)
        });
        let peer = own.as_ref().map_or_else(|| self.shared_peer(), Line::peer);
        Ok(Place { embed: self.clone(), id, peer, lane: Some(lane), own })
    }

    fn shared_peer(&self) -> Peer<RoleServer> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = shared.as_ref().filter(|line| !line.is_dead()) {
            return line.peer();
        }
        let line = Line::shared(self.server.clone(), self.switchboard.clone());
        let peer = line.peer();
        *shared = Some(line);
        peer
    }

    /// The result that ends a listen in good order.
    fn closing(&self, id: i64) -> ServerResult {
        let mut result = SubscriptionsListenResult::complete(NumberOrString::Number(id));
        result.meta.set_server_info(self.server.get_info().server_info);
        ServerResult::SubscriptionsListenResult(result)
    }

    fn keep(&self, line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(line);
        if kept.len() > LINES_KEPT_MAX {
            kept.pop_front();
        }
    }
}

/// A request's place among those in flight; leaves it when dropped.
struct Place {
    embed: Arc<Embed>,
    id: i64,
    peer: Peer<RoleServer>,
    lane: Option<Arc<Lane>>,
    own: Option<Line>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.lane.is_some() {
            self.embed.switchboard.remove(self.id);
        }
        if let Some(line) = self.own.take() {
            self.embed.keep(line);
        }
    }
}

/// What a handler answers.
type Answer = Result<ServerResult, ErrorData>;
type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Why a handler gave no answer.
enum Cut {
    /// The server cancelled a listen that it serves; the client sees an orderly end.
    Closed,
    Panicked,
}

/// Runs a handler so that its panic ends nothing but this request.
async fn guarded(answer: Answering<'_>) -> Result<Answer, Cut> {
    let mut answer = Some(answer);
    poll_fn(move |context| {
        let Some(running) = answer.as_mut() else { return Poll::Ready(Err(Cut::Panicked)) };
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(_) => {
                // What a panicked future still holds is freed here, and may panic again.
                let broken = AssertUnwindSafe(answer.take());
                catch_unwind(move || drop(broken)).ok();
                Poll::Ready(Err(Cut::Panicked))
            }
        }
    })
    .await
}

/// Runs a handler and delivers what it sends, on one task; the answer comes after what was sent.
async fn carried(
    answering: impl Future<Output = Result<Answer, Cut>>,
    lane: &Lane,
    back: &dyn Notify,
) -> Result<Answer, Cut> {
    let mut carry = pin!(async {
        while let Some(outgoing) = lane.next().await {
            back.notify(&outgoing.method, outgoing.params.clone()).await;
            outgoing.delivered();
        }
    });
    tokio::select! {
        // The handler first: a listen has to watch before its acknowledgement is delivered.
        biased;
        ended = answering => {
            lane.close();
            carry.await;
            ended
        }
        () = &mut carry => Err(Cut::Closed),
    }
}

fn printed(result: ServerResult) -> Result<Raw, ErrorObject> {
    let raw = match result {
        ServerResult::SubscriptionsListenResult(mut ended) => {
            // Ours, not the caller's: whoever knows the caller's id sets that.
            ended.meta.remove(switchboard::SUBSCRIPTION_ID);
            Raw::of(&ended)
        }
        other => Raw::of(&other),
    };
    if raw.is_object() {
        return Ok(raw);
    }
    let text = "the server answered with something that is no object";
    Err(ErrorObject::new(INTERNAL_ERROR, text))
}

fn error_object(error: ErrorData) -> ErrorObject {
    let object = ErrorObject::new(i64::from(error.code.0), error.message);
    match error.data {
        Some(data) => object.with_data(Raw::of(&data)),
        None => object,
    }
}
