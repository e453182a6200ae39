//! Splits a `text/event-stream` into its events, however the bytes are cut into chunks.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// Its type; `message` when absent.
    pub(super) name: Option<String>,
    /// Its id, to resume after it.
    pub(super) id: Option<String>,
    /// How long to wait before connecting again, milliseconds.
    pub(super) retry: Option<u64>,
    /// Its data, the lines joined by `\n`; empty when there is none.
    pub(super) data: Bytes,
}

/// An event has more bytes than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes bytes in, gives events out. Each byte is looked at once.
#[derive(Debug)]
pub(super) struct Splitter {
    event_bytes_max: usize,
    /// The line that has begun; its end has not come.
    partial: BytesMut,
    /// The last byte was `\r`: an `\n` that follows belongs to it.
    after_return: bool,
    /// The first line was read, so that no byte order mark may come.
    begun: bool,
    event: Pending,
}

#[derive(Debug, Default)]
struct Pending {
    out: SseEvent,
    any: bool,
    /// Two or more lines of data, joined.
    joined: Option<BytesMut>,
    has_data: bool,
    bytes: usize,
}

impl Splitter {
    /// A splitter for one stream; an event has at most `event_bytes_max` bytes.
    pub(super) fn new(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            partial: BytesMut::new(),
            after_return: false,
            begun: false,
            event: Pending::default(),
        }
    }

    /// Takes the next bytes and appends the events that they complete to `out`.
    ///
    /// # Errors
    /// [`TooLong`]: the stream is of no use after that.
    pub(super) fn push(
        &mut self,
        mut chunk: Bytes,
        out: &mut VecDeque<SseEvent>,
    ) -> Result<(), TooLong> {
        if self.after_return && !chunk.is_empty() {
            self.after_return = false;
            if chunk.starts_with(b"\n") {
                chunk.advance(1);
            }
        }
        while let Some(at) = memchr2(b'\r', b'\n', &chunk) {
            let line = chunk.split_to(at);
            let returned = chunk.starts_with(b"\r");
            chunk.advance(1);
            if returned {
                self.after_return = chunk.is_empty();
                if chunk.starts_with(b"\n") {
                    chunk.advance(1);
                }
            }
            self.check(line.len())?;
            let line = if self.partial.is_empty() {
                line
            } else {
                self.partial.extend_from_slice(&line);
                self.partial.split().freeze()
            };
            self.line(line, out);
        }
        self.check(chunk.len())?;
        self.partial.extend_from_slice(&chunk);
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), TooLong> {
        let bytes = self.event.bytes + self.partial.len() + more;
        if bytes > self.event_bytes_max { Err(TooLong) } else { Ok(()) }
    }

    fn line(&mut self, mut line: Bytes, out: &mut VecDeque<SseEvent>) {
        if !self.begun {
            self.begun = true;
            if line.starts_with(BOM) {
                line.advance(BOM.len());
            }
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            out.extend(event.any.then(|| event.finish()));
            return;
        }
        let bytes = line.len();
        let (field, value) = match memchr(b':', &line) {
            // A comment keeps the connection alive and says nothing.
            Some(0) => return,
            None => (line, Bytes::new()),
            Some(colon) => {
                let mut value = line.split_off(colon);
                value.advance(1);
                if value.starts_with(b" ") {
                    value.advance(1);
                }
                (line, value)
            }
        };
        if self.event.field(&field, value) {
            self.event.any = true;
            self.event.bytes += bytes;
        }
    }
}

impl Pending {
    /// Whether the field is one that events have.
    fn field(&mut self, name: &[u8], value: Bytes) -> bool {
        let text = || std::str::from_utf8(&value).ok();
        match name {
            b"event" => self.out.name = text().map(str::to_owned),
            b"id" if !value.contains(&0) => self.out.id = text().map(str::to_owned),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.out.retry = text().and_then(|text| text.parse().ok());
            }
            b"data" => self.data(value),
            _ => return false,
        }
        true
    }

    fn data(&mut self, value: Bytes) {
        if !self.has_data {
            self.has_data = true;
            self.out.data = value;
            return;
        }
        let first = std::mem::take(&mut self.out.data);
        let joined = self.joined.get_or_insert_with(|| BytesMut::from(first.as_ref()));
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(&value);
        self.bytes += 1;
    }

    fn finish(mut self) -> SseEvent {
        if let Some(joined) = self.joined {
            self.out.data = joined.freeze();
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]], max: usize) -> Result<Vec<SseEvent>, TooLong> {
        let mut splitter = Splitter::new(max);
        let mut out = VecDeque::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk), &mut out)?;
        }
        Ok(out.into())
    }

    fn check(text: &str, expected: &Expect) {
        let mut shown = String::new();
        for event in split(&[text.as_bytes()], 1000).unwrap() {
            let SseEvent { name, id, retry, data } = event;
            shown += &format!("{name:?} {id:?} {retry:?} {data:?}\n");
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn every_field_and_every_line_end_is_read() {
        check(
            "\u{feff}event: message\r\nid:7\rretry: 20\ndata: a\ndata:b\r\n\r\n",
            &expect![[r#"
                Some("message") Some("7") Some(20) b"a\nb"
            "#]],
        );
        check(
            "data:  two\n\ndata\n\ndata:\ndata:\n\n",
            &expect![[r#"
            None None None b" two"
            None None None b""
            None None None b"\n"
        "#]],
        );
    }

    #[test]
    fn comments_and_unknown_fields_are_ignored_and_an_unfinished_event_is_no_event() {
        check(
            ": alive\n\n:\n\nfoo: bar\n\nretry: soon\n\ndata: 1\n: between\ndata: 2\n\ndata: lost",
            &expect![[r#"
                None None None b"1\n2"
            "#]],
        );
        check(
            "id: 3\n\nid: a\0b\ndata: x\n\n",
            &expect![[r#"
                None Some("3") None b""
                None None None b"x"
            "#]],
        );
    }

    #[test]
    fn an_event_beyond_its_bound_is_refused_and_comments_do_not_count() {
        let line = format!("data: {}\n", "x".repeat(40));
        assert_eq!(split(&[line.as_bytes(), line.as_bytes()], 60), Err(TooLong));
        assert_eq!(split(&["data: ".as_bytes(), "x".repeat(60).as_bytes()], 60), Err(TooLong));
        let calm = ": a comment as often as you like\n".repeat(100) + &line + "\n";
        assert_eq!(split(&[calm.as_bytes()], 60).unwrap().len(), 1);
    }

    #[test]
    fn a_line_of_eight_megabytes_in_small_chunks_is_one_event() {
        const BYTES: usize = 8 << 20;
        let mut splitter = Splitter::new(BYTES + 100);
        let mut out = VecDeque::new();
        splitter.push(Bytes::from_static(b"data: "), &mut out).unwrap();
        for _ in 0..BYTES / 64 {
            splitter.push(Bytes::from_static(&[b'x'; 64]), &mut out).unwrap();
        }
        splitter.push(Bytes::from_static(b"\r\n\r\n"), &mut out).unwrap();
        assert_eq!(out.pop_front().unwrap().data.len(), BYTES);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            text in "(\u{feff})?((data|id|event|retry|x)?:? ?[a-z0é]{0,6}(\r\n|\r|\n|\n\n)){0,12}",
            cuts in proptest::collection::vec(0usize..200, 0..20),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut at = 0;
            for cut in cuts {
                chunks.push(&bytes[at..cut]);
                at = cut;
            }
            chunks.push(&bytes[at..]);
            prop_assert_eq!(split(&chunks, 4096), split(&[bytes], 4096));
        }

        #[test]
        fn no_bytes_make_it_panic(chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..40), 0..20,
        ), max in 0usize..200) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let _events = split(&chunks, max);
        }
    }
}
