//! The gateway: many MCP servers behind one endpoint.
//!
//! The path of a call: `listen` → `session` → `route` → `mount` → `connect`; the reply comes back
//! the same way. `call` is what flows, `control` is the one writer, [`Gateway`] puts it together.

pub mod call;
pub mod config;
pub mod listen;
pub mod session;
pub mod route;
pub mod mount;
pub mod connect;
pub mod control;
mod gateway;

pub use gateway::{Children, Gateway, Listening};
