//! Annotations in schemas: read or refused, and checked against any params.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::header::{encode, mirrored};

fuzz_target!(|input: (&str, &str)| {
    let (schema, params) = input;
    let Ok(all) = mirrored(schema) else { return };
    for one in all {
        match one.value(params) {
            Some(value) => assert_eq!(one.check(Some(&encode(&value)), params), Ok(())),
            None => {
                let _ = one.check(None, params);
            }
        }
        let _ = one.check(Some(params), params);
    }
});
