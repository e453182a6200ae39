//! A connection in the modern era: no session, each message says what it belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::json::Members;
use protocol::method::notice;
use protocol::{Method, Raw, Version, meta};
use tokio::sync::{Notify as Pulse, mpsc};

use super::audience::names_tasks;
use super::dialect::{child_error, modern_params, modern_reply};
use super::fan::{Ask, Fan};
use super::unreachable::unreachable;
use super::wire::{Answer, Hear, Wire};
use crate::call::{About, Backchannel, Call, Caller, Event, Fault, List, Reply};

/// A modern child on a wire.
pub(super) struct Modern {
    line: Arc<Line>,
    about: About,
    fan: Fan,
}

struct Line {
    wire: Arc<Wire>,
    version: Version,
    ear: Arc<Ear>,
}

/// Sends `server/discover`.
///
/// # Errors
/// Those of [`Wire::request`].
pub(super) async fn discover(wire: Arc<Wire>, version: Version) -> Result<Answer, Fault> {
    let call = Call::own(Method::Discover, Raw::default(), Caller::gateway());
    let id = wire.fresh_id();
    let params = modern_params(&call, version, id)?;
    wire.request(id, &Method::Discover, &params, None).await
}

impl Modern {
    /// Speaks `version` from now on, and opens the link's own listen.
    pub(super) async fn start(
        wire: Arc<Wire>,
        version: Version,
        about: About,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let ear = Arc::new(Ear::default());
        wire.heard_by(ear.clone());
        let line = Arc::new(Line { wire, version, ear });
        let asked = line.clone();
        let ask: Ask = Box::new(move |call| {
            let line = asked.clone();
            Box::pin(async move { line.serve(call).await })
        });
        let fan = Fan::open(ask, &about.capabilities, events);
        fan.settled().await;
        Self { line, about, fan }
    }

    /// Answers one call.
    pub(super) async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        if call.method != Method::Listen || names_tasks(&call) {
            self.fan.reading(&call.method);
            return self.line.serve(call).await;
        }
        tokio::select! {
            reply = self.fan.listen(&call) => reply,
            why = self.line.wire.lost() => Err(unreachable(self.line.wire.mount(), &why)),
        }
    }

    /// What the child said of itself.
    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Whether the child acknowledged that it tells when `list` changes.
    pub(super) fn tells_changes(&self, list: List) -> bool {
        self.fan.tells(list)
    }

    /// Asks what the child is. Any answer is a sign of life, an error too.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        discover(self.line.wire.clone(), self.line.version).await.map(drop)
    }
}

impl Line {
    async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        let id = self.wire.fresh_id();
        let params = modern_params(&call, self.version, id)?;
        let progress = call.wants_progress.then(|| call.back.clone());
        let logs = || Entry::put(&self.ear.loggers, id, call.back.clone());
        let _logs = call.log_level.map(|_| logs());
        let request = self.wire.request(id, &call.method, &params, progress);
        let answer = if call.method == Method::Listen {
            let over = Arc::new(Pulse::new());
            let listener =
                Listener { back: call.back.clone(), acknowledged: false, over: over.clone() };
            let _listening = Entry::put(&self.ear.listeners, id, listener);
            tokio::select! {
                answer = request => answer?,
                () = over.notified() => return Ok(Reply::complete(Raw::default())),
            }
        } else {
            request.await?
        };
        match answer {
            Ok(result) => modern_reply(&call, result, self.wire.mount()),
            Err(error) => Err(child_error(&call, error)),
        }
    }
}

/// What the child says by itself.
#[derive(Default)]
struct Ear {
    /// Open listens by id.
    listeners: Mutex<HashMap<u64, Listener>>,
    /// Open calls that want log messages, by id.
    loggers: Mutex<HashMap<u64, Backchannel>>,
}

struct Listener {
    back: Backchannel,
    acknowledged: bool,
    /// Rings when the listen is over: the child ended it, or the client takes no more.
    over: Arc<Pulse>,
}

impl Hear for Ear {
    fn notification(&self, wire: &Wire, method: &str, params: Raw) {
        let Ok(members) = Members::read(&params) else {
            return wire.odd(&format!("`{method}` with params that cannot be read"));
        };
        let meta = members.get("_meta").and_then(|text| Members::read(text).ok());
        let subscription = meta.as_ref().and_then(|meta| meta.get(meta::SUBSCRIPTION));
        let known = match (method, subscription) {
            (notice::CANCELLED, _) => self.ended(members.get("requestId")),
            (notice::MESSAGE, _) => return self.log(wire, &params),
            (_, Some(id)) => self.event(id, method, params.clone()),
            (_, None) => false,
        };
        if !known {
            wire.odd(&format!("`{method}` that belongs to no open request"));
        }
    }

    fn request(&self, wire: &Wire, _id: &Raw, method: &str, _params: Raw) {
        wire.odd(&format!("a request `{method:.80}`: servers of the modern era send none"));
    }
}

impl Ear {
    fn event(&self, id: &str, method: &str, params: Raw) -> bool {
        let Ok(id) = id.parse() else { return false };
        let mut listeners = lock(&self.listeners);
        let Some(listener) = listeners.get_mut(&id) else { return false };
        listener.acknowledged |= method == notice::ACKNOWLEDGED;
        if listener.acknowledged && !listener.back.tell(method, params) {
            listener.over.notify_one();
            listeners.remove(&id);
        }
        true
    }

    fn ended(&self, id: Option<&str>) -> bool {
        let id = id.and_then(|id| id.parse().ok());
        let ended = id.and_then(|id| lock(&self.listeners).remove(&id));
        ended.inspect(|listener| listener.over.notify_one()).is_some()
    }

    /// A log message names no request: it is passed on only when just one call wants any.
    fn log(&self, wire: &Wire, params: &Raw) {
        let loggers = lock(&self.loggers);
        let mut all = loggers.values();
        match (all.next(), all.next()) {
            (Some(only), None) => drop(only.tell(notice::MESSAGE, params.clone())),
            _ => tracing::debug!(target: "child", mount = wire.mount(), "{}", params.as_str()),
        }
    }
}

/// An entry of a table for as long as this lives.
struct Entry<'a, V> {
    table: &'a Mutex<HashMap<u64, V>>,
    key: u64,
}

impl<'a, V> Entry<'a, V> {
    fn put(table: &'a Mutex<HashMap<u64, V>>, key: u64, value: V) -> Self {
        lock(table).insert(key, value);
        Self { table, key }
    }
}

impl<V> Drop for Entry<'_, V> {
    fn drop(&mut self) {
        lock(self.table).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
