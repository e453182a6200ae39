//! The way to the client of a call outside of that call: its session's own stream, if it has one.

use std::fmt;
use std::sync::Weak;

use protocol::Raw;

/// What tells a client something that belongs to no request.
pub trait Standing: Send + Sync {
    /// Tells it without waiting.
    fn tell_aside(&self, method: &str, params: &Raw);
}

/// The way to who called, for as long as that session or connection lasts.
#[derive(Clone, Default)]
pub struct Aside(Option<Weak<dyn Standing>>);

impl Aside {
    /// The way to this session or connection, which it does not keep alive.
    pub fn to(standing: Weak<dyn Standing>) -> Self {
        Self(Some(standing))
    }

    /// Whether this leads to anybody.
    pub fn leads(&self) -> bool {
        self.0.as_ref().is_some_and(|standing| standing.strong_count() > 0)
    }

    /// Whether both are ways to the same client.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Weak::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Tells who is there still.
    pub fn tell(&self, method: &str, params: &Raw) {
        if let Some(standing) = self.0.as_ref().and_then(Weak::upgrade) {
            standing.tell_aside(method, params);
        }
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Aside").field(&self.leads()).finish()
    }
}
