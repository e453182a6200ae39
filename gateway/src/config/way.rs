//! The URL of a remote child: what it leads over, whether it is one, and how it is shown.

use http::Uri;
use http::uri::Authority;

use super::front::is_too_high;
use super::reading::{At, Reading};
use super::secret::Secret;
use super::shown::quoted;

/// What carries the messages of a remote child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Http,
    WebSocket,
    Unix,
}

/// The path in `unix:/path` or `unix:///path`; none when another host or nothing is named.
pub(super) fn unix_path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("unix:")?;
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return None,
        None => rest,
    };
    let is_good = !path.is_empty() && !path.ends_with('/') && !path.contains('\0');
    is_good.then_some(path)
}

/// A URL for logs: without user, password, query and fragment.
pub(super) fn without_secrets(template: &str) -> String {
    let end = template.find(['?', '#']).unwrap_or(template.len());
    let (plain, _) = template.split_at(end);
    let Some((scheme, rest)) = plain.split_once("://") else { return plain.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// What a URL leads over; checks it without repeating what was put into it.
pub(super) fn way_of(
    at: &At,
    url: &Secret,
    shown_url: &str,
    reading: &mut Reading<'_>,
) -> Option<Way> {
    let url = url.expose();
    let came = quoted(shown_url);
    if url.starts_with("unix:") {
        if unix_path(url).is_some() {
            return Some(Way::Unix);
        }
        let message = format!("{came} is not the path of a socket");
        reading.wrong(at, message, "write unix:/path/of/the.sock");
        return None;
    }
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let (message, help) = match scheme.as_deref() {
        Some(scheme @ ("http" | "https" | "ws" | "wss")) => {
            let parsed = url.parse::<Uri>().ok();
            let host = parsed.as_ref().and_then(Uri::host).is_some_and(|host| !host.is_empty());
            let port = parsed.as_ref().and_then(Uri::authority).map(Authority::as_str);
            let port = port.and_then(|authority| authority.rsplit_once(':'));
            if host && port.is_some_and(|(_, port)| is_too_high(port)) {
                let message = format!("{came} has a port that does not exist");
                reading.wrong(at, message, format!("a port is at most {}", u16::MAX));
                return None;
            }
            if host && !url.contains('#') {
                let is_web_socket = scheme.starts_with("ws");
                return Some(if is_web_socket { Way::WebSocket } else { Way::Http });
            }
            let help = format!("write {scheme}://host/path");
            (format!("{came} is not a URL of a server"), help)
        }
        Some("http+unix") => {
            let message = "HTTP over a Unix socket is not spoken to children".to_owned();
            let help = "for a child that reads and writes lines on a socket, write unix:/path";
            (message, help.to_owned())
        }
        Some(_) => {
            let message =
                format!("expected an http:, https:, ws:, wss: or unix: URL, found {came}");
            (message, "write https://host/path".to_owned())
        }
        None => {
            let message = format!("expected a URL such as \"https://host/mcp\", found {came}");
            (message, at.write(&quoted(&format!("https://{shown_url}"))))
        }
    };
    reading.wrong(at, message, help);
    None
}
