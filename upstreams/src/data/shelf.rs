//! The part of the key-value store that a caller sees: all of it, or only what is its own.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::store::{Entry, Store};
use super::trouble::Trouble;
use crate::Who;

/// Between the name of an owner and its key; no encoded name has it.
const MARK: char = ':';

/// What one caller sees.
pub(super) struct Shelf<'a> {
    store: &'a Store,
    /// What all keys here begin with in the store.
    start: String,
}

impl<'a> Shelf<'a> {
    /// The whole store, or what is this caller's.
    pub(super) fn new(store: &'a Store, owner: Option<&Who>) -> Self {
        let start = owner.map_or_else(String::new, |who| {
            format!("{}{MARK}", utf8_percent_encode(&who.principal, NON_ALPHANUMERIC))
        });
        Self { store, start }
    }

    fn stored(&self, key: &str) -> String {
        format!("{}{key}", self.start)
    }

    /// The value at a key.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub(super) async fn get(&self, key: &str) -> Result<Option<Entry>, Trouble> {
        self.store.get(&self.stored(key)).await
    }

    /// Puts a value at a key.
    ///
    /// # Errors
    /// As [`Store::set`].
    pub(super) async fn set(&self, key: &str, entry: Entry) -> Result<(), Trouble> {
        self.store.set(&self.stored(key), entry).await
    }

    /// Takes a key out; whether it was there.
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub(super) async fn delete(&self, key: &str) -> Result<bool, Trouble> {
        self.store.delete(&self.stored(key)).await
    }

    /// The keys that begin so, in order.
    ///
    /// # Errors
    /// As [`Store::keys`].
    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, Trouble> {
        let keys = self.store.keys(&self.stored(prefix)).await?;
        let own = keys.iter().filter_map(|key| key.strip_prefix(&self.start));
        Ok(own.map(str::to_owned).collect())
    }
}
