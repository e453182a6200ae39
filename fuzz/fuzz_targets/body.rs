//! Bodies and lines: whatever comes is a message or a fault, and a message survives being written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::envelope::{Body, Message, is_id, request, result};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = Body::read(Bytes::copy_from_slice(bytes)) else { return };
    let messages = match body {
        Body::One(message) => vec![message],
        Body::Batch(list) => list.into_iter().flatten().collect(),
    };
    for message in messages {
        let (id, again) = match &message {
            Message::Request { id, method, params } => (id, request(id.as_str(), method, params)),
            Message::Response { id: Some(id), outcome: Ok(outcome) } => (id, result(id, outcome)),
            _ => continue,
        };
        assert!(is_id(id.as_str()), "{id:?} is taken for an id");
        let again = Body::read(again);
        assert!(matches!(again, Ok(Body::One(_))), "{message:?} became {again:?}");
    }
});
