//! The sessions that a scripted child gave out over HTTP, and what the handshake of each declared.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::json::Members;
use protocol::{Raw, extension, meta};

/// Sessions that are open.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Given>);

#[derive(Default)]
struct Given {
    count: usize,
    /// What the client of each declared, by id.
    open: BTreeMap<String, String>,
}

impl Sessions {
    fn given(&self) -> MutexGuard<'_, Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session, whose `initialize` had these params.
    pub(super) fn give(&self, params: &str) -> String {
        let mut given = self.given();
        given.count += 1;
        let id = format!("session-{}", given.count);
        given.open.insert(id.clone(), in_handshake(params));
        id
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.given().open.contains_key(id)
    }

    /// What its client declared.
    pub(super) fn declared(&self, id: &str) -> String {
        self.given().open.get(id).cloned().unwrap_or_default()
    }

    pub(super) fn end(&self, id: &str) {
        self.given().open.remove(id);
    }

    pub(super) fn forget(&self) {
        self.given().open.clear();
    }
}

/// The capabilities in the params of `initialize`.
pub(super) fn in_handshake(params: &str) -> String {
    shown(params, "capabilities")
}

/// The capabilities in the metadata of a modern request.
pub(super) fn in_request(params: &str) -> String {
    let members = Members::read(params).ok();
    let meta = members.as_ref().and_then(|members| members.get("_meta"));
    shown(meta.unwrap_or("{}"), meta::CLIENT_CAPABILITIES)
}

/// A member without extensions: what can be asked.
fn shown(object: &str, key: &str) -> String {
    let members = Members::read(object).ok();
    let text = members.as_ref().and_then(|members| members.get(key)).unwrap_or_default();
    let raw = Raw::parse(text.to_owned().into()).unwrap_or_default();
    extension::with(&raw, None).as_str().to_owned()
}
