//! What a scripted child offers and does, as data that can be sent to another process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The era that a child speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speaks {
    /// Handshake and sessions.
    Legacy,
    /// Each request for itself.
    #[default]
    Modern,
}

/// Everything about one child. Texts that are JSON are sent as they stand, byte for byte.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Script {
    /// The era.
    pub speaks: Speaks,
    /// What it offers.
    pub catalog: Catalog,
    /// What it does for a request instead of the usual: by `method` or `method name`, one list of
    /// steps for each request in turn, the last one for all that follow.
    pub on: BTreeMap<String, Vec<Vec<Step>>>,
    /// `instructions` of its introduction.
    pub instructions: Option<String>,
    /// Its `capabilities` as a JSON text instead of the usual ones.
    pub capabilities: Option<String>,
    /// Its manners over HTTP.
    pub http: Http,
    /// It takes no notice of cancellations: it goes on, asks late and answers late.
    pub heedless: bool,
    /// Each time that it carries something out, a line is added to this file, which outlives it:
    /// what it was, and the arguments of the call.
    pub ledger: Option<PathBuf>,
}

/// What a child offers: each entry a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Tools.
    pub tools: Vec<String>,
    /// Prompts.
    pub prompts: Vec<String>,
    /// Resources.
    pub resources: Vec<String>,
    /// Resource templates.
    pub templates: Vec<String>,
    /// Entries on a page; 0 for all on one.
    pub page_entries: usize,
    /// How it counts its pages.
    pub paging: Paging,
    /// `ttlMs` and `cacheScope` as JSON texts; absent without.
    pub ttl_ms: Option<String>,
    /// `cacheScope`; absent without.
    pub cache_scope: Option<String>,
}

/// How a child counts its pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Paging {
    /// Cursors that advance and end.
    #[default]
    Right,
    /// The second page has the empty string for a cursor.
    EmptyCursor,
    /// Pages without end.
    Endless,
    /// The same cursor again and again.
    SameCursor,
    /// The first cursor is refused once.
    ForgetsOnce,
}

/// Manners over HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Http {
    /// Answers come as event streams, also where nothing comes before them.
    pub events: bool,
    /// A legacy child gives out sessions and wants them back.
    pub session: bool,
    /// A legacy child has a standing stream; 405 otherwise.
    pub standing: bool,
    /// A modern child holds requests to the headers that must agree with them.
    pub strict: bool,
    /// What a legacy child does about the answers that are posted to it, in turn, the last one for
    /// all that follow; it takes them where nothing stands.
    pub answers: Vec<Receipt>,
}

/// What a legacy child over HTTP does about a post with an answer to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// Takes it.
    #[default]
    Takes,
    /// Answers with this status, and has not seen it.
    Refuses(u16),
    /// Closes the connection, and has not seen it.
    Closes,
    /// Takes it and closes the connection.
    TakesAndCloses,
}

/// One thing a child does for a request. When no step has answered, the usual answer follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Waits until the gate of this name is opened.
    Wait(String),
    /// Answers with this result, a JSON object.
    Answer(String),
    /// Answers with the usual result.
    Usual,
    /// Answers with this error: code, message, `data` as a JSON text.
    Error(i64, String, Option<String>),
    /// Answers with a text of so many bytes.
    Huge(usize),
    /// Sends this result under another id, a JSON text.
    AnswerAs(String, String),
    /// Sends the usual answer in pieces of so many bytes.
    Drip(usize),
    /// Sends progress of this call, with its token.
    Progress(u32),
    /// Sends a notification: method and params.
    Notify(String, String),
    /// Tells this by itself: method and params.
    Tell(String, String),
    /// Asks all of these at once, method and params, and waits for the answers. In params,
    /// `"$arguments"` stands for the call's arguments as a text. A legacy child asks by requests, a
    /// modern one by a result, with a state that holds what was answered before.
    Ask(Vec<(String, String)>),
    /// A legacy child asks this on its standing stream, and waits for the answer.
    AskAside(String, String),
    /// A legacy child asks this and does not wait.
    Pose(String, String),
    /// Fails, as tools do, unless the last answer was a result that accepts.
    OrFail,
    /// Takes back what it asked last.
    Withdraw,
    /// Does something that cannot be undone, of this name.
    Act(String),
    /// What is told has what the client declared that it can be asked, not the call's arguments.
    Declared,
    /// Makes do without asking, as [`Step::Told`], unless the client declared this.
    Unless(String),
    /// Answers with a text of the call's arguments and all answers that came, in order.
    Told,
    /// Writes this where a message should stand.
    Garbage(String),
    /// Writes half of the usual answer and closes the connection.
    Break,
    /// Writes half of the usual answer and no more.
    Half,
    /// Never answers.
    Hang,
    /// Ends: the process with this code; elsewhere the connection, or by a panic.
    Exit(i32),
    /// Over HTTP: this status with this body, and no answer. Nothing is done.
    Status(u16, String),
    /// Over HTTP: an error (as [`Step::Error`]) under this status. Nothing is done.
    Refuse(u16, i64, String, Option<String>),
}

impl Script {
    /// A child of the modern era that offers nothing.
    pub fn modern() -> Self {
        Self::default()
    }

    /// A child of the legacy era that offers nothing.
    pub fn legacy() -> Self {
        Self { speaks: Speaks::Legacy, ..Self::default() }
    }

    /// With a tool of this name and the schema of any object.
    #[must_use]
    pub fn tool(self, name: &str) -> Self {
        let quoted = protocol::json::quoted(name);
        self.tool_as(format!(r#"{{"name":{quoted},"inputSchema":{{"type":"object"}}}}"#))
    }

    /// With this tool, a JSON text.
    #[must_use]
    pub fn tool_as(mut self, tool: impl Into<String>) -> Self {
        self.catalog.tools.push(tool.into());
        self
    }

    /// With this prompt.
    #[must_use]
    pub fn prompt(mut self, name: &str) -> Self {
        self.catalog.prompts.push(format!(r#"{{"name":{}}}"#, protocol::json::quoted(name)));
        self
    }

    /// With this resource.
    #[must_use]
    pub fn resource(mut self, uri: &str) -> Self {
        let uri = protocol::json::quoted(uri);
        self.catalog.resources.push(format!(r#"{{"uri":{uri},"name":"a resource"}}"#));
        self
    }

    /// With this template.
    #[must_use]
    pub fn template(mut self, template: &str) -> Self {
        let uri = protocol::json::quoted(template);
        self.catalog.templates.push(format!(r#"{{"uriTemplate":{uri},"name":"a template"}}"#));
        self
    }

    /// With these steps for each request of this kind: `method` or `method name`.
    #[must_use]
    pub fn on(self, kind: &str, steps: &[Step]) -> Self {
        self.on_each(kind, &[steps])
    }

    /// With one list of steps for each request of this kind in turn; the last one stays.
    #[must_use]
    pub fn on_each(mut self, kind: &str, turns: &[&[Step]]) -> Self {
        let turns = turns.iter().map(|steps| steps.to_vec()).collect();
        self.on.insert(kind.to_owned(), turns);
        self
    }

    /// With these manners over HTTP.
    #[must_use]
    pub fn over_http(mut self, http: Http) -> Self {
        self.http = http;
        self
    }
}
