//! The harness: starts a gateway in this process and talks to it as a client that shows all bytes.
//!
//! It is part of the tests, so what must not be breaks the test with a text that says what came.

pub mod echo;
pub mod start;
pub mod client;
pub mod source;
pub mod scripted;
#[cfg(target_os = "linux")]
pub mod stray;
pub mod apart;
