//! The key-value store behind the tools: in memory, or in Redis.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::memory::Memory;
use super::redis::Redis;
use super::trouble::{Code, Trouble};

/// Bytes of a value.
pub(super) const VALUE_BYTES_MAX: usize = 256 * 1024;
/// Keys that one list looks at; more are found by a longer prefix.
pub(super) const KEYS_SEEN_MAX: usize = 10_000;

/// Told of each key whose value is another one now, or gone.
pub(super) type Tell = Arc<dyn Fn(Touched<'_>) + Send + Sync>;

/// What may read differently now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched<'a> {
    Key(&'a str),
    /// Nobody looked for a while.
    Anything,
}

/// A value and how long it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    /// None for good.
    pub(super) ttl: Option<Duration>,
}

/// A key-value store.
pub(super) enum Store {
    Memory(Memory),
    Redis(Box<Redis>),
}

impl Store {
    /// The value at a key.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds no text there.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Entry>, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.get(key)),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    /// Puts a value at a key, in place of what was there.
    ///
    /// # Errors
    /// When the store cannot be asked, or is full.
    pub(super) async fn set(&self, key: &str, entry: Entry) -> Result<(), Trouble> {
        match self {
            Self::Memory(memory) => memory.set(key, entry),
            Self::Redis(redis) => redis.set(key, &entry).await,
        }
    }

    /// Takes a key out; whether it was there.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(super) async fn delete(&self, key: &str) -> Result<bool, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.delete(key)),
            Self::Redis(redis) => redis.delete(key).await,
        }
    }

    /// The keys that begin so, in order, at most [`KEYS_SEEN_MAX`].
    ///
    /// # Errors
    /// When the store cannot be asked, or there are more.
    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.keys(prefix)),
            Self::Redis(redis) => redis.keys(prefix).await,
        }
    }

    /// Called before somebody listens: from then on changes are told.
    pub(super) fn watch(&self) {
        if let Self::Redis(redis) = self {
            redis.watch();
        }
    }

    /// Figures for whoever operates this.
    pub(super) fn figures(&self) -> Value {
        match self {
            Self::Memory(memory) => memory.figures(),
            Self::Redis(redis) => redis.figures(),
        }
    }
}

/// What is said of more keys than a list looks at.
pub(super) fn too_many_keys() -> Trouble {
    let text = format!("more than {KEYS_SEEN_MAX} keys begin so: give a longer prefix");
    Trouble::new(Code::Limited, text)
}
