//! Transports towards clients: bytes in, messages to the front, bytes out.

mod socket;
mod http;
mod guard;
mod cors;
mod body;
mod mcp;
mod channel;
mod stdio;
mod websocket;
mod sse;

pub use body::{Body, empty, full};
pub use guard::Guard;
pub use http::{Bounds, Service, serve};
pub use mcp::{Known, Mcp};
pub use socket::{Address, Listener};
pub use sse::Sse;
pub use stdio::{Ending, serve_stdio};
