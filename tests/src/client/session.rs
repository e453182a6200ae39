//! A legacy session over HTTP.

use super::ask::{Ask, legacy};
use super::http::{Answer, Http};
use crate::start::soon;

/// A session that the handshake gave.
#[derive(Clone, Debug)]
pub struct Session {
    http: Http,
    version: String,
    /// `Mcp-Session-Id`.
    pub id: String,
    /// What `initialize` answered.
    pub greeting: String,
}

/// `initialize` with these client capabilities.
pub fn initialize(version: &str, capabilities: &str) -> Ask {
    let info = r#"{"name":"harness","version":"1"}"#;
    let params = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{info}}}"#
    );
    legacy("initialize", &params)
}

impl Session {
    /// The whole handshake.
    pub async fn open(http: Http, version: &str, capabilities: &str) -> Self {
        let mut answer = http.send(&initialize(version, capabilities)).await;
        let id = answer.header("mcp-session-id").expect("a session id").to_owned();
        let greeting = answer.message().await.expect("an answer to initialize");
        let session = Self { http, version: version.to_owned(), id, greeting };
        let initialized = legacy("notifications/initialized", "{}").without_id();
        let answer = http.send(&session.of(initialized)).await;
        assert_eq!(answer.status, 202, "notifications/initialized");
        session
    }

    /// The same session at another gateway, or at the same one started again.
    pub fn at(&self, http: Http) -> Self {
        Self { http, ..self.clone() }
    }

    /// The request with this session's headers.
    pub fn of(&self, ask: Ask) -> Ask {
        ask.header("mcp-session-id", &self.id).header("mcp-protocol-version", &self.version)
    }

    /// A request within this session.
    pub fn ask(&self, method: &str, params: &str) -> Ask {
        self.of(legacy(method, params))
    }

    /// Sends a request within this session.
    pub async fn send(&self, method: &str, params: &str) -> Answer {
        self.http.send(&self.ask(method, params)).await
    }

    /// Sends a request and shows the whole answer.
    pub async fn shown(&self, method: &str, params: &str) -> String {
        self.http.shown(&self.ask(method, params)).await
    }

    /// Sends a notification; the status.
    pub async fn tell(&self, method: &str, params: &str) -> u16 {
        self.http.send(&self.ask(method, params).without_id()).await.status
    }

    /// Opens the standing stream and waits until it is open.
    pub async fn stream(&self) -> Answer {
        let mut stream = self.http.send(&self.of(Ask::bare("GET"))).await;
        assert_eq!(stream.status, 200, "GET of a session");
        // The first thing on a stream is a comment: the gateway reads the session's queue now.
        soon("the first comment", stream.part()).await.expect("an open stream");
        stream
    }

    /// Ends the session; the status.
    pub async fn delete(&self) -> u16 {
        self.http.send(&self.of(Ask::bare("DELETE"))).await.status
    }
}
