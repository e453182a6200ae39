//! Cursors: a text is a cursor only if it is what that cursor writes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::cursor::Cursor;

fuzz_target!(|text: &str| {
    if let Some(cursor) = Cursor::read(text) {
        assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
    }
});
