//! Where a script is played: one task a request, gates that hold it, and what is told unasked.

use std::collections::{BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::json::{self, Members};
use protocol::{ErrorObject, Raw, envelope, meta};
use tokio::sync::{mpsc, watch};

use super::answers::{Usual, string_in};
use super::asks::{Asks, Said};
use super::director::{Order, Plug};
use super::script::{Receipt, Script, Speaks, Step};
use super::seen::{Seen, What, Witness};
use super::sessions::Sessions;

/// Messages on their way out of one request.
const EMITS_MAX: usize = 1024;

/// What goes out.
#[derive(Debug)]
pub(super) enum Emit {
    /// A message, or what stands in the place of one.
    Message(String),
    /// A message in pieces of so many bytes.
    Pieces(String, usize),
    /// The first half of a message.
    Half(String),
    /// A status and a body instead of an answer.
    Refuse(u16, String),
    /// The end of the connection, in the middle of whatever there is.
    Cut,
    /// The end of the child.
    Exit(i32),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) params: String,
    /// What its client declared that it can be asked.
    pub(super) declared: String,
}

/// Who is told what a child says by itself.
enum Listener {
    /// All of it.
    All(mpsc::Sender<Emit>),
    /// What this filter has, tagged with this id.
    Listen(String, String, mpsc::Sender<Emit>),
}

/// One child at play.
pub(super) struct Stage {
    state: Mutex<State>,
    gates: watch::Sender<BTreeSet<String>>,
    /// For who listens on behalf of the child.
    pub(super) plug: watch::Sender<Plug>,
    pub(super) witness: Witness,
    pub(super) asks: Asks,
    pub(super) sessions: Sessions,
}

struct State {
    script: Script,
    turns: HashMap<String, usize>,
    receipts: usize,
    refused: bool,
    listeners: Vec<Listener>,
}

pub(super) enum Next {
    On,
    Answered,
    Over,
}

impl Stage {
    pub(super) fn new(script: Script, witness: Witness) -> Arc<Self> {
        let state = State {
            script,
            turns: HashMap::new(),
            receipts: 0,
            refused: false,
            listeners: Vec::new(),
        };
        let gates = watch::Sender::new(BTreeSet::new());
        let plug = watch::Sender::new(Plug::In);
        witness.saw(Seen::new(What::Began, ""));
        let (asks, sessions) = (Asks::default(), Sessions::default());
        Arc::new(Self { state: Mutex::new(state), gates, plug, witness, asks, sessions })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script(&self) -> Script {
        self.state().script.clone()
    }

    /// Carries out an order; [`Order::Exit`] is for who runs the child.
    pub(super) fn order(&self, order: Order) {
        match order {
            Order::Script(script) => {
                let mut state = self.state();
                state.script = *script;
                state.turns.clear();
                state.receipts = 0;
            }
            Order::Open(gate) => {
                self.gates.send_if_modified(|gates| gates.insert(gate));
            }
            Order::Tell(method, params) => self.tell(&method, &params),
            Order::Ask(method, params) => {
                self.aside(&self.asks.pose(&method, &params));
            }
            Order::Forget => self.sessions.forget(),
            Order::Sync(number) => {
                let synced = Seen { id: number.to_string(), ..Seen::new(What::Synced, "") };
                self.witness.saw(synced);
            }
            Order::Plug(plug) => {
                self.plug.send_replace(plug);
            }
            Order::Exit(_) => {}
        }
    }

    /// Tells a listener all that the child says by itself.
    pub(super) fn listen_to_all(&self, to: mpsc::Sender<Emit>) {
        self.state().listeners.push(Listener::All(to));
    }

    /// What is done about an answer that is posted; a turn is taken.
    pub(super) fn receipt(&self) -> Receipt {
        let mut state = self.state();
        let at = state.receipts;
        state.receipts += 1;
        let receipts = &state.script.http.answers;
        receipts.get(at).or(receipts.last()).copied().unwrap_or_default()
    }

    /// Plays one request; what goes out comes from the receiver, which may be dropped.
    pub(super) fn play(self: &Arc<Self>, asked: Asked) -> mpsc::Receiver<Emit> {
        let (out, emits) = mpsc::channel(EMITS_MAX);
        let stage = Arc::clone(self);
        tokio::spawn(async move {
            let left = out.clone();
            tokio::select! {
                () = stage.perform(&asked, out) => {}
                () = left.closed() => {
                    let seen = Seen::new(What::Left, &asked.method);
                    stage.witness.saw(Seen { id: asked.id.clone(), ..seen });
                }
            }
        });
        emits
    }

    async fn perform(&self, asked: &Asked, out: mpsc::Sender<Emit>) {
        let steps = self.steps(asked);
        let undone = matches!(steps.first(), Some(Step::Status(..) | Step::Refuse(..)));
        if !undone {
            self.did(asked, &asked.method);
        }
        let mut answered = false;
        let mut said = Said::of(asked);
        for step in steps {
            let asks = matches!(step, Step::Ask(_) | Step::OrFail | Step::Unless(_));
            match self.step(step, asked, &mut said, &out).await {
                Next::On => {}
                // It failed; or a modern child asked, and is done until it is called again.
                Next::Answered if asks => return,
                Next::Answered => answered = true,
                Next::Over => return,
            }
        }
        if !answered {
            self.usual(asked, &out).await;
        }
    }

    /// The steps for this request, and a turn taken.
    fn steps(&self, asked: &Asked) -> Vec<Step> {
        let name = ["name", "uri"].iter().find_map(|member| string_in(&asked.params, member));
        let exact = format!("{} {}", asked.method, name.unwrap_or_default());
        let mut state = self.state();
        for kind in [exact, asked.method.clone()] {
            let Some(turns) = state.script.on.get(&kind).cloned() else { continue };
            let turn = state.turns.entry(kind).or_default();
            let steps = turns.get(*turn).or(turns.last()).cloned().unwrap_or_default();
            *turn += 1;
            return steps;
        }
        Vec::new()
    }

    async fn step(
        &self,
        step: Step,
        asked: &Asked,
        said: &mut Said,
        out: &mpsc::Sender<Emit>,
    ) -> Next {
        let result = |result: &str| answer(asked, &asked.id, &self.script().whole(result));
        let emit = match step {
            Step::Wait(gate) => {
                let mut gates = self.gates.subscribe();
                let _open = gates.wait_for(|gates| gates.contains(&gate)).await.is_ok();
                return Next::On;
            }
            Step::Hang => std::future::pending().await,
            Step::Usual => {
                self.usual(asked, out).await;
                return Next::Answered;
            }
            Step::Answer(text) => Emit::Message(result(&text)),
            Step::Error(code, text, data) => Emit::Message(error(&asked.id, code, &text, data)),
            Step::Huge(bytes) => Emit::Message(result(&format!(
                r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#,
                "x".repeat(bytes)
            ))),
            Step::AnswerAs(id, text) => {
                let text = answer(asked, &id, &self.script().whole(&text));
                send(out, Emit::Message(text)).await;
                return Next::On;
            }
            Step::Ask(_) | Step::AskAside(..) | Step::Pose(..) | Step::Withdraw => {
                return self.question(step, asked, said, out).await;
            }
            Step::Act(name) => return self.did(asked, &name),
            Step::Declared => return said.tells(&asked.declared),
            Step::Unless(what) if asked.declared.contains(&what) => return Next::On,
            Step::OrFail if said.is_accepted() => return Next::On,
            Step::OrFail => Emit::Message(result(&said.failed())),
            Step::Told | Step::Unless(_) => Emit::Message(result(&said.told())),
            Step::Drip(bytes) => Emit::Pieces(self.usual_message(asked), bytes),
            Step::Progress(done) => {
                if let Some(message) = progress(asked, done) {
                    send(out, Emit::Message(message)).await;
                }
                return Next::On;
            }
            Step::Notify(method, params) => {
                send(out, Emit::Message(notification(&method, &params))).await;
                return Next::On;
            }
            Step::Tell(method, params) => return self.tell_at_once(&method, &params),
            Step::Garbage(text) => {
                send(out, Emit::Message(text)).await;
                return Next::On;
            }
            Step::Break | Step::Half => return self.half(&step, asked, out).await,
            Step::Exit(code) => {
                send(out, Emit::Exit(code)).await;
                return Next::Over;
            }
            Step::Status(status, body) => Emit::Refuse(status, body),
            Step::Refuse(status, code, text, data) => {
                Emit::Refuse(status, error(&asked.id, code, &text, data))
            }
        };
        send(out, emit).await;
        Next::Answered
    }

    /// Half of the usual answer.
    async fn half(&self, step: &Step, asked: &Asked, out: &mpsc::Sender<Emit>) -> Next {
        send(out, Emit::Half(self.usual_message(asked))).await;
        if *step == Step::Half {
            std::future::pending::<()>().await;
        }
        send(out, Emit::Cut).await;
        Next::Over
    }

    /// Something that cannot be undone is done, and stands in the ledger from here on.
    fn did(&self, asked: &Asked, name: &str) -> Next {
        if let Some(ledger) = self.script().ledger {
            let members = Members::read(&asked.params).ok();
            let arguments = members.as_ref().and_then(|members| members.get("arguments"));
            let line = format!("{name} {}\n", arguments.unwrap_or_default());
            let file = OpenOptions::new().create(true).append(true).open(&ledger);
            let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
            written.unwrap_or_else(|why| panic!("the ledger {}: {why}", ledger.display()));
        }
        let id = asked.id.clone();
        self.witness.saw(Seen { id, ..Seen::new(What::Executed, name) });
        Next::On
    }

    /// A step that asks.
    async fn question(
        &self,
        step: Step,
        asked: &Asked,
        said: &mut Said,
        out: &mpsc::Sender<Emit>,
    ) -> Next {
        match step {
            Step::Ask(questions) => return self.ask(&questions, asked, said, out).await,
            Step::AskAside(method, params) => {
                let (message, answer) = self.asks.ask(&method, &said.filled(&params));
                self.aside(&message);
                said.answers.push(answer.await.expect("an answer"));
            }
            Step::Pose(method, params) => {
                let message = self.asks.pose(&method, &said.filled(&params));
                send(out, Emit::Message(message)).await;
            }
            _ => {
                let params = format!(r#"{{"requestId":{}}}"#, self.asks.last());
                send(out, Emit::Message(notification("notifications/cancelled", &params))).await;
            }
        }
        Next::On
    }

    /// Asks, and waits for the answers.
    async fn ask(
        &self,
        questions: &[(String, String)],
        asked: &Asked,
        said: &mut Said,
        out: &mpsc::Sender<Emit>,
    ) -> Next {
        if self.script().speaks == Speaks::Modern {
            return match said.ask(questions) {
                None => Next::On,
                Some(result) => {
                    send(out, Emit::Message(answer(asked, &asked.id, &result))).await;
                    Next::Answered
                }
            };
        }
        let mut answers = Vec::new();
        for (method, params) in questions {
            let (message, answer) = self.asks.ask(method, &said.filled(params));
            send(out, Emit::Message(message)).await;
            answers.push(answer);
        }
        for answer in answers {
            said.answers.push(answer.await.expect("an answer"));
        }
        Next::On
    }

    /// Says something on the standing streams.
    fn aside(&self, message: &str) {
        self.state().listeners.retain(|listener| match listener {
            Listener::All(to) => to.try_send(Emit::Message(message.to_owned())).is_ok(),
            Listener::Listen(_, _, to) => !to.is_closed(),
        });
    }

    async fn usual(&self, asked: &Asked, out: &mpsc::Sender<Emit>) {
        let usual = {
            let mut state = self.state();
            let State { script, refused, .. } = &mut *state;
            script.usual(&asked.method, &asked.params, refused)
        };
        let filter = match usual {
            Usual::Result(result) => {
                return send(out, Emit::Message(answer(asked, &asked.id, &result))).await;
            }
            Usual::Error(fault) => {
                return send(out, Emit::Message(refusal(&asked.id, &fault))).await;
            }
            Usual::Listen(filter) => filter,
        };
        let inside = format!(r#"{{"notifications":{filter},"_meta":{}}}"#, tag(&asked.id));
        let method = "notifications/subscriptions/acknowledged";
        let listener = Listener::Listen(asked.id.clone(), filter, out.clone());
        {
            let mut state = self.state();
            let first = Emit::Message(notification(method, &inside));
            out.try_send(first).expect("room for the acknowledgement");
            state.listeners.push(listener);
        }
        // Until who listens leaves, which `play` notices.
        std::future::pending().await
    }

    /// The usual answer as one message.
    fn usual_message(&self, asked: &Asked) -> String {
        let mut refused = true;
        match self.script().usual(&asked.method, &asked.params, &mut refused) {
            Usual::Result(result) => answer(asked, &asked.id, &result),
            Usual::Error(fault) => refusal(&asked.id, &fault),
            Usual::Listen(_) => String::new(),
        }
    }

    fn tell_at_once(&self, method: &str, params: &str) -> Next {
        self.tell(method, params);
        Next::On
    }

    fn tell(&self, method: &str, params: &str) {
        self.state().listeners.retain(|listener| {
            let (to, message) = match listener {
                Listener::All(to) => (to, notification(method, params)),
                Listener::Listen(id, filter, to) if wants(filter, method, params) => {
                    let members = Members::read(params).expect("params of what is told");
                    let mut edit = json::ObjectEdit::new(&members);
                    edit.set("_meta", tag(id));
                    (to, notification(method, &edit.finish()))
                }
                Listener::Listen(_, _, to) => return !to.is_closed(),
            };
            to.try_send(Emit::Message(message)).is_ok()
        });
    }
}

/// Whether a listen's filter has this notification.
fn wants(filter: &str, method: &str, params: &str) -> bool {
    let Ok(filter) = Members::read(filter) else { return false };
    let flag = match method {
        "notifications/tools/list_changed" => "toolsListChanged",
        "notifications/prompts/list_changed" => "promptsListChanged",
        "notifications/resources/list_changed" => "resourcesListChanged",
        "notifications/tasks" => {
            let all = filter.get("taskIds").and_then(json::elements).unwrap_or_default();
            let id = string_in(params, "taskId");
            return all.into_iter().any(|one| json::string(one).as_deref() == id.as_deref());
        }
        _ => {
            // Which resource it is a part of, where its URI does not show that.
            let uri = string_in(params, "partOf").or_else(|| string_in(params, "uri"));
            let Some(uri) = uri else { return false };
            let all = filter.get("resourceSubscriptions").and_then(json::elements);
            let mut all = all.unwrap_or_default().into_iter().filter_map(json::string);
            // A part counts as what it is a part of.
            return all.any(|above| uri.starts_with(&*above));
        }
    };
    filter.get(flag) == Some("true")
}

async fn send(out: &mpsc::Sender<Emit>, emit: Emit) {
    // Who left hears no more.
    let _left = out.send(emit).await;
}

/// Progress of a call under its token; `None` where it wants none.
fn progress(asked: &Asked, done: u32) -> Option<String> {
    let members = Members::read(&asked.params).ok()?;
    let meta = Members::read(members.get("_meta")?).ok()?;
    let token = meta.get(meta::PROGRESS_TOKEN)?;
    let params = format!(r#"{{"progressToken":{token},"progress":{done}}}"#);
    Some(notification("notifications/progress", &params))
}

fn tag(id: &str) -> String {
    format!(r#"{{"{}":{id}}}"#, meta::SUBSCRIPTION)
}

fn answer(asked: &Asked, id: &str, result: &str) -> String {
    let result = Raw::parse(result.to_owned().into());
    let result = result.unwrap_or_else(|fault| panic!("{}: {fault}", asked.method));
    text(&envelope::result(id, &result))
}

fn refusal(id: &str, fault: &ErrorObject) -> String {
    text(&envelope::error(Some(id), fault))
}

fn error(id: &str, code: i64, message: &str, data: Option<String>) -> String {
    let mut fault = ErrorObject::new(code, message);
    fault.data = data.and_then(|data| Raw::parse(data.into()).ok());
    refusal(id, &fault)
}

fn notification(method: &str, params: &str) -> String {
    let params = Raw::parse(params.to_owned().into()).expect("params of a notification");
    text(&envelope::notification(method, &params))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
