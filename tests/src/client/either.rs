//! One client for both eras and both transports, so that one list of requests runs on all four.

use expect_test::Expect;

use super::ask::{legacy, modern};
use super::http::Http;
use super::session::Session;
use super::shown::essence;
use super::stdio::Stdio;
use crate::start::Running;

/// The newest legacy version.
const LEGACY: &str = "2025-11-25";

/// A client of one of the four kinds.
pub enum Either {
    /// Modern, HTTP.
    ModernHttp(Http),
    /// Legacy, HTTP, within a session.
    LegacyHttp(Session),
    /// Modern, two-way channel.
    ModernStdio(Stdio),
    /// Legacy, two-way channel, after its handshake.
    LegacyStdio(Stdio),
}

impl Either {
    /// One of each.
    pub async fn all(gateway: &Running) -> [Self; 4] {
        let mut legacy = gateway.stdio();
        legacy.handshake(LEGACY).await;
        [
            Self::ModernHttp(gateway.http()),
            Self::LegacyHttp(gateway.http().session(LEGACY).await),
            Self::ModernStdio(gateway.stdio()),
            Self::LegacyStdio(legacy),
        ]
    }

    /// What kind it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ModernHttp(_) => "modern over HTTP",
            Self::LegacyHttp(_) => "legacy over HTTP",
            Self::ModernStdio(_) => "modern over stdio",
            Self::LegacyStdio(_) => "legacy over stdio",
        }
    }

    /// Sends one request; every message that belongs to it, the answer last.
    pub async fn messages(&mut self, method: &str, params: &str) -> Vec<String> {
        let mut messages = Vec::new();
        let mut answer = match self {
            Self::ModernHttp(http) => http.send(&modern(method, params)).await,
            Self::LegacyHttp(session) => session.send(method, params).await,
            Self::ModernStdio(stdio) => return lines(stdio, modern(method, params).bytes()).await,
            Self::LegacyStdio(stdio) => return lines(stdio, legacy(method, params).bytes()).await,
        };
        while let Some(message) = answer.message().await {
            messages.push(message);
        }
        messages
    }

    /// Sends one request; the answer without what only one era has.
    pub async fn essence(&mut self, method: &str, params: &str) -> String {
        self.messages(method, params).await.last().map_or_else(String::new, |last| essence(last))
    }
}

async fn lines(stdio: &mut Stdio, message: bytes::Bytes) -> Vec<String> {
    stdio.line(message).await;
    let mut messages = Vec::new();
    while let Some(line) = stdio.next().await {
        let last = line.contains("\"id\":1");
        messages.push(line);
        if last {
            break;
        }
    }
    messages
}

/// Asks the same of a client of each kind, who must all get the same.
pub async fn check_all(gateway: &Running, method: &str, params: &str, expected: Expect) {
    let mut before: Option<(&str, String)> = None;
    for mut client in Either::all(gateway).await {
        let now = client.essence(method, params).await;
        if let Some((kind, before)) = &before {
            assert_eq!(before, &now, "{kind} first, {} second: {method} {params}", client.kind());
        }
        before = Some((client.kind(), now));
    }
    expected.assert_eq(&before.map(|(_, shown)| shown).unwrap_or_default());
}
