//! Names behind a prefix: putting it on, taking it off, keeping long ones in bounds (digest 3.1).

use std::borrow::Cow;

/// Letters of the hash that stands at the end of a shortened name.
const HASH_LETTERS: usize = 8;

/// The name that clients see: `<prefix><separator><name>`, or the bare name without a prefix.
pub fn expose(prefix: &str, separator: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}{separator}{name}") }
}

/// The child's name in an exposed one that was not shortened; `None` when it has another prefix.
pub fn restore<'a>(prefix: &str, separator: &str, exposed: &'a str) -> Option<&'a str> {
    if prefix.is_empty() {
        return Some(exposed);
    }
    exposed.strip_prefix(prefix)?.strip_prefix(separator)
}

/// `exposed` in at most `max` bytes: a longer one ends in `_` and a hash of the whole, so that it
/// is the same after a restart and whatever other names there are. The catalog's table leads back.
pub fn bounded(exposed: &str, max: usize) -> Cow<'_, str> {
    if exposed.len() <= max {
        return exposed.into();
    }
    let mut end = max.saturating_sub(HASH_LETTERS + 1);
    while !exposed.is_char_boundary(end) {
        end -= 1;
    }
    let start = exposed.get(..end).unwrap_or_default();
    format!("{start}_{:08x}", hash(exposed) & 0xffff_ffff).into()
}

/// FNV-1a, 64 bits, folded: written down here because the names it makes must never change.
pub fn hash(text: &str) -> u64 {
    let full = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    full ^ (full >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn c171_prefixing_is_reversible(prefix in "[a-z][a-z0-9-]{0,10}", name in ".*") {
            for separator in ["_", "__", "-", "."] {
                let exposed = expose(&prefix, separator, &name);
                prop_assert_eq!(restore(&prefix, separator, &exposed), Some(name.as_str()));
            }
            let bare = expose("", "_", &name);
            prop_assert_eq!(restore("", "_", &bare), Some(name.as_str()));
        }

        #[test]
        fn c168_a_bounded_name_is_in_bounds_and_stable(name in ".{0,300}", max in 16usize..256) {
            let short = bounded(&name, max);
            prop_assert!(short.len() <= max);
            prop_assert_eq!(&short, &bounded(&name, max));
            prop_assert_eq!(bounded(&short, max), short.clone());
        }
    }
}
