//! Request metadata: read or refused, and stamped params are read back as they were stamped.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::Raw;
use protocol::meta::{Meta, Stamp, stamp};

fuzz_target!(|text: &str| {
    let Ok(raw) = Raw::parse(Bytes::copy_from_slice(text.as_bytes())) else { return };
    let _ = Meta::read(&raw);
    let with = Stamp {
        version: Some("2026-07-28"),
        client_capabilities: Some("{}"),
        client_info: Some(r#"{"name":"n","version":"v"}"#),
        log_level: Some(3),
        progress_token: Some(7),
    };
    let Ok(stamped) = stamp(&raw, &with) else { return };
    let read = Meta::read(&stamped).expect("what was stamped is metadata");
    assert_eq!(read.version.as_deref(), Some("2026-07-28"));
    assert_eq!(read.log_level, Some(3));
    assert_eq!(read.progress_token.as_deref(), Some("7"));
});
