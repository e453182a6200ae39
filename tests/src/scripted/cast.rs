//! A gateway with scripted children behind it, each on the wire that a test wants.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use gateway::Children;
use gateway::control::MountReport;
use protocol::InProcess;
use protocol::json::{self, Members};

use super::director::Director;
use super::http::HttpChild;
use super::in_process::InProcessChild;
use super::paired::PairedChild;
use super::process::ProcessChild;
use super::script::Script;
use super::socket::SocketChild;
use crate::client::{Answer, modern};
use crate::start::{Running, start, until};

/// Pages that a walk follows before it counts as endless.
const PAGES_MAX: usize = 100_000;

/// Children that are to be mounted.
#[derive(Default)]
pub struct Cast {
    text: String,
    children: Children,
    directors: BTreeMap<String, Director>,
    alive: Vec<Box<dyn Any + Send + Sync>>,
}

/// A gateway that runs with its children.
pub struct Play {
    /// The gateway.
    pub running: Running,
    directors: BTreeMap<String, Director>,
    _alive: Vec<Box<dyn Any + Send + Sync>>,
}

impl Cast {
    /// Nobody yet; `gateway` is the text before the mounts.
    pub fn new(gateway: &str) -> Self {
        Self { text: format!("{gateway}\n"), ..Self::default() }
    }

    /// With a mount of which only its keys are known.
    #[must_use]
    pub fn mount(mut self, name: &str, keys: &str) -> Self {
        self.text.push_str(&format!("[mounts.{name}]\n{keys}\n"));
        self
    }

    /// With a child that is compiled in; `keys` are further keys of its mount.
    #[must_use]
    pub fn in_process(mut self, name: &str, keys: &str, script: Script) -> Self {
        let (child, director) = InProcessChild::new(script);
        let child: Arc<dyn InProcess> = child;
        // A test's names are few and live as long as it does.
        let key: &'static str = String::leak(name.to_owned());
        self.children.insert(key, Arc::new(move || Arc::clone(&child)));
        self.directors.insert(name.to_owned(), director);
        self.mount(name, &format!("in_process = \"{name}\"\n{keys}"))
    }

    /// With a remote child.
    pub async fn http(mut self, name: &str, keys: &str, script: Script) -> Self {
        let (child, director) = HttpChild::new(script).await;
        self.directors.insert(name.to_owned(), director);
        let keys = format!("{}{keys}", child.mount());
        self.alive.push(Box::new(child));
        self.mount(name, &keys)
    }

    /// With a mount of several remote children; they are directed as `name/0`, `name/1`, ….
    pub async fn replicas(mut self, name: &str, keys: &str, scripts: Vec<Script>) -> Self {
        let mut urls = Vec::new();
        for (place, script) in scripts.into_iter().enumerate() {
            let (child, director) = HttpChild::new(script).await;
            self.directors.insert(format!("{name}/{place}"), director);
            urls.push(child.url());
            self.alive.push(Box::new(child));
        }
        self.mount(name, &format!("replicas = {urls:?}\n{keys}"))
    }

    /// With a child over WebSocket.
    pub async fn web_socket(mut self, name: &str, keys: &str, script: Script) -> Self {
        let (child, director) = SocketChild::web(script).await;
        self.directors.insert(name.to_owned(), director);
        let keys = format!("{}{keys}", child.mount());
        self.alive.push(Box::new(child));
        self.mount(name, &keys)
    }

    /// With a child over HTTP+SSE.
    pub async fn paired(mut self, name: &str, keys: &str, script: Script) -> Self {
        let (child, director) = PairedChild::new(script).await;
        self.directors.insert(name.to_owned(), director);
        let keys = format!("{}{keys}", child.mount());
        self.alive.push(Box::new(child));
        self.mount(name, &keys)
    }

    /// With a child behind a Unix socket.
    pub async fn unix_socket(mut self, name: &str, keys: &str, script: Script) -> Self {
        let (child, director) = SocketChild::unix(script).await;
        self.directors.insert(name.to_owned(), director);
        let keys = format!("{}{keys}", child.mount());
        self.alive.push(Box::new(child));
        self.mount(name, &keys)
    }

    /// With a child process; `program` is the program that plays it.
    pub async fn process(mut self, name: &str, keys: &str, program: &str, script: Script) -> Self {
        let (child, director) = ProcessChild::new(script).await;
        self.directors.insert(name.to_owned(), director);
        let keys = format!("{}{keys}", child.mount(program));
        self.alive.push(Box::new(child));
        self.mount(name, &keys)
    }

    /// The file of mounts so far, for a gateway elsewhere; the children live as long as this does.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who directs the child that is to be mounted under this name.
    pub fn director(&self, mount: &str) -> Director {
        self.directors.get(mount).unwrap_or_else(|| panic!("no scripted child at {mount}")).clone()
    }

    /// Starts the gateway; comes back once every mount was reached or given up.
    pub async fn start(self) -> Play {
        let running = start(String::leak(self.text), &[], &self.children).await;
        Play { running, directors: self.directors, _alive: self.alive }
    }
}

impl Play {
    /// Who directs the child of this mount.
    pub fn director(&self, mount: &str) -> &Director {
        self.directors.get(mount).unwrap_or_else(|| panic!("no scripted child is at {mount}"))
    }

    /// Comes back once the mount `name` is in this health state.
    pub async fn until_state(&self, name: &str, state: &str) {
        let what = format!("{name} to be {state}");
        until(&what, async || self.report(name).state == state).await;
    }

    /// How the mount `name` is.
    pub fn report(&self, name: &str) -> MountReport {
        let mut reports = self.running.gateway().mounts().into_iter();
        reports.find(|report| report.name == name).unwrap_or_else(|| panic!("no mount {name}"))
    }

    /// Sends a modern request; the answer with its head there.
    pub async fn send(&self, path: &str, method: &str, params: &str) -> Answer {
        self.running.http().send(&modern(method, params).at(path)).await
    }

    /// Sends a modern request to the merged endpoint; the last message of the answer.
    pub async fn ask(&self, method: &str, params: &str) -> String {
        self.ask_at("/mcp", method, params).await
    }

    /// Sends a modern request; the last message of the answer.
    pub async fn ask_at(&self, path: &str, method: &str, params: &str) -> String {
        let mut answer = self.send(path, method, params).await;
        let mut last = String::new();
        while let Some(message) = answer.message().await {
            last = message;
        }
        // Who the gateway says it is stands masked, which is no JSON.
        last.replace("{gateway}", "{}")
    }

    /// Calls a tool without arguments.
    pub async fn call(&self, tool: &str) -> String {
        self.ask("tools/call", &format!(r#"{{"name":{}}}"#, json::quoted(tool))).await
    }

    /// Reads a resource.
    pub async fn read(&self, uri: &str) -> String {
        self.ask("resources/read", &format!(r#"{{"uri":{}}}"#, json::quoted(uri))).await
    }

    /// All pages of a list, as the texts of the results.
    pub async fn pages(&self, path: &str, method: &str) -> Vec<String> {
        let mut pages = Vec::new();
        let mut params = "{}".to_owned();
        while pages.len() < PAGES_MAX {
            let answer = self.ask_at(path, method, &params).await;
            let result = member(&answer, "result")
                .unwrap_or_else(|| panic!("{method} {params}: no result in {answer}"));
            let next = member(&result, "nextCursor");
            pages.push(result);
            let Some(next) = next else { return pages };
            params = format!(r#"{{"cursor":{next}}}"#);
        }
        panic!("{method} has more than {PAGES_MAX} pages");
    }

    /// All entries of a list, each as its text.
    pub async fn list(&self, path: &str, method: &str) -> Vec<String> {
        let key = match method {
            "tools/list" => "tools",
            "prompts/list" => "prompts",
            "resources/list" => "resources",
            _ => "resourceTemplates",
        };
        let pages = self.pages(path, method).await;
        let lists = pages.iter().filter_map(|page| member(page, key));
        lists.flat_map(|list| elements(&list)).collect()
    }

    /// The names of all tools at the merged endpoint.
    pub async fn tools(&self) -> Vec<String> {
        let tools = self.list("/mcp", "tools/list").await;
        tools.iter().filter_map(|tool| string(tool, "name")).collect()
    }

    /// Opens a listen with this filter; its acknowledgement is taken.
    pub async fn listen(&self, filter: &str) -> Answer {
        let params = format!(r#"{{"notifications":{filter}}}"#);
        let mut stream = self.send("/mcp", "subscriptions/listen", &params).await;
        let first = stream.message().await.unwrap_or_default();
        assert!(first.contains("notifications/subscriptions/acknowledged"), "first came {first}");
        stream
    }
}

/// A member of an object, as the text that stands there.
pub fn member(object: &str, key: &str) -> Option<String> {
    Members::read(object).ok()?.get(key).map(str::to_owned)
}

/// A string member of an object.
pub fn string(object: &str, key: &str) -> Option<String> {
    let members = Members::read(object).ok()?;
    members.get_string(key).map(std::borrow::Cow::into_owned)
}

/// The elements of an array, each as its text.
pub fn elements(array: &str) -> Vec<String> {
    json::elements(array).unwrap_or_default().into_iter().map(str::to_owned).collect()
}

/// What is at the end of these keys within an object.
pub fn at(object: &str, path: &[&str]) -> Option<String> {
    path.iter().try_fold(object.to_owned(), |object, key| member(&object, key))
}
