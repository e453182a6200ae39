//! URIs rewritten in results: JSON stays JSON, and the way back leads to the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::rewrite::{
    Map, prompt_result, read_result, set_inner, set_string, tool_entry, tool_result, uri_member,
};
use protocol::{Raw, uri};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(raw) = Raw::parse(Bytes::copy_from_slice(text.as_bytes())) else { return };
    let there = |uri: &str| Some(uri::expose("p", uri));
    let back = |uri: &str| uri::restore("p", uri);
    type Rewrite = fn(&Raw, Map<'_>) -> Raw;
    let all: [Rewrite; 5] = [tool_result, prompt_result, read_result, uri_member, tool_entry];
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    for rewrite in all {
        let exposed = rewrite(&raw, &there);
        assert!(Raw::parse(exposed.clone().into_bytes()).is_ok(), "{exposed:?}");
        let again = rewrite(&exposed, &back);
        assert_eq!(value(again.as_str()), value(raw.as_str()));
    }
    if let Ok(set) = set_string(&raw, "name", "x\"y") {
        assert!(Raw::parse(set.into_bytes()).is_ok());
    }
    if let Ok(set) = set_inner(&raw, "ref", "uri", "x") {
        assert!(Raw::parse(set.into_bytes()).is_ok());
    }
});
