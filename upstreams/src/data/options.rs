//! What `[mounts.<name>.options]` may say to `data`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use protocol::Violation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::engine::{Bounds, Engine};
use super::memory::Memory;
use super::postgres::Postgres;
use super::redis::Redis;
use super::sqlite::Sqlite;
use super::store::{Store, Tell};
use super::tls::Tls;
use super::trouble::Trouble;
use crate::wrong_option;

/// What a file of SQLite is written as.
const SQLITE: &str = "sqlite:";

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DataOptions {
    /// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; a sample in memory without.
    url: Option<String>,
    /// Whether there is a tool that changes data.
    writable: bool,
    /// A PEM file with the authorities that are trusted where TLS is used; the public ones without.
    tls_ca: Option<PathBuf>,
    /// Connections to the database at a time; 4 unless given.
    #[schemars(range(min = 1, max = 64))]
    pool_size: Option<usize>,
    /// How long a call waits for a connection to be free; "5s" unless given.
    #[schemars(regex(pattern = r"^[0-9]{1,6}(ms|s|m)$"))]
    pool_wait: Option<String>,
    /// How long a call waits for a database that is not there; "5s" unless given.
    #[schemars(regex(pattern = r"^[0-9]{1,6}(ms|s|m)$"))]
    connect_wait: Option<String>,
    /// How long a statement may take; "10s" unless given.
    #[schemars(regex(pattern = r"^[0-9]{1,6}(ms|s|m)$"))]
    statement_timeout: Option<String>,
    /// Bytes of one page of rows; 1 MiB unless given.
    #[schemars(range(min = 1_024, max = 67_108_864))]
    result_bytes_max: Option<usize>,
    /// Rows that are counted for the total; 1,000,000 unless given.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    rows_counted_max: Option<u64>,
    /// `redis://:PASSWORD@HOST:PORT/NUMBER` for the key-value store; memory without.
    redis: Option<String>,
    /// Put before every key in Redis; "gateway:" unless given.
    #[schemars(length(max = 100))]
    redis_prefix: Option<String>,
    /// Whether Redis may be told to speak of changed keys (`CONFIG SET notify-keyspace-events`).
    redis_configure: bool,
    /// Whether each caller sees only the keys that it set itself; none can be subscribed to then.
    kv_per_caller: bool,
}

impl DataOptions {
    fn bounds(&self) -> Result<Bounds, Vec<Violation>> {
        Ok(Bounds {
            pool_size: self.pool_size.unwrap_or(4),
            pool_wait: duration("pool_wait", self.pool_wait.as_deref().unwrap_or("5s"))?,
            connect_wait: duration("connect_wait", self.connect_wait.as_deref().unwrap_or("5s"))?,
            statement_timeout: duration(
                "statement_timeout",
                self.statement_timeout.as_deref().unwrap_or("10s"),
            )?,
            result_bytes_max: self.result_bytes_max.unwrap_or(1024 * 1024),
            rows_counted_max: self.rows_counted_max.unwrap_or(1_000_000),
        })
    }

    /// Whether there is a tool that changes data.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether each caller has keys of its own.
    pub(super) fn is_per_caller(&self) -> bool {
        self.kv_per_caller
    }

    /// The database; nothing is connected to yet.
    ///
    /// # Errors
    /// When the URL is none that is known.
    pub(super) fn engine(&self, folder: &Path) -> Result<Engine, Vec<Violation>> {
        let bounds = self.bounds()?;
        let wrong = |trouble: Trouble| vec![wrong_option("url", trouble.text)];
        let Some(url) = &self.url else {
            return Sqlite::sample(self.writable, bounds).map(Engine::Sqlite).map_err(wrong);
        };
        if let Some(file) = url.strip_prefix(SQLITE) {
            let file = folder.join(file);
            let sqlite = Sqlite::file(&file, self.writable, bounds).map_err(wrong)?;
            return Ok(Engine::Sqlite(sqlite));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let ca = self.tls_ca.as_ref().map(|file| folder.join(file));
            let tls = Tls::new(ca.as_deref()).map_err(|text| vec![wrong_option("tls_ca", text)])?;
            let postgres = Postgres::new(url, self.writable, bounds, tls).map_err(wrong)?;
            return Ok(Engine::Postgres(postgres));
        }
        // Not the URL itself, which may have a password in it.
        let expected = "sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        Err(vec![wrong_option("url", expected)])
    }

    /// The key-value store; nothing is connected to yet.
    ///
    /// # Errors
    /// When the URL is none of Redis.
    pub(super) fn store(&self, tell: Tell, folder: &Path) -> Result<Store, Vec<Violation>> {
        let Some(url) = &self.redis else {
            return Ok(Store::Memory(Memory::new(tell)));
        };
        let prefix = self.redis_prefix.as_deref().unwrap_or("gateway:");
        let read = |file: &PathBuf| {
            let unread = |fault| vec![wrong_option("tls_ca", format!("a PEM file ({fault})"))];
            std::fs::read(folder.join(file)).map_err(unread)
        };
        let ca = self.tls_ca.as_ref().map(read).transpose()?;
        let redis = Redis::new((url, ca), prefix, self.redis_configure, self.bounds()?, tell);
        redis
            .map(|redis| Store::Redis(Box::new(redis)))
            .map_err(|trouble| vec![wrong_option("redis", trouble.text)])
    }
}

fn duration(name: &str, text: &str) -> Result<Duration, Vec<Violation>> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    let duration = parsed.and_then(|signed| Duration::try_from(signed).ok());
    let duration = duration.filter(|duration| !duration.is_zero());
    duration
        .ok_or_else(|| vec![wrong_option(name, "a duration such as \"500ms\", \"5s\" or \"1m\"")])
}
