//! A client of either era that can be asked, and answers as a test says.

mod leaving;

use bytes::Bytes;
use protocol::envelope;
use protocol::json::{self, Members, ObjectWriter};
use protocol::{ErrorObject, Grant, Raw, meta};

use super::ask::{Ask, legacy, modern, posted};
use super::http::{Answer, Http};
use super::session::Session;
use super::stdio::Stdio;
use crate::start::Running;

/// Everything that a client may be asked.
pub const ALL_ABILITIES: &str =
    r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#;

/// A client that can be asked.
pub struct Able {
    way: Way,
    capabilities: String,
    next_id: u64,
    /// Turns of the scheduler that it lets pass before each answer.
    pub yields: usize,
}

enum Way {
    ModernHttp(Http),
    LegacyHttp(Session, Http),
    ModernStdio(Stdio),
    LegacyStdio(Stdio),
}

/// All that belonged to one call.
#[derive(Debug, Default)]
pub struct Talked {
    /// What the client was asked, method and params, in order.
    pub asked: Vec<(String, String)>,
    /// The messages before the answer that ask nothing.
    pub told: Vec<String>,
    /// The last answer; empty when there was none.
    pub answer: String,
    /// How often the call was sent.
    pub rounds: usize,
}

impl Talked {
    /// The text of the first content of the answer; the whole answer when it has none.
    pub fn text(&self) -> String {
        let result = part(&self.answer, "result");
        let content = result.as_deref().and_then(|result| part(result, "content"));
        let first = content.as_deref().and_then(json::elements).and_then(|all| {
            let first = Members::read(all.first()?).ok()?;
            first.get_string("text").map(std::borrow::Cow::into_owned)
        });
        first.unwrap_or_else(|| self.answer.clone())
    }
}

/// A member of an object, as the text that stands there.
fn part(object: &str, key: &str) -> Option<String> {
    Members::read(object).ok()?.get(key).map(str::to_owned)
}

impl Able {
    /// A modern client over HTTP.
    pub fn modern_http(gateway: &Running, capabilities: &str) -> Self {
        Self::modern_at(gateway.http(), capabilities)
    }

    /// A modern client of an endpoint.
    pub fn modern_at(http: Http, capabilities: &str) -> Self {
        Self::new(Way::ModernHttp(http), capabilities)
    }

    /// A modern client on a two-way channel.
    pub fn modern_stdio(gateway: &Running, capabilities: &str) -> Self {
        Self::new(Way::ModernStdio(gateway.stdio()), capabilities)
    }

    /// A legacy client over HTTP, in a session of `version`.
    pub async fn legacy_http(gateway: &Running, version: &str, capabilities: &str) -> Self {
        Self::legacy_at(gateway.http(), version, capabilities).await
    }

    /// A legacy client of an endpoint, in a session of `version`.
    pub async fn legacy_at(http: Http, version: &str, capabilities: &str) -> Self {
        let session = Session::open(http, version, capabilities).await;
        Self::new(Way::LegacyHttp(session, http), capabilities)
    }

    /// The same client, with the session that it has, at a gateway that was started again.
    #[must_use]
    pub fn at(self, http: Http) -> Self {
        let way = match self.way {
            Way::ModernHttp(_) => Way::ModernHttp(http),
            Way::LegacyHttp(session, _) => Way::LegacyHttp(session.at(http), http),
            way => way,
        };
        Self { way, ..self }
    }

    /// A legacy client on a two-way channel, after its handshake.
    pub async fn legacy_stdio(gateway: &Running, version: &str, capabilities: &str) -> Self {
        let mut stdio = gateway.stdio();
        stdio.handshake_as(version, capabilities).await;
        Self::new(Way::LegacyStdio(stdio), capabilities)
    }

    /// A client on a two-way channel whom the gateway's embedder knows by this name: modern, or
    /// legacy after its handshake.
    pub async fn known(gateway: &Running, name: &str, modern: bool, capabilities: &str) -> Self {
        let mut stdio = Stdio::known(gateway.gateway(), name, Grant::default());
        if modern {
            return Self::new(Way::ModernStdio(stdio), capabilities);
        }
        stdio.handshake_as("2025-11-25", capabilities).await;
        Self::new(Way::LegacyStdio(stdio), capabilities)
    }

    fn new(way: Way, capabilities: &str) -> Self {
        Self { way, capabilities: capabilities.to_owned(), next_id: 0, yields: 0 }
    }

    /// One of each kind.
    pub async fn all(gateway: &Running, capabilities: &str) -> [Self; 4] {
        [
            Self::modern_http(gateway, capabilities),
            Self::legacy_http(gateway, "2025-11-25", capabilities).await,
            Self::modern_stdio(gateway, capabilities),
            Self::legacy_stdio(gateway, "2025-11-25", capabilities).await,
        ]
    }

    /// One of each kind on every transport: WebSocket and HTTP+SSE are two-way channels, too.
    pub async fn everywhere(gateway: &Running, capabilities: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Self::all(gateway, capabilities).await.into();
        let socket = Stdio::web_socket(gateway.http()).await;
        all.push(Self::new(Way::ModernStdio(socket), capabilities));
        let (socket, sse) = (Stdio::web_socket(gateway.http()), Stdio::sse(gateway.http()));
        for mut channel in [socket.await, sse.await] {
            channel.handshake_as("2025-11-25", capabilities).await;
            all.push(Self::new(Way::LegacyStdio(channel), capabilities));
        }
        assert_eq!(all.len(), Self::EVERYWHERE);
        all
    }

    /// How many those are.
    pub const EVERYWHERE: usize = 7;

    /// What kind it is.
    pub fn kind(&self) -> &'static str {
        let channel = match &self.way {
            Way::ModernHttp(_) => return "modern over HTTP",
            Way::LegacyHttp(..) => return "legacy over HTTP",
            Way::ModernStdio(channel) | Way::LegacyStdio(channel) => channel.way,
        };
        match (channel, self.is_modern()) {
            ("WebSocket", true) => "modern over WebSocket",
            ("WebSocket", false) => "legacy over WebSocket",
            ("HTTP+SSE", _) => "legacy over HTTP+SSE",
            (_, true) => "modern over stdio",
            (_, false) => "legacy over stdio",
        }
    }

    /// Whether it is of the modern era.
    pub fn is_modern(&self) -> bool {
        matches!(self.way, Way::ModernHttp(_) | Way::ModernStdio(_))
    }

    /// The session over HTTP.
    pub fn session(&self) -> &Session {
        match &self.way {
            Way::LegacyHttp(session, _) => session,
            _ => panic!("a client {} has no session", self.kind()),
        }
    }

    /// A request of this client.
    pub fn request(&mut self, method: &str, params: &str) -> Ask {
        self.next_id += 1;
        let ask = match self.is_modern() {
            true => modern(method, params).meta(meta::CLIENT_CAPABILITIES, &self.capabilities),
            false => legacy(method, params),
        };
        let ask = ask.id(&self.next_id.to_string());
        match &self.way {
            Way::LegacyHttp(session, _) => session.of(ask),
            _ => ask,
        }
    }

    /// Calls, and answers what is asked by `say`: a result, or an error as `error <code> <text>`.
    pub async fn talk(
        &mut self,
        method: &str,
        params: &str,
        mut say: impl FnMut(&str, &str) -> String,
    ) -> Talked {
        let mut talked = Talked::default();
        let mut input: Option<(String, Option<String>)> = None;
        loop {
            let params = match &input {
                None => params.to_owned(),
                Some((responses, state)) => {
                    let members = Members::read(params).expect("params of a call");
                    let mut edit = json::ObjectEdit::new(&members);
                    edit.set("inputResponses", responses.as_str());
                    if let Some(state) = state {
                        edit.set("requestState", state.as_str());
                    }
                    edit.finish()
                }
            };
            if talked.rounds > 0 {
                pause(self.yields).await;
            }
            let ask = self.request(method, &params);
            talked.rounds += 1;
            let answer = self.send(ask, &mut talked, &mut say).await;
            let asks = part(&answer, "result").filter(|result| {
                part(result, "resultType").as_deref() == Some("\"input_required\"")
            });
            let Some(asks) = asks else {
                talked.answer = answer;
                return talked;
            };
            let state = part(&asks, "requestState");
            let requests = part(&asks, "inputRequests").unwrap_or_else(|| "{}".to_owned());
            let mut responses = ObjectWriter::new();
            for (key, request) in Members::read(&requests).expect("inputRequests").iter() {
                let (method, params) = question(request);
                responses = responses.raw(key, &say(&method, &params));
                talked.asked.push((method, params));
            }
            input = Some((responses.finish().to_string(), state));
        }
    }

    /// Sends a request once; its answer, whatever that asks.
    pub async fn once(&mut self, method: &str, params: &str) -> String {
        let ask = self.request(method, params);
        let mut nobody = |method: &str, _: &str| panic!("nobody answers {method}");
        self.send(ask, &mut Talked::default(), &mut nobody).await
    }

    /// Sends a request and answers what comes as requests before its answer.
    async fn send(
        &mut self,
        ask: Ask,
        talked: &mut Talked,
        say: &mut impl FnMut(&str, &str) -> String,
    ) -> String {
        let own_id = self.next_id.to_string();
        let yields = self.yields;
        match &mut self.way {
            Way::ModernHttp(http) => {
                let mut answer = http.send(&ask).await;
                last(&mut answer, talked).await
            }
            Way::LegacyHttp(session, http) => {
                let mut answer = http.send(&ask).await;
                let mut last = String::new();
                while let Some(message) = answer.message().await {
                    let message = plain(&message);
                    match heard(&message, talked, say) {
                        Some(response) => {
                            pause(yields).await;
                            let status = http.send(&session.of(posted(response))).await.status;
                            assert_eq!(status, 202, "an answer to a question");
                        }
                        None => last = message,
                    }
                }
                talked.told.retain(|told| *told != last);
                last
            }
            Way::ModernStdio(stdio) | Way::LegacyStdio(stdio) => {
                stdio.say(&ask).await;
                while let Some(line) = stdio.next().await {
                    let line = plain(&line);
                    if part(&line, "method").is_none() && part(&line, "id") == Some(own_id.clone())
                    {
                        return line;
                    }
                    if let Some(response) = heard(&line, talked, say) {
                        pause(yields).await;
                        stdio.line(response).await;
                    }
                }
                String::new()
            }
        }
    }

    /// Sends a request and gives back the answer as it comes; only over HTTP.
    pub async fn begin(&mut self, method: &str, params: &str) -> Answer {
        let ask = self.request(method, params);
        match &self.way {
            Way::ModernHttp(http) | Way::LegacyHttp(_, http) => http.send(&ask).await,
            _ => panic!("only over HTTP"),
        }
    }
}

async fn pause(yields: usize) {
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
}

async fn last(answer: &mut Answer, talked: &mut Talked) -> String {
    let mut last = String::new();
    while let Some(message) = answer.message().await {
        if !last.is_empty() {
            talked.told.push(last);
        }
        last = plain(&message);
    }
    last
}

/// Takes a message that is no answer to the client's own request; what answers it.
fn heard(
    message: &str,
    talked: &mut Talked,
    say: &mut impl FnMut(&str, &str) -> String,
) -> Option<Bytes> {
    let id = part(message, "id").filter(|_| part(message, "method").is_some());
    let Some(id) = id else {
        talked.told.push(message.to_owned());
        return None;
    };
    let (method, params) = question(message);
    let said = say(&method, &params);
    talked.asked.push((method, params));
    Some(response(&id, &said))
}

/// The response that says this: a result, or an error as `error <code> <text>`.
pub fn response(id: &str, said: &str) -> Bytes {
    match said.strip_prefix("error ") {
        None => envelope::result(id, &Raw::parse(said.to_owned().into()).expect("a result")),
        Some(error) => {
            let (code, text) = error.split_once(' ').expect("a code and a text");
            let code = code.parse().expect("a code");
            envelope::error(Some(id), &ErrorObject::new(code, text))
        }
    }
}

fn question(message: &str) -> (String, String) {
    let method = part(message, "method").unwrap_or_default();
    let method = json::string(&method).unwrap_or_default().into_owned();
    (method, part(message, "params").unwrap_or_else(|| "{}".to_owned()))
}

/// Who the gateway says it is stands masked, which is no JSON.
fn plain(message: &str) -> String {
    message.replace("{gateway}", "{}")
}
