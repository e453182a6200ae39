//! The gateway: many MCP servers behind one endpoint.

pub mod call;
pub mod connect;
pub mod mount;
pub mod listen;
pub mod route;
pub mod session;
