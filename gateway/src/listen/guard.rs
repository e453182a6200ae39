//! Which hosts and origins may talk to a listener: loopback names, and those that were allowed.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// Checks `Host` and `Origin`, so that a web page cannot reach a local gateway (checks 46, 47).
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Guard {
    /// A guard for the listener at `listen`, if that is an address, which also lets in `hosts` and
    /// `origins`. `*` among them lets in all.
    pub fn new(listen: Option<IpAddr>, hosts: &[String], origins: &[String]) -> Self {
        let lower = |list: &[String]| -> Vec<String> {
            list.iter().map(|text| text.trim_end_matches('/').to_ascii_lowercase()).collect()
        };
        let mut hosts = lower(hosts);
        hosts.extend(listen.map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }));
        Self { hosts, origins: lower(origins) }
    }

    /// Lets the request in.
    ///
    /// # Errors
    /// A text that names the header and what would be let in.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), String> {
        let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str());
        match text(HOST) {
            Some(Ok(host)) if self.host(host) => {}
            Some(_) => {
                return Err("Host: not a name of this gateway; add it to gateway.hosts".to_owned());
            }
            None => return Err("Host: missing".to_owned()),
        }
        match text(ORIGIN) {
            None => Ok(()),
            Some(Ok(origin)) if self.origin(origin) => Ok(()),
            Some(_) => {
                Err("Origin: not let in; add it to gateway.origins if it should be".to_owned())
            }
        }
    }

    fn host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        LOOPBACK.contains(&name)
            || self.hosts.iter().any(|known| known == "*" || known == &host || known == name)
    }

    /// Whether pages of this origin are let in.
    pub(super) fn origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let allowed = self.origins.iter().any(|known| known == "*" || *known == origin);
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        allowed || rest.is_some_and(|host| LOOPBACK.contains(&without_port(host)))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(host: &str, origin: Option<&str>) -> bool {
        let guard = Guard::new(
            Some("127.0.0.1".parse().unwrap()),
            &["gw.example".to_owned()],
            &["https://app.example/".to_owned()],
        );
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        guard.check(&headers).is_ok()
    }

    #[test]
    fn c046_loopback_and_allowed_names_are_let_in_and_no_others() {
        for host in ["localhost", "LOCALHOST:8808", "127.0.0.1:1", "[::1]:8808", "gw.example:443"] {
            assert!(lets_in(host, None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""] {
            assert!(!lets_in(host, None), "{host}");
        }
        for origin in ["http://localhost:3000", "https://127.0.0.1", "https://app.example"] {
            assert!(lets_in("localhost", Some(origin)), "{origin}");
        }
        for origin in ["null", "https://evil.example", "http://localhost.evil.example", "file://"] {
            assert!(!lets_in("localhost", Some(origin)), "{origin}");
        }
    }
}
