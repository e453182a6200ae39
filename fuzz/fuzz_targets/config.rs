//! Configuration texts: read, or refused with problems that can be shown.
#![no_main]

use std::io::Write;

use gateway::config::{FileSource, Sources, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("a written file");
    let loaded = load(Sources {
        file: FileSource::Path(file.path()),
        environment: Vec::new(),
        flags: Vec::new(),
        children: &Children::from([("notes", child as Arc<dyn Make>)]),
    });
    if let Err(problems) = loaded {
        assert!(!format!("{problems}{problems:?}").is_empty());
    }
});
