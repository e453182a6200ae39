//! Resource URIs and templates behind a prefix, both directions side by side (digest 3.3).
//!
//! `scheme://rest` ⇄ `scheme://prefix/rest`; what has no authority part, and templates that begin
//! with an expression, ⇄ `prefix+…`; `http:` and `https:` stay: clients fetch those themselves.

/// The URI or template that clients see.
pub fn expose(prefix: &str, uri: &str) -> String {
    if prefix.is_empty() || is_web(uri) {
        return uri.to_owned();
    }
    match authority(uri) {
        Some((scheme, rest)) if !has_plus(prefix, uri) => format!("{scheme}://{prefix}/{rest}"),
        _ => format!("{prefix}+{uri}"),
    }
}

/// The child's URI in an exposed one; `None` when it does not carry this prefix.
pub fn restore(prefix: &str, exposed: &str) -> Option<String> {
    if prefix.is_empty() || is_web(exposed) {
        return Some(exposed.to_owned());
    }
    if has_plus(prefix, exposed) {
        return exposed.get(prefix.len() + 1..).map(str::to_owned);
    }
    let (scheme, rest) = authority(exposed)?;
    let rest = rest.strip_prefix(prefix)?.strip_prefix('/')?;
    Some(format!("{scheme}://{rest}"))
}

/// The prefixes an exposed URI may carry, as texts to look up: what stands before the first `+`,
/// and what stands between `://` and the next `/`.
pub fn candidates(exposed: &str) -> impl Iterator<Item = &str> {
    let plus = exposed.split_once('+').map(|(before, _)| before);
    let first = authority(exposed).and_then(|(_, rest)| rest.split_once('/')).map(|(part, _)| part);
    plus.into_iter().chain(first)
}

/// Whether clients fetch this URI themselves.
pub fn is_web(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else { return false };
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The literal text before the first expression of a template.
pub fn literal_start(template: &str) -> &str {
    template.split('{').next().unwrap_or_default()
}

fn has_plus(prefix: &str, uri: &str) -> bool {
    uri.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('+'))
}

/// Scheme and what follows `://`, where `uri` has an authority part.
fn authority(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    valid.then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uris_are_exposed_as_the_design_says() {
        for (uri, exposed) in [
            ("file:///etc/x", "file://fs//etc/x"),
            ("demo://a/b?c=d#e", "demo://fs/a/b?c=d#e"),
            ("demo://a/{id}{?q}", "demo://fs/a/{id}{?q}"),
            ("ui://app/main", "ui://fs/app/main"),
            ("urn:isbn:123", "fs+urn:isbn:123"),
            ("{+uri}", "fs+{+uri}"),
            ("{scheme}://x", "fs+{scheme}://x"),
            ("https://example.com/x", "https://example.com/x"),
            ("HTTP://example.com", "HTTP://example.com"),
            ("fs+x://y", "fs+fs+x://y"),
            ("x://", "x://fs/"),
        ] {
            assert_eq!(expose("fs", uri), exposed);
            assert_eq!(restore("fs", exposed).as_deref(), Some(uri));
        }
    }

    #[test]
    fn c173_ui_stays_ui() {
        assert!(expose("p", "ui://x/y").starts_with("ui://"));
    }

    proptest! {
        #[test]
        fn c174_exposing_is_reversible(prefix in "[a-z][a-z0-9-]{0,10}", uri in ".*") {
            let exposed = expose(&prefix, &uri);
            prop_assert_eq!(restore(&prefix, &exposed), Some(uri.clone()));
            if !is_web(&uri) {
                prop_assert!(candidates(&exposed).any(|part| part == prefix));
            }
        }

        #[test]
        fn c174_exposing_uris_is_reversible(
            prefix in "[a-z][a-z0-9-]{0,10}",
            uri in "[a-z][a-z0-9+.-]{0,6}(:|://)[a-z0-9/?#{}+_.-]{0,20}",
        ) {
            prop_assert_eq!(restore(&prefix, &expose(&prefix, &uri)), Some(uri));
        }

        #[test]
        fn another_prefix_is_not_taken_out(uri in "[a-z]{1,6}://[a-z/]{0,12}") {
            if !is_web(&uri) {
                prop_assert_eq!(restore("other", &expose("mine", &uri)), None);
            }
        }
    }
}
