//! Objects edited in place: members that are not touched keep their bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::json::{Members, ObjectEdit, elements, kind_of, string};

fuzz_target!(|input: (&str, &str)| {
    let (text, key) = input;
    let _ = (elements(text), kind_of(text), string(text));
    let Ok(members) = Members::read(text) else { return };
    let before: Vec<(String, String)> =
        members.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let mut edit = ObjectEdit::new(&members);
    edit.set(key, "7");
    let set = edit.finish();
    let after = Members::read(&set).expect("an edited object is an object");
    assert_eq!(after.get(key), Some("7"));
    for (name, value) in before.iter().filter(|(name, _)| name != key) {
        assert_eq!(after.get(name), Some(value.as_str()));
    }
    let mut edit = ObjectEdit::new(&members);
    edit.remove(key);
    let removed = edit.finish();
    let after = Members::read(&removed).expect("an edited object is an object");
    assert_eq!(after.get(key), None);
    assert_eq!(after.len(), before.iter().filter(|(name, _)| name != key).count());
});
