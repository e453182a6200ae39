//! Event streams: however the bytes are cut, the events are the same, and none is over the bound.
#![no_main]

#[path = "../../gateway/src/connect/http/sse.rs"]
#[allow(dead_code, reason = "the file is the gateway's, which uses all of it")]
mod sse;

use std::collections::VecDeque;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sse::{Splitter, SseEvent, TooLong};

const EVENT_BYTES_MAX: usize = 256;

fn events(parts: impl Iterator<Item = Bytes>) -> (Vec<SseEvent>, Result<(), TooLong>) {
    let (mut splitter, mut out) = (Splitter::new(EVENT_BYTES_MAX), VecDeque::new());
    let mut outcome = Ok(());
    for part in parts {
        outcome = splitter.push(part, &mut out);
        if outcome.is_err() {
            break;
        }
    }
    (out.into(), outcome)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let size = usize::from(size.max(1));
    let whole = events(std::iter::once(Bytes::copy_from_slice(bytes)));
    let parts = events(bytes.chunks(size).map(Bytes::copy_from_slice));
    assert_eq!(whole, parts);
    assert!(whole.0.iter().all(|event| event.data.len() <= EVENT_BYTES_MAX));
});
