//! Listens to what Redis says of its keys, as long as somebody wants to hear of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use redis::{Client, RedisError, RedisResult};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::redis::literally;
use super::store::{Tell, Touched};

/// Between two attempts to come back, doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Which keys are listened to, and where.
pub(super) struct Keyspace {
    pub(super) client: Client,
    pub(super) database: i64,
    pub(super) prefix: String,
    /// Whether the server may be told to speak of its keys.
    pub(super) configures: bool,
    pub(super) connect_wait: Duration,
    pub(super) tell: Tell,
}

/// Listening, once it has begun.
pub(super) struct Watching {
    shared: Arc<Shared>,
    task: Mutex<Option<Task>>,
}

struct Shared {
    keyspace: Keyspace,
    is_live: AtomicBool,
    /// The server does not speak of its keys, and may not be told to.
    is_silent: AtomicBool,
    connects: AtomicU64,
}

/// Ends with the store.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watching {
    pub(super) fn new(keyspace: Keyspace) -> Self {
        let shared = Shared {
            keyspace,
            is_live: AtomicBool::default(),
            is_silent: AtomicBool::default(),
            connects: AtomicU64::default(),
        };
        Self { shared: Arc::new(shared), task: Mutex::default() }
    }

    /// Begins to listen, unless it has.
    pub(super) fn begin(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|task| task.0.is_finished()) {
            *task = Some(Task(tokio::spawn(follow(self.shared.clone()))));
        }
    }

    /// Whether the server tells of every change just now.
    pub(super) fn is_live(&self) -> bool {
        self.shared.is_live.load(Ordering::Relaxed)
    }

    pub(super) fn figures(&self) -> Value {
        let state = match (self.is_live(), self.shared.is_silent.load(Ordering::Relaxed)) {
            (true, _) => "live",
            (false, true) => "own changes only: notify-keyspace-events is off at the server",
            (false, false) => "off",
        };
        json!({ "state": state, "connects": self.shared.connects.load(Ordering::Relaxed) })
    }
}

/// Listens, comes back when the connection is lost, and then tells that anything may be different.
async fn follow(shared: Arc<Shared>) {
    let mut pause = PAUSE_FIRST;
    loop {
        let ended = shared.listen().await;
        let was_live = shared.is_live.swap(false, Ordering::Relaxed);
        if let Err(error) = &ended {
            tracing::debug!(%error, "the connection that listens to Redis ended");
        }
        pause = if was_live { PAUSE_FIRST } else { PAUSE_MAX.min(pause * 2) };
        sleep(pause).await;
    }
}

impl Shared {
    async fn listen(&self) -> RedisResult<()> {
        let Keyspace { client, database, prefix, connect_wait, tell, .. } = &self.keyspace;
        let late = |_| RedisError::from((redis::ErrorKind::Io, "no connection in time"));
        let connecting = client.get_async_pubsub();
        let mut subscriber = timeout(*connect_wait, connecting).await.map_err(late)??;
        let is_silent = !timeout(*connect_wait, self.speaks()).await.map_err(late)??;
        self.is_silent.store(is_silent, Ordering::Relaxed);
        let channel = format!("__keyspace@{database}__:");
        let pattern = format!("{}*", literally(&format!("{channel}{prefix}")));
        timeout(*connect_wait, subscriber.psubscribe(pattern)).await.map_err(late)??;
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.is_live.store(!is_silent, Ordering::Relaxed);
        tell(Touched::Anything);
        let own = format!("{channel}{prefix}");
        let mut messages = subscriber.on_message();
        while let Some(message) = messages.next().await {
            if let Some(key) = message.get_channel_name().strip_prefix(&own) {
                tell(Touched::Key(key));
            }
        }
        Ok(())
    }

    /// Whether the server speaks of every change of a text, also because it was told to.
    async fn speaks(&self) -> RedisResult<bool> {
        let Keyspace { client, configures, .. } = &self.keyspace;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut asking = redis::cmd("CONFIG");
        asking.arg("GET").arg("notify-keyspace-events");
        let Ok((_, flags)) = asking.query_async::<(String, String)>(&mut connection).await else {
            // A server that hides its settings may still speak; only it knows.
            return Ok(false);
        };
        let speaks = |flags: &str| {
            flags.contains('K')
                && (flags.contains('A') || "g$xe".chars().all(|flag| flags.contains(flag)))
        };
        if speaks(&flags) || !configures {
            return Ok(speaks(&flags));
        }
        let mut telling = redis::cmd("CONFIG");
        telling.arg("SET").arg("notify-keyspace-events").arg(format!("{flags}KA"));
        Ok(telling.query_async::<()>(&mut connection).await.is_ok())
    }
}
