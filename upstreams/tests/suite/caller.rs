//! Calls a child as the gateway does, and hears what comes back.

use std::path::Path;
use std::sync::Arc;

use protocol::{ChildRequest, ErrorObject, InProcess, Notify, Options, Raw, Sending};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Notifications that one request may have in these tests.
const HEARD_MAX: usize = 1024;

/// A child, or the part of one that the gateway would mount.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Arc<dyn InProcess>);

/// A notification as it came.
pub(crate) type Heard = (String, Value);

/// A receiver of notifications; it takes as many as its queue holds and then makes wait.
pub(crate) struct Ear(mpsc::Sender<Heard>);

impl Notify for Ear {
    fn notify<'a>(&'a self, method: &'a str, params: Raw) -> Sending<'a, ()> {
        let params = serde_json::from_str(&params).unwrap();
        Box::pin(async move { drop(self.0.send((method.to_owned(), params)).await) })
    }
}

impl Ear {
    pub(crate) fn open(capacity: usize) -> (Arc<dyn Notify>, mpsc::Receiver<Heard>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Arc::new(Self(sender)), receiver)
    }
}

/// What every request of 2026-07-28 carries.
pub(crate) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// `params` with [`meta`] under what it has of its own.
pub(crate) fn with_meta(mut params: Value) -> Raw {
    let mut whole = meta();
    if let Some(own) = params["_meta"].as_object() {
        whole.as_object_mut().unwrap().extend(own.clone());
    }
    params["_meta"] = whole;
    Raw::of(&params)
}

impl Caller {
    pub(crate) fn builtin(name: &str) -> Self {
        let builtins = upstreams::builtins();
        let (_, make) = builtins.into_iter().find(|(known, _)| *known == name).unwrap();
        Self(make.make(&Options::default()).unwrap())
    }

    /// A child with options, whose relative paths are seen from `folder`.
    pub(crate) fn with(name: &str, options: Value, folder: &Path) -> Self {
        let builtins = upstreams::builtins();
        let (_, make) = builtins.into_iter().find(|(known, _)| *known == name).unwrap();
        let options = Options { values: Raw::of(&options), folder: folder.to_owned() };
        Self(make.make(&options).unwrap_or_else(|wrong| panic!("{wrong:?}")))
    }

    /// Sends params as they are.
    pub(crate) async fn raw(&self, method: &str, params: &str) -> Result<Value, ErrorObject> {
        let (ear, _heard) = Ear::open(HEARD_MAX);
        let params = Raw::parse(params.to_owned().into()).unwrap();
        value(self.0.request(ChildRequest::new(method, params, ear)).await)
    }

    /// Sends a request, its metadata added.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value, ErrorObject> {
        self.raw(method, &with_meta(params)).await
    }

    /// Sends a request and keeps what was heard until it was answered.
    pub(crate) async fn hear(
        &self,
        method: &str,
        params: Value,
    ) -> (Result<Value, ErrorObject>, Vec<Heard>) {
        let (ear, mut heard) = Ear::open(HEARD_MAX);
        let answer = self.0.request(ChildRequest::new(method, with_meta(params), ear)).await;
        let mut all = Vec::new();
        while let Ok(notification) = heard.try_recv() {
            all.push(notification);
        }
        (value(answer), all)
    }

    /// Starts a request and leaves it running.
    pub(crate) fn start(&self, method: &str, params: Value) -> Running {
        let (ear, heard) = Ear::open(HEARD_MAX);
        let request = self.0.request(ChildRequest::new(method, with_meta(params), ear));
        Running { task: tokio::spawn(async move { value(request.await) }), heard }
    }

    /// Calls a tool; an error of the protocol fails the test.
    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Value {
        let params = json!({ "name": name, "arguments": arguments });
        self.ask("tools/call", params).await.unwrap()
    }

    /// Calls a tool that works: its structured content, and the text says the same.
    pub(crate) async fn works(&self, name: &str, arguments: Value) -> Value {
        let result = self.tool(name, arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        let text: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        text
    }

    /// Calls a tool that fails in band: what it says.
    pub(crate) async fn fails(&self, name: &str, arguments: Value) -> String {
        let result = self.tool(name, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

/// A request that is not answered yet.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<Result<Value, ErrorObject>>,
    pub(crate) heard: mpsc::Receiver<Heard>,
}

impl Running {
    /// The next notification.
    pub(crate) async fn next(&mut self) -> Heard {
        self.heard.recv().await.expect("the request ended without another notification")
    }

    /// Ends the request as a caller does that goes away.
    pub(crate) async fn drop_it(self) {
        self.task.abort();
        self.task.await.ok();
    }
}

fn value(answer: Result<Raw, ErrorObject>) -> Result<Value, ErrorObject> {
    answer.map(|raw| serde_json::from_str(&raw).unwrap())
}

/// Columns of what is compared with an expectation, so that it fits into a source file.
const COLUMNS: usize = 80;

/// Text with its lines wrapped.
pub(crate) fn wrapped(text: &str) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some((end, _)) = rest.char_indices().nth(COLUMNS) {
            let blank = rest[..end].rfind(' ').filter(|at| *at > COLUMNS / 2);
            let end = blank.map_or(end, |at| at + 1);
            wrapped += &format!("{}\\\n", &rest[..end]);
            rest = &rest[end..];
        }
        wrapped += &format!("{rest}\n");
    }
    wrapped
}

/// JSON for people.
pub(crate) fn pretty(value: &Value) -> String {
    wrapped(&serde_json::to_string_pretty(value).unwrap())
}

/// An error: its code, message and data on a line each.
pub(crate) fn error(answer: Result<Value, ErrorObject>) -> String {
    let error = answer.expect_err("expected an error");
    let data = error.data.map(|data| format!("\n{data:?}")).unwrap_or_default();
    wrapped(&format!("{} {}{data}", error.code, error.message))
}

/// A note of what was heard, one line each.
pub(crate) fn lines(heard: &[Heard]) -> String {
    heard.iter().map(|(method, params)| format!("{method} {params}\n")).collect()
}
