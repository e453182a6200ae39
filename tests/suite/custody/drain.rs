//! Drain: on a signal the program takes nothing new, answers what is under way, and is gone.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use harness::apart::{Apart, program};
use harness::client::{Answer, Ask, modern};
use harness::start::{soon, until};
use harness::stray::Stray;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::moody::Moody;

/// A child whose calls wait for a file, and the configuration of a gateway with it.
struct Scene {
    moody: Moody,
    file: PathBuf,
}

impl Scene {
    fn new(limits: &str) -> Self {
        let moody = Moody::new();
        moody.set("a", "one");
        let file = moody.path().join("routing.toml");
        let mark = moody.path().display();
        let mount = moody.mount("a", &format!("env = {{ MARK = \"{mark}\" }}"));
        let head = "listen = \"127.0.0.1:0\"\nadmin = \"off\"";
        let text = format!("[gateway]\n{head}\n\n[gateway.limits]\n{limits}\n\n{mount}");
        std::fs::write(&file, text).expect("a file");
        Self { moody, file }
    }

    fn path(&self) -> &Path {
        self.moody.path()
    }

    /// A call that is answered once the gate is opened.
    fn held_call(&self) -> Ask {
        let (arrived, gate) = (self.path().join("arrived"), self.path().join("gate"));
        let params = format!(
            r#"{{"name":"a_one","arguments":{{"arrived":"{}","until":"{}"}}}}"#,
            arrived.display(),
            gate.display()
        );
        modern("tools/call", &params).id("7")
    }

    async fn arrived(&self) {
        until("the call's arrival", async || self.path().join("arrived").exists()).await;
    }

    fn open_gate(&self) {
        std::fs::write(self.path().join("gate"), "").expect("a file");
    }

    /// Sends the call and waits until the child has it.
    async fn hold(&self, apart: &Apart) -> JoinHandle<Option<String>> {
        let (http, call) = (apart.http(), self.held_call());
        let answer = tokio::spawn(async move {
            let mut answer = http.send(&call).await;
            answer.message().await
        });
        self.arrived().await;
        answer
    }

    /// Waits until no process of this test is left but the gateway's own.
    async fn assert_no_survivor(&self) {
        until("the end of all children", async || Stray::all(self.path()).is_empty()).await;
    }
}

const LISTEN: &str = r#"{"notifications":{"toolsListChanged":true}}"#;

async fn listening(apart: &Apart) -> Answer {
    let mut listen = apart.http().send(&modern("subscriptions/listen", LISTEN).id("5")).await;
    let first = listen.message().await.expect("an acknowledgement");
    assert!(first.contains("notifications/subscriptions/acknowledged"), "{first}");
    listen
}

/// Whether it is the result that closes the listen with the id 5.
fn closes(message: &str) -> bool {
    message.contains(r#""id":5,"result":"#)
        && message.contains(r#""io.modelcontextprotocol/subscriptionId":5"#)
}

#[tokio::test]
async fn on_sigterm_listens_are_closed_calls_answered_new_ones_refused_and_children_ended() {
    let scene = Scene::new("drain = \"10m\"");
    let mut apart = Apart::start(&scene.file).await;
    let mut listen = listening(&apart).await;
    let session = apart.http().session("2025-11-25").await;
    let mut stream = session.stream().await;
    let answer = scene.hold(&apart).await;
    apart.signal(Signal::TERM);
    let last = listen.message().await.expect("the listen's own answer");
    assert!(closes(&last), "{last}");
    assert_eq!(listen.message().await, None, "then it ends");
    assert_eq!(stream.message().await, None, "a legacy stream ends without a word");
    let refused = async || TcpStream::connect(apart.mcp).is_err();
    until("new connections to be refused", refused).await;
    assert!(!answer.is_finished(), "the call goes on");
    scene.open_gate();
    let answer = answer.await.expect("a task").expect("an answer");
    assert!(answer.contains(r#""id":7,"result":"#), "{answer}");
    let status = apart.ended().await;
    assert!(status.success(), "{status:?}\n{}", apart.errors());
    scene.assert_no_survivor().await;
}

#[tokio::test]
async fn a_call_that_never_ends_is_left_when_the_drain_is_over() {
    let scene = Scene::new("drain = \"200ms\"");
    let mut apart = Apart::start(&scene.file).await;
    let answer = scene.hold(&apart).await;
    apart.signal(Signal::TERM);
    let status = apart.ended().await;
    assert!(status.success(), "{status:?}\n{}", apart.errors());
    assert!(apart.errors().contains("after the drain"), "{}", apart.errors());
    assert!(!matches!(answer.await, Ok(Some(text)) if text.contains("result")));
    scene.assert_no_survivor().await;
}

#[tokio::test]
async fn a_second_ctrl_c_does_not_wait_for_the_call() {
    let scene = Scene::new("drain = \"10m\"");
    let mut apart = Apart::start(&scene.file).await;
    let mut listen = listening(&apart).await;
    let answer = scene.hold(&apart).await;
    apart.signal(Signal::INT);
    let last = listen.message().await.expect("the listen's own answer");
    assert!(closes(&last), "the first one has arrived: {last}");
    apart.signal(Signal::INT);
    assert_eq!(apart.ended().await.code(), Some(130), "{}", apart.errors());
    assert!(!matches!(answer.await, Ok(Some(text)) if text.contains("result")));
    scene.assert_no_survivor().await;
}

/// The program with a client on its standard input and output.
struct Piped {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Piped {
    fn start(scene: &Scene) -> Self {
        let errors = std::fs::File::create(scene.path().join("errors.txt")).expect("a file");
        let mut child = Command::new(program())
            .args(["run", "--stdio", &scene.file.display().to_string()])
            .env("XDG_STATE_HOME", scene.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let lines = BufReader::new(stdout.expect("a pipe")).lines();
        Self { child, stdin: stdin.expect("a pipe"), lines }
    }

    async fn say(&mut self, ask: &Ask) {
        self.stdin.write_all(&ask.bytes()).await.expect("it reads");
        self.stdin.write_all(b"\n").await.expect("it reads");
    }

    async fn next(&mut self) -> Option<String> {
        soon("a line", self.lines.next_line()).await.expect("text")
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("it can be signalled");
    }
}

#[tokio::test]
async fn on_sigterm_a_client_on_standard_input_gets_its_answers_and_the_program_ends_well() {
    let scene = Scene::new("drain = \"10m\"");
    let mut piped = Piped::start(&scene);
    piped.say(&modern("subscriptions/listen", LISTEN).id("5")).await;
    let first = piped.next().await.expect("an acknowledgement");
    assert!(first.contains("notifications/subscriptions/acknowledged"), "{first}");
    piped.say(&scene.held_call()).await;
    scene.arrived().await;
    piped.signal(Signal::TERM);
    let mut last = piped.next().await.expect("the listen's own answer");
    while last.contains("list_changed") {
        last = piped.next().await.expect("the listen's own answer");
    }
    assert!(closes(&last), "{last}");
    scene.open_gate();
    let answer = piped.next().await.expect("the call's answer");
    assert!(answer.contains(r#""id":7,"result":"#), "{answer}");
    assert_eq!(piped.next().await, None, "nothing follows");
    let status = soon("the program's end", piped.child.wait()).await.expect("a status");
    assert!(status.success(), "{status:?}");
    scene.assert_no_survivor().await;
}

#[tokio::test]
async fn a_client_on_standard_input_whose_call_never_ends_keeps_the_program_only_for_the_drain() {
    let scene = Scene::new("drain = \"200ms\"");
    let mut piped = Piped::start(&scene);
    piped.say(&scene.held_call()).await;
    scene.arrived().await;
    piped.signal(Signal::TERM);
    assert_eq!(piped.next().await, None, "a cancelled call has no answer");
    let status = soon("the program's end", piped.child.wait()).await.expect("a status");
    assert!(status.success(), "{status:?}");
    scene.assert_no_survivor().await;
}
