//! A key-value store in Redis: one connection for all calls, one more while somebody listens.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::TlsCertificates;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::engine::Bounds;
use super::keyspace::{Keyspace, Watching};
use super::store::{Entry, KEYS_SEEN_MAX, Tell, Touched, VALUE_BYTES_MAX, too_many_keys};
use super::tls::Tls;
use super::trouble::{Code, Trouble};

/// Attempts to connect before a call is told that nobody is there.
const CONNECTS_MAX: usize = 4;
/// The first pause between two attempts, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Keys that Redis looks at in one step of a scan.
const KEYS_A_STEP: usize = 1_000;
/// Steps of a scan: a database full of other keys is not walked to its end.
const STEPS_MAX: usize = 1_000;

/// Values in Redis, all below one prefix.
pub(super) struct Redis {
    client: Client,
    /// Made when it is first needed; comes back by itself when it is lost.
    connection: OnceCell<ConnectionManager>,
    bounds: Bounds,
    prefix: String,
    place: String,
    tell: Tell,
    watching: Watching,
    commands: AtomicU64,
    failed: AtomicU64,
    is_reachable: AtomicBool,
}

impl Redis {
    /// A store that is connected to when it is first needed.
    ///
    /// # Errors
    /// When the URL is none of Redis, or asks for what this version lacks.
    pub(super) fn new(
        (url, ca): (&str, Option<Vec<u8>>),
        prefix: &str,
        configures: bool,
        bounds: Bounds,
        tell: Tell,
    ) -> Result<Self, Trouble> {
        let opened = match url.starts_with("rediss://") {
            true => {
                Tls::provide();
                let trusted = TlsCertificates { client_tls: None, root_cert: ca };
                Client::build_with_tls(url, trusted)
            }
            false => Client::open(url),
        };
        let client = opened.map_err(|error| {
            // Never the URL itself, which may have a password in it.
            let text = format!("expected redis://host:port/database, came something else: {error}");
            Trouble::new(Code::Validation, text)
        })?;
        let info = client.get_connection_info();
        let database = info.redis_settings().db();
        let place = format!("{}/{database}", info.addr());
        let keyspace = Keyspace {
            client: client.clone(),
            database,
            prefix: prefix.to_owned(),
            configures,
            connect_wait: bounds.connect_wait,
            tell: tell.clone(),
        };
        Ok(Self {
            client,
            connection: OnceCell::new(),
            bounds,
            prefix: prefix.to_owned(),
            place,
            tell,
            watching: Watching::new(keyspace),
            commands: AtomicU64::default(),
            failed: AtomicU64::default(),
            is_reachable: AtomicBool::default(),
        })
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Entry>, Trouble> {
        let mut pipe = redis::pipe();
        let name = self.name(key);
        // A range, so that a huge value of somebody else is not fetched.
        pipe.atomic().cmd("GETRANGE").arg(&name).arg(0).arg(VALUE_BYTES_MAX).cmd("PTTL").arg(&name);
        let (bytes, ttl): (Vec<u8>, i64) = self.ask_again(&pipe).await?;
        // -2 is no key, -1 is one that stays.
        if ttl == -2 {
            return Ok(None);
        }
        if bytes.len() > VALUE_BYTES_MAX {
            let text = format!("expected a value of at most {VALUE_BYTES_MAX} bytes, came more");
            return Err(Trouble::new(Code::Limited, text));
        }
        let value = String::from_utf8(bytes).map_err(|_| {
            Trouble::new(Code::Query, "expected a text at this key, came bytes that are none")
        })?;
        let ttl = u64::try_from(ttl).ok().map(Duration::from_millis);
        Ok(Some(Entry { value, ttl }))
    }

    pub(super) async fn set(&self, key: &str, entry: &Entry) -> Result<(), Trouble> {
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(self.name(key)).arg(&entry.value);
        if let Some(ttl) = entry.ttl {
            pipe.arg("PX").arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        }
        pipe.ignore();
        let () = self.ask(&pipe).await?;
        self.tell_here(key);
        Ok(())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<bool, Trouble> {
        let mut pipe = redis::pipe();
        pipe.cmd("DEL").arg(self.name(key));
        let (gone,): (u64,) = self.ask(&pipe).await?;
        self.tell_here(key);
        Ok(gone > 0)
    }

    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, Trouble> {
        let pattern = format!("{}*", literally(&self.name(prefix)));
        let mut found = BTreeSet::new();
        let mut cursor = 0;
        for _ in 0..STEPS_MAX {
            let mut pipe = redis::pipe();
            pipe.cmd("SCAN").arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(KEYS_A_STEP);
            let ((next, names),): ((u64, Vec<Vec<u8>>),) = self.ask_again(&pipe).await?;
            let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
            found.extend(
                names.filter_map(|name| name.strip_prefix(&self.prefix).map(str::to_owned)),
            );
            if found.len() > KEYS_SEEN_MAX {
                return Err(too_many_keys());
            }
            if next == 0 {
                return Ok(found.into_iter().collect());
            }
            cursor = next;
        }
        Err(too_many_keys())
    }

    pub(super) fn watch(&self) {
        self.watching.begin();
    }

    pub(super) fn figures(&self) -> Value {
        json!({
            "engine": "redis",
            "place": self.place,
            "isReachable": self.is_reachable.load(Ordering::Relaxed),
            "commands": self.commands.load(Ordering::Relaxed),
            "failed": self.failed.load(Ordering::Relaxed),
            "watch": self.watching.figures(),
        })
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Tells of a change of our own, where the server does not.
    fn tell_here(&self, key: &str) {
        if !self.watching.is_live() {
            (self.tell)(Touched::Key(key));
        }
    }

    /// What only reads is asked once more when the connection was lost.
    async fn ask_again<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, Trouble> {
        match self.ask(pipe).await {
            Err(trouble) if trouble.is_lost_server() => self.ask(pipe).await,
            done => done,
        }
    }

    async fn ask<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, Trouble> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        let limit = self.bounds.connect_wait + self.bounds.statement_timeout;
        let asking = async {
            let connection = self.connection.get_or_try_init(|| self.connect()).await?;
            pipe.query_async(&mut connection.clone()).await
        };
        let asked = match timeout(limit, asking).await {
            Ok(asked) => asked.map_err(|error| said(&error)),
            Err(_) => Err(self.bounds.timed_out()),
        };
        let is_lost = asked.as_ref().is_err_and(|trouble| trouble.code == Code::Connection);
        self.is_reachable.store(!is_lost, Ordering::Relaxed);
        if asked.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        asked
    }

    async fn connect(&self) -> Result<ConnectionManager, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(CONNECTS_MAX)
            .set_min_delay(PAUSES.0)
            .set_max_delay(PAUSES.1)
            .set_connection_timeout(Some(self.bounds.connect_wait))
            .set_response_timeout(Some(self.bounds.statement_timeout));
        self.client.get_connection_manager_with_config(config).await
    }
}

/// A text as a pattern that matches this text alone.
pub(super) fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if "*?[]^\\".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// What Redis says of a command.
fn said(error: &RedisError) -> Trouble {
    let text = error.to_string();
    if error.is_timeout() {
        return Trouble::new(Code::Timeout, text);
    }
    if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        return Trouble::passing(Code::Connection, text);
    }
    let code = match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Client => Code::Connection,
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown) => {
            return Trouble::passing(Code::Connection, text);
        }
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Code::ReadOnly,
        ErrorKind::Server(ServerErrorKind::NoPerm) => Code::Forbidden,
        _ => match error.code() {
            Some("OOM") => Code::Limited,
            Some("NOAUTH" | "WRONGPASS") => Code::Connection,
            _ => Code::Query,
        },
    };
    Trouble::new(code, text)
}

#[cfg(test)]
mod tests {
    use super::literally;

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(literally("a*[b]?\\^c"), "a\\*\\[b\\]\\?\\\\\\^c");
    }
}
