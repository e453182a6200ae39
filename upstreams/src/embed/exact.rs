//! Finds integers that a JSON parser would silently round.

use memchr::memchr2;
use protocol::Raw;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest run of digits that every 64-bit integer type holds.
const SAFE_DIGITS: usize = 18;

/// The first integer in a request's params that neither 64 bits nor a double holds exactly.
///
/// rmcp keeps arguments as `serde_json::Value`, where such an integer becomes the nearest double: a
/// tool would act on another number than the caller wrote. `_meta` is left out, since much in it
/// is not for this server.
pub(super) fn rounded_integer(params: &Raw) -> Option<&str> {
    first_rounded_integer(params)?;
    let (before, after) = around_meta(params);
    first_rounded_integer(before).or_else(|| first_rounded_integer(after))
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

fn around_meta(params: &Raw) -> (&str, &str) {
    let Ok(Meta { meta: Some(meta) }) = params.read::<Meta<'_>>() else {
        return (params, "");
    };
    let start = (meta.get().as_ptr() as usize).saturating_sub(params.as_ptr() as usize);
    let end = start + meta.get().len();
    (params.get(..start).unwrap_or_default(), params.get(end..).unwrap_or_default())
}

/// `text` is JSON, or JSON with a value cut out.
fn first_rounded_integer(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_string(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = after_number(bytes, at);
                let number = text.get(at..end).unwrap_or_default();
                if is_rounded(number) {
                    return Some(number);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    None
}

fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn after_number(bytes: &[u8], start: usize) -> usize {
    let length = bytes.get(start..).and_then(|rest| {
        rest.iter().position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
    });
    length.map_or(bytes.len(), |length| start + length)
}

fn is_rounded(number: &str) -> bool {
    if number.len() <= SAFE_DIGITS || number.contains(['.', 'e', 'E']) {
        return false;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return false;
    }
    number.parse::<f64>().map_or(true, |double| format!("{double:.0}") != number)
}

#[cfg(test)]
mod tests {
    use super::rounded_integer;
    use expect_test::{Expect, expect};
    use protocol::Raw;

    fn check(text: &'static str, expected: Expect) {
        expected.assert_debug_eq(&rounded_integer(&Raw::from_static(text)));
    }

    #[test]
    fn integers_that_fit_or_are_exact_doubles_pass() {
        check(
            r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":100000000000000000000,
                "d":1.2345678901234567890123,"e":12345678901234567890123e2}"#,
            expect![[r#"
                None
            "#]],
        );
    }

    #[test]
    fn an_integer_that_would_be_rounded_is_found() {
        check(
            r#"{"a":"x","b":[1,{"c":18446744073709551617}]}"#,
            expect![[r#"
                Some(
                    "18446744073709551617",
                )
            "#]],
        );
    }

    #[test]
    fn metadata_may_hold_what_it_likes_and_what_follows_is_seen() {
        check(
            r#"{"_meta":{"x/y":18446744073709551617},"arguments":{}}"#,
            expect![[r#"
                None
            "#]],
        );
        check(
            r#"{"_meta":{"x/y":18446744073709551617},"arguments":{"a":18446744073709551619}}"#,
            expect![[r#"
                Some(
                    "18446744073709551619",
                )
            "#]],
        );
    }

    #[test]
    fn digits_in_strings_are_text() {
        check(
            r#"{"18446744073709551617":"\"18446744073709551617\\","z":-7}"#,
            expect![[r#"
                None
            "#]],
        );
    }
}
