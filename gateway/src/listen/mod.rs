//! Transports towards clients: bytes in, messages to the front, bytes out.

mod http;
mod guard;
mod body;
mod mcp;
mod stdio;

pub use body::{Body, empty, full};
pub use guard::Guard;
pub use http::{Bounds, Service, bind, serve};
pub use mcp::{Known, Mcp};
pub use stdio::serve_stdio;
