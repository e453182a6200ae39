//! Where to post, as a child of 2024-11-05 names it: only ever at the child's own origin.

use http::Uri;

/// The longest place to post that is looked at, in bytes.
const PLACE_BYTES_MAX: usize = 8 << 10;

/// Where to post, as the stream at `base` names it: of the same origin, so that no child turns
/// credentials and calls to another host.
pub(super) fn resolve(base: &Uri, named: &str) -> Result<Uri, &'static str> {
    const OTHER: &str =
        "the place to post that it names is at another origin, which is not allowed";
    const NONE: &str = "the place to post that it names is no URL";
    if named.is_empty() || named.len() > PLACE_BYTES_MAX {
        return Err(NONE);
    }
    let scheme = base.scheme_str().unwrap_or_default();
    let host = base.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let has_scheme = named.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':'));
    let whole = if has_scheme {
        named.to_owned()
    } else if named.starts_with("//") {
        format!("{scheme}:{named}")
    } else if named.starts_with('/') {
        format!("{scheme}://{host}{named}")
    } else if named.starts_with('?') {
        format!("{scheme}://{host}{}{named}", base.path())
    } else {
        let folder = base.path().rfind('/').and_then(|at| base.path().get(..=at));
        format!("{scheme}://{host}{}{named}", folder.unwrap_or("/"))
    };
    let place: Uri = whole.parse().map_err(|_| NONE)?;
    let same = place.scheme() == base.scheme()
        && place.host().map(str::to_ascii_lowercase) == base.host().map(str::to_ascii_lowercase)
        && port(&place) == port(base)
        && place.authority().is_some_and(|at| !at.as_str().contains('@') || at.as_str() == host);
    if same { Ok(place) } else { Err(OTHER) }
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str()? {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c109_the_place_to_post_is_of_the_same_origin() {
        let base: Uri = "http://child.example:80/a/sse?key=1".parse().unwrap();
        for (named, place) in [
            ("/messages?s=1", "http://child.example:80/messages?s=1"),
            ("messages?s=1", "http://child.example:80/a/messages?s=1"),
            ("?s=1", "http://child.example:80/a/sse?s=1"),
            ("http://child.example/m", "http://child.example/m"),
            ("http://CHILD.example:80/m", "http://CHILD.example:80/m"),
            ("//child.example/m", "http://child.example/m"),
            ("/to?u=http://other/", "http://child.example:80/to?u=http://other/"),
        ] {
            assert_eq!(resolve(&base, named), Ok(place.parse().unwrap()), "{named}");
        }
        for named in [
            "http://other.example/m",
            "https://child.example/m",
            "http://child.example:81/m",
            "//other.example/m",
            "http://u:p@child.example/m",
            "http://child.example@other.example/m",
            "ftp://child.example/m",
            "javascript:x",
            "",
            "/a b",
        ] {
            assert!(resolve(&base, named).is_err(), "{named}");
        }
        assert!(resolve(&base, &"x".repeat(PLACE_BYTES_MAX + 1)).is_err());
    }
}
