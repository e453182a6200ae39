//! Which call an over-long answer was for, told from its first and its last bytes alone.

use memchr::memmem;

/// Bytes of an over-long line's end that are kept: room for an id and the version.
pub(super) const TAIL_BYTES: usize = 160;

/// The id of our request that a line too long to be kept answers, when it can be told for certain.
///
/// `head` are the line's first bytes, `tail` its last. SDKs write the id before the result, or as
/// the last member but `jsonrpc`.
pub(super) fn answered_id(head: &[u8], tail: &[u8]) -> Option<u64> {
    let mut rest = head.trim_ascii_start().strip_prefix(b"{")?;
    let mut id = None;
    loop {
        let (key, value) = member(rest)?;
        match key {
            // Only an answer has these; a request that comes first in its line with such a member
            // is none that any server writes.
            b"result" | b"error" => return id.or_else(|| id_at_end(tail)),
            b"id" => id = Some(digits(value)?),
            b"jsonrpc" => {}
            _ => return None,
        }
        let comma = memchr::memchr(b',', value)?;
        rest = value.get(comma + 1..)?;
    }
}

/// The key at the start of `rest`, and what follows its colon.
fn member(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let value = rest.get(end + 1..)?.trim_ascii_start().strip_prefix(b":")?;
    Some((rest.get(..end)?, value.trim_ascii_start()))
}

fn digits(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()
}

/// The id when it is the last member, or the last before `jsonrpc`: the final brace closes the
/// message itself, so nothing nested can be mistaken for it.
fn id_at_end(tail: &[u8]) -> Option<u64> {
    let text = tail.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let at = memmem::rfind(text, b"\"id\"")?;
    let before = text.get(..at)?.trim_ascii_end().last()?;
    let value = text.get(at + 4..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let id = digits(value)?;
    let after = value.get(value.iter().take_while(|b| b.is_ascii_digit()).count()..)?;
    let compact: Vec<u8> = after.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let ends = compact.is_empty() || compact == br#","jsonrpc":"2.0""#;
    (ends && matches!(before, b',' | b'{')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, tail: &str, expected: Option<u64>) {
        assert_eq!(answered_id(head.as_bytes(), tail.as_bytes()), expected, "{head} … {tail}");
    }

    #[test]
    fn the_id_is_found_where_sdks_write_it_and_nowhere_else() {
        check(r#"{"jsonrpc":"2.0","id":7,"result":{"a"#, "}}", Some(7));
        check(r#" { "id" : 8 , "result" : {"#, "}}", Some(8));
        check(r#"{"result":{"id":1,"#, r#"x"},"jsonrpc":"2.0","id":9}"#, Some(9));
        check(r#"{"result":{"a"#, r#"x"}, "id": 10, "jsonrpc": "2.0"}"#, Some(10));
        check(r#"{"error":{"a"#, r#"x"},"id":11}"#, Some(11));
        check(r#"{"result":{"a"#, r#""id":12}}"#, None);
        check(r#"{"result":{"a"#, r#"\"id\":13}"}"#, None);
        check(r#"{"jsonrpc":"2.0","method":"x","params":{"#, r#"},"id":14}"#, None);
        check(r#"{"jsonrpc":"2.0","id":"15","result":{"#, "}}", None);
        check(r#"[{"id":1,"result":{"#, "}]", None);
        check("garbage", "garbage", None);
    }
}
