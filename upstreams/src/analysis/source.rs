//! Opens a source and finds out what it is: packed, binary, CSV, JSON or JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{Place, Settings};
use super::watch::{Seen, Signals, Watched, binary, too_large};
use super::within;
use crate::fault::{Code, Fault};

/// Bytes that one `resources/read` gives.
const RESOURCE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes that are read at a time, and looked at to find out the format.
const BUFFER_BYTES: usize = 64 * 1024;

/// How packed data begins, and what it is.
const PACKED: [(&[u8], &str); 7] = [
    (&[0x1f, 0x8b], "gzip"),
    (b"PK\x03\x04", "zip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (b"7z\xbc\xaf", "7z"),
];

/// How the data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Rows of fields, the first with the names.
    Csv,
    /// A list of objects.
    Json,
    /// An object a line.
    Jsonl,
}

/// An open source.
pub(super) struct Source {
    pub(super) reader: BufReader<Watched<Box<dyn Read>>>,
    pub(super) seen: Rc<Seen>,
    pub(super) format: Format,
    /// What separates fields in CSV.
    pub(super) delimiter: u8,
}

/// Opens a source; `format` and `delimiter` are found out unless given.
///
/// # Errors
/// A source that cannot be read, is too large, packed or binary.
pub(super) fn open(
    place: &Place,
    settings: &Settings,
    signals: &Arc<Signals>,
    (format, delimiter): (Option<Format>, Option<u8>),
) -> Result<Source, Fault> {
    let source: Box<dyn Read> = match place {
        Place::Text(text) => Box::new(Cursor::new(text.clone())),
        Place::File(path) => bounded(File::open(path), settings.bytes_max)?,
        Place::Within(root, path) => bounded(within::open(root, path), settings.bytes_max)?,
    };
    let seen = Seen::new(Arc::clone(signals), settings.bytes_max);
    let watched = Watched { source, seen: Rc::clone(&seen) };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, watched);
    let refused = packed(&mut reader);
    if let Some(fault) = refused {
        return Err(fault);
    }
    let head = match reader.fill_buf() {
        Ok(head) => head,
        Err(fault) => return Err(seen.fault().unwrap_or_else(|| unreadable(&fault))),
    };
    if let Err(fault) = std::str::from_utf8(head)
        && fault.error_len().is_some()
    {
        return Err(binary(fault.valid_up_to() as u64));
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first else {
        return Err(Fault::new(Code::Unreadable, "the source is empty"));
    };
    let format = format.unwrap_or(match first {
        b'[' => Format::Json,
        b'{' => Format::Jsonl,
        _ => Format::Csv,
    });
    let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(head));
    Ok(Source { reader, seen, format, delimiter })
}

/// A file that is open and no larger than what is taken.
fn bounded(file: io::Result<File>, bytes_max: u64) -> Result<Box<dyn Read>, Fault> {
    let unread = |fault: io::Error| {
        Fault::new(Code::Unreadable, format!("the file cannot be read: {fault}"))
    };
    let file = file.map_err(unread)?;
    if file.metadata().map_err(unread)?.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(Box::new(file))
}

/// The fault of a packed source. A look at the bytes themselves: the watched reader would call
/// them binary, which is true and of less help.
fn packed(reader: &mut BufReader<Watched<Box<dyn Read>>>) -> Option<Fault> {
    const LONGEST: u64 = 8;
    let mut head = Vec::new();
    let source = &mut reader.get_mut().source;
    source.by_ref().take(LONGEST).read_to_end(&mut head).ok()?;
    let found = PACKED.iter().find(|(start, _)| head.starts_with(start));
    // What was looked at is put back before the rest.
    let rest = std::mem::replace(source, Box::new(std::io::empty()));
    *source = Box::new(Cursor::new(head).chain(rest));
    found.map(|(_, kind)| {
        let text = format!(
            "the source is packed ({kind}): unpack it first, what is inside may be of any size"
        );
        Fault::new(Code::Compressed, text)
    })
}

fn unreadable(fault: &std::io::Error) -> Fault {
    Fault::new(Code::Unreadable, format!("the source cannot be read: {fault}"))
}

/// The character that separates the names in the first line.
fn likely_delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
    // The first of several with the same count: so the last is the comma.
    b"|\t;,".iter().copied().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// The whole text of a resource.
///
/// # Errors
/// As [`open`], and more than [`RESOURCE_BYTES_MAX`].
pub(super) fn whole(place: &Place, settings: &Settings) -> Result<String, Fault> {
    let signals = Arc::default();
    let mut source = open(place, settings, &signals, (None, None))?;
    let mut bytes = Vec::new();
    let mut bounded = source.reader.by_ref().take(RESOURCE_BYTES_MAX + 1);
    if let Err(fault) = bounded.read_to_end(&mut bytes) {
        return Err(source.seen.fault().unwrap_or_else(|| unreadable(&fault)));
    }
    if bytes.len() as u64 > RESOURCE_BYTES_MAX {
        let text = format!(
            "the data has more than {RESOURCE_BYTES_MAX} bytes, the most that is read as a whole; \
             `analyze_data` takes its URI"
        );
        return Err(Fault::new(Code::Limited, text));
    }
    String::from_utf8(bytes).map_err(|fault| binary(fault.utf8_error().valid_up_to() as u64))
}
