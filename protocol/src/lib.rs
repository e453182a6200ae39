//! MCP on the wire: envelopes, methods, eras, metadata, capabilities, names and URIs.
//!
//! No I/O, no policy, no runtime. Both eras of the protocol are here as data: *legacy*
//! (`2024-11-05` to `2025-11-25`) and *modern* (`2026-07-28`). "digest 1.6" and "check 48" refer to
//! the tables in `docs/protocol.md`.

mod raw;
pub mod json;
pub mod envelope;
pub mod error;
pub mod era;
pub mod method;
pub mod meta;
pub mod header;
pub mod capabilities;
pub mod extension;
pub mod question;
pub mod task;
pub mod cursor;
pub mod name;
pub mod uri;
pub mod rewrite;
pub mod child;

pub use child::{ChildRequest, Grant, InProcess, Make, Notify, Options, Place, Sending, Violation};
pub use era::{Era, Version};
pub use error::ErrorObject;
pub use method::Method;
pub use raw::{NotJson, Raw};
