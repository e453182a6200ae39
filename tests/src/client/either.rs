//! One client for both eras and all transports, so that one list of requests runs on each.

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

    /// One of each on every transport: WebSocket and HTTP+SSE are two-way channels, too.
    pub async fn everywhere(gateway: &Running) -> Vec<Self> {
        let mut all: Vec<Self> = Self::all(gateway).await.into();
        let mut socket = Stdio::web_socket(gateway.http()).await;
        socket.handshake(LEGACY).await;
        let mut sse = Stdio::sse(gateway.http()).await;
        sse.handshake("2024-11-05").await;
        all.push(Self::ModernStdio(Stdio::web_socket(gateway.http()).await));
        all.extend([Self::LegacyStdio(socket), Self::LegacyStdio(sse)]);
        all
    }

    /// What kind it is.
    pub fn kind(&self) -> String {
        match self {
            Self::ModernHttp(_) => "modern over HTTP".to_owned(),
            Self::LegacyHttp(_) => "legacy over HTTP".to_owned(),
            Self::ModernStdio(channel) => format!("modern over {}", channel.way),
            Self::LegacyStdio(channel) => format!("legacy over {}", channel.way),
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
    let mut before: Option<(String, String)> = None;
    for mut client in Either::everywhere(gateway).await {
        let now = client.essence(method, params).await;
        if let Some((kind, before)) = &before {
            assert_eq!(before, &now, "{kind} first, {} second: {method} {params}", client.kind());
        }
        before = Some((client.kind(), now));
    }
    expected.assert_eq(&before.map(|(_, shown)| shown).unwrap_or_default());
}
