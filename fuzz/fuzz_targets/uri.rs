//! URIs behind a prefix: what is exposed is taken back to the same, and its prefix is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::uri::{candidates, expose, is_web, literal_start, restore};

fuzz_target!(|text: &str| {
    let _ = (literal_start(text), restore("a-1", text), candidates(text).count());
    let exposed = expose("a-1", text);
    assert_eq!(restore("a-1", &exposed).as_deref(), Some(text));
    assert!(is_web(text) || candidates(&exposed).any(|prefix| prefix == "a-1"));
});
