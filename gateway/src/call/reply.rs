//! The result of a call, with what kind of result it is.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use protocol::json::{self, Members};
use protocol::{NotJson, Raw};

/// What `resultType` says (digest 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// The answer. What a legacy child says is always this.
    Complete,
    /// The child asks first; the client answers by calling again.
    InputRequired,
    /// The answer comes later: the client asks for it by the id of a task.
    Task,
}

/// The result of a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The `result` object as it came. `resultType` is set anew where the client needs it.
    pub result: Raw,
    /// What it is.
    pub kind: ReplyKind,
    /// Whether the call waits open at its child, which bounds how often that may ask.
    pub parked: bool,
    /// The room that it takes of its mount.
    pub room: Room,
}

/// The room that a result takes of what its mount may hold, until all that was made of it is gone.
#[derive(Clone, Default)]
pub struct Room(Option<Arc<dyn Any + Send + Sync>>);

impl Room {
    /// Room that is given back when `held` is dropped.
    pub fn held(held: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(held)))
    }

    /// `body`, which takes the room until it is written.
    pub fn keep(self, body: Bytes) -> Bytes {
        match self.0 {
            None => body,
            Some(room) => Bytes::from_owner(Roomy { body, _room: room }),
        }
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Room").field(&self.0.is_some()).finish()
    }
}

/// Bytes that take room.
struct Roomy {
    body: Bytes,
    _room: Arc<dyn Any + Send + Sync>,
}

impl AsRef<[u8]> for Roomy {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Reply {
    /// A result of this kind.
    pub fn of(result: Raw, kind: ReplyKind) -> Self {
        Self { result, kind, parked: false, room: Room::default() }
    }

    /// A complete result.
    pub fn complete(result: Raw) -> Self {
        Self::of(result, ReplyKind::Complete)
    }

    /// Reads the kind of a modern child's result; an absent one is complete.
    ///
    /// # Errors
    /// [`NotJson`] when the result is no object, or its type is none that the gateway relays
    /// (check 5): what that type demands of the client is unknown.
    pub fn read(result: Raw) -> Result<Self, NotJson> {
        let members = Members::read(&result)?;
        let kind = match members.get("resultType") {
            None => ReplyKind::Complete,
            Some(text) => match json::string(text).as_deref() {
                Some("complete") => ReplyKind::Complete,
                Some("input_required") => ReplyKind::InputRequired,
                Some("task") => ReplyKind::Task,
                _ => {
                    let known = r#""complete", "input_required" or "task""#;
                    let text = format!("resultType: expected {known}, found {text:.60}");
                    return Err(NotJson(text));
                }
            },
        };
        Ok(Self::of(result, kind))
    }
}
