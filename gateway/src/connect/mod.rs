//! Connections to children: compiled in, processes, remote; each in the era the child speaks.

mod dialect;
mod identity;
mod pin;
mod unreachable;
mod wire;
mod discover;
mod audience;
mod backoff;
mod pace;
mod changes;
mod fan;
mod subscriptions;
mod level;
mod asking;
mod legacy;
mod modern;
mod probe;
mod custody;
mod wired;
mod process;
mod stdio;
mod unix;
mod in_process;
mod http;
mod websocket;
mod tasks;
#[cfg(test)]
mod scripted;

pub use self::asking::{Asking, Parking};
pub use self::http::{HttpDial, HttpSettings, Transport};
pub use self::tasks::TaskDial;
pub use custody::{adopt_orphans, warden_if_asked};
pub use in_process::InProcessDial;
pub use pin::EraPin;
pub use stdio::{StdioDial, StdioSettings};
pub use unix::{UnixDial, UnixSettings};
pub use websocket::WebSocketDial;
