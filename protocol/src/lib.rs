//! MCP on the wire: envelopes, methods, eras, metadata, capabilities, names and URIs.
//!
//! No I/O, no policy, no runtime. Both eras of the protocol are here as data: *legacy*
//! (`2024-11-05` to `2025-11-25`) and *modern* (`2026-07-28`). Section numbers such as "digest 1.6"
//! refer to the table in `docs/protocol.md`.

mod raw;
pub mod error;
pub mod child;

pub use child::{ChildRequest, InProcess, Notify, Sending};
pub use error::ErrorObject;
pub use raw::{NotJson, Raw};
