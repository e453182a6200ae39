//! What the gateway says of itself to children and what it asks for.

/// `Implementation` of the gateway, an object.
pub(crate) const IDENTITY: &str =
    concat!(r#"{"name":"gateway","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
