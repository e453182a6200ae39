//! A child in this process that says back what it was asked, waits, fails, and counts.

mod lists;
mod tools;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::json::{Members, ObjectWriter};
use protocol::{ChildRequest, ErrorObject, InProcess, Raw, Sending, error};
use tokio::sync::{broadcast, watch};

use crate::start::soon;

/// Events that a slow listen may be behind.
const EVENTS_QUEUED_MAX: usize = 64;

/// What the child was asked so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls begun, by method, and for tools by `tools/call <name>`.
    pub begun: BTreeMap<String, usize>,
    /// Calls whose answer was no longer wanted, by the same names.
    pub cancelled: BTreeMap<String, usize>,
    /// Calls answered, by the same names.
    pub answered: BTreeMap<String, usize>,
    /// The URIs of the subscriptions that are open.
    pub subscribed: Vec<String>,
}

/// What a listen hears.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    method: &'static str,
    params: Raw,
}

/// The child.
pub struct Echo {
    seen: watch::Sender<Seen>,
    events: broadcast::Sender<Event>,
    more: Mutex<Vec<String>>,
    capabilities: &'static str,
}

/// All that the child can.
const ALL: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}}"#;

impl Echo {
    /// A child that can everything.
    pub fn new() -> Arc<Self> {
        Self::with_capabilities(ALL)
    }

    /// A child that declares these capabilities, an object.
    pub fn with_capabilities(capabilities: &'static str) -> Arc<Self> {
        Arc::new(Self {
            seen: watch::Sender::new(Seen::default()),
            events: broadcast::channel(EVENTS_QUEUED_MAX).0,
            more: Mutex::default(),
            capabilities,
        })
    }

    /// Waits until what the child was asked is such.
    pub async fn until(&self, what: &str, such: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        soon(what, seen.wait_for(such)).await.expect("the child is there");
    }

    /// Waits until so many calls of this name have begun.
    pub async fn begun(&self, name: &str, times: usize) {
        self.until(name, |seen| seen.begun.get(name) == Some(&times)).await;
    }

    /// Waits until so many calls of this name were cancelled.
    pub async fn cancelled(&self, name: &str, times: usize) {
        self.until(name, |seen| seen.cancelled.get(name) == Some(&times)).await;
    }

    /// Waits until so many calls of this name were answered.
    pub async fn answered(&self, name: &str, times: usize) {
        self.until(name, |seen| seen.answered.get(name) == Some(&times)).await;
    }

    /// What the child was asked so far.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// How many calls of this name have begun.
    pub fn count(&self, name: &str) -> usize {
        self.seen.borrow().begun.get(name).copied().unwrap_or_default()
    }

    /// Ends `tools/call wait` with an answer, all that are under way.
    pub fn release(&self) {
        self.tell("release", Raw::default());
    }

    /// Has one more tool, and says so to who listens.
    pub fn add_tool(&self, name: &str) {
        self.more.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        self.tell("notifications/tools/list_changed", Raw::default());
    }

    /// Says to who listens that its tools changed, which is not so.
    pub fn cry_wolf(&self) {
        self.tell("notifications/tools/list_changed", Raw::default());
    }

    /// Says to those subscribed to `of` that `uri` was updated.
    pub fn update(&self, of: &str, uri: &str) {
        let of = protocol::json::quoted(of);
        let params = ObjectWriter::new().string("uri", uri).raw("of", &of).finish();
        self.tell("notifications/resources/updated", params);
    }

    /// Sends a notification with these params on every listen, asked for or not.
    pub fn tell(&self, method: &'static str, params: Raw) {
        // Nobody listens: then nobody hears it.
        let _nobody = self.events.send(Event { method, params });
    }
}

impl InProcess for Echo {
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>> {
        // The trait gives no `Arc`, and the answer outlives the borrow: its parts are shared.
        let shared = Shared {
            seen: self.seen.clone(),
            events: self.events.clone(),
            more: self.more.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            capabilities: self.capabilities,
        };
        Box::pin(shared.answer(request))
    }
}

/// What answering takes of the child.
pub(crate) struct Shared {
    seen: watch::Sender<Seen>,
    events: broadcast::Sender<Event>,
    more: Vec<String>,
    capabilities: &'static str,
}

/// Counts a call as cancelled unless it was answered.
struct Under {
    seen: watch::Sender<Seen>,
    name: String,
    uris: Vec<String>,
    answered: bool,
}

impl Drop for Under {
    fn drop(&mut self) {
        self.seen.send_modify(|seen| {
            let ends = if self.answered { &mut seen.answered } else { &mut seen.cancelled };
            *ends.entry(self.name.clone()).or_default() += 1;
            for uri in &self.uris {
                if let Some(at) = seen.subscribed.iter().position(|known| known == uri) {
                    seen.subscribed.remove(at);
                }
            }
        });
    }
}

impl Shared {
    async fn answer(self, request: ChildRequest) -> Result<Raw, ErrorObject> {
        let name = name_of(&request);
        self.seen.send_modify(|seen| *seen.begun.entry(name.clone()).or_default() += 1);
        let uris = Vec::new();
        let mut under = Under { seen: self.seen.clone(), name, uris, answered: false };
        let outcome = match request.method.as_str() {
            "server/discover" => Ok(lists::discover(self.capabilities)),
            "tools/list" => Ok(lists::tools(&self.more)),
            "prompts/list" => Ok(lists::prompts()),
            "resources/list" => Ok(lists::resources()),
            "resources/templates/list" => Ok(lists::templates()),
            "resources/read" => lists::read(&request.params),
            "prompts/get" => lists::prompt(&request.params),
            "completion/complete" => lists::complete(&request.params),
            "tools/call" => tools::call(&request, &self.events, &self.more).await,
            "subscriptions/listen" => self.listen(&request, &mut under).await,
            other => Err(ErrorObject::new(error::METHOD_NOT_FOUND, format!("no {other} here"))),
        };
        under.answered = true;
        outcome
    }

    /// Says yes to all but URIs that have `deaf` in them, then passes events on for ever.
    async fn listen(&self, request: &ChildRequest, under: &mut Under) -> Result<Raw, ErrorObject> {
        let mut events = self.events.subscribe();
        let wanted = Members::read(&request.params).ok();
        let wanted = wanted.as_ref().and_then(|params| params.get("notifications"));
        let wanted = wanted.unwrap_or("{}").to_owned();
        let members = Members::read(&wanted).map_err(bad)?;
        let mut honoured = ObjectWriter::new();
        for (key, value) in members.iter() {
            if key == "resourceSubscriptions" {
                let uris: Vec<String> = serde_json::from_str(value)
                    .map_err(|fault| bad(protocol::NotJson(fault.to_string())))?;
                under.uris = uris.into_iter().filter(|uri| !uri.contains("deaf")).collect();
                honoured = honoured.raw(key, &Raw::of(&under.uris));
            } else {
                honoured = honoured.raw(key, value);
            }
        }
        let acknowledged = ObjectWriter::new().raw("notifications", &honoured.finish()).finish();
        request.back.notify("notifications/subscriptions/acknowledged", acknowledged).await;
        let uris = under.uris.clone();
        under.seen.send_modify(|seen| seen.subscribed.extend(uris));
        loop {
            let Ok(event) = events.recv().await else { continue };
            if event.method == "release" || !self.heard(&event, &under.uris) {
                continue;
            }
            request.back.notify(event.method, without_of(&event.params)).await;
        }
    }

    /// An update is heard by those subscribed to what it is of.
    fn heard(&self, event: &Event, uris: &[String]) -> bool {
        let Ok(params) = Members::read(&event.params) else { return false };
        params.get_string("of").is_none_or(|of| uris.iter().any(|uri| *uri == of))
    }
}

fn without_of(params: &Raw) -> Raw {
    let Ok(members) = Members::read(params) else { return params.clone() };
    let mut edit = protocol::json::ObjectEdit::new(&members);
    edit.remove("of");
    edit.finish_raw()
}

fn name_of(request: &ChildRequest) -> String {
    let tool = Members::read(&request.params).ok();
    let tool = tool.as_ref().filter(|_| request.method == "tools/call");
    match tool.and_then(|params| params.get_string("name")) {
        Some(tool) => format!("tools/call {tool}"),
        None => request.method.clone(),
    }
}

fn bad(fault: protocol::NotJson) -> ErrorObject {
    ErrorObject::new(error::INVALID_PARAMS, fault.0)
}
