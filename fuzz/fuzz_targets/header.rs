//! Header values: what is encoded fits into a header and is decoded to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::header::{decode, encode};

fuzz_target!(|text: &str| {
    let _ = decode(text);
    let encoded = encode(text);
    assert!(encoded.bytes().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)));
    assert_eq!(decode(&encoded).as_deref(), Ok(text));
});
