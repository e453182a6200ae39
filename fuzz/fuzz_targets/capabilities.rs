//! Capabilities: read or refused, and written ones are read as the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::Raw;
use protocol::capabilities::ServerCapabilities;

fuzz_target!(|text: &str| {
    let Ok(raw) = Raw::parse(Bytes::copy_from_slice(text.as_bytes())) else { return };
    let Ok(read) = ServerCapabilities::read(&raw) else { return };
    let merged = read.merge(read);
    let again = ServerCapabilities::read(&merged.to_raw());
    assert_eq!(again.map(ServerCapabilities::to_raw), Ok(merged.to_raw()));
});
