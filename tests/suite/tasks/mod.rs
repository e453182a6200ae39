//! Tasks: calls that are answered by a handle, for clients that know them and clients that do not.

mod handles;
mod bridges;
mod asked;

use harness::client::{Able, Answer, Ask, modern};
use harness::scripted::{Play, Script, Step, at};
use protocol::meta::CLIENT_CAPABILITIES;

/// What a client declares that knows tasks and answers questions.
const KNOWS: &str =
    r#"{"elicitation":{"form":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// What a child offers that answers by tasks.
const OFFERS: &str = r#"{"tools":{"listChanged":true},"prompts":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

/// A task as its child has just made it.
const CREATED: &str = r#"{"resultType":"task","taskId":"own/1","status":"working","createdAt":"2026-11-25T10:30:00Z","lastUpdatedAt":"2026-11-25T10:30:00Z","ttlMs":60000,"pollIntervalMs":5,"x-own":1.0}"#;

/// How it is, with this beside what each state has.
fn state(status: &str, more: &str) -> Step {
    let task = CREATED.replace(r#""resultType":"task","#, "").replace("working", status);
    let open = task.strip_suffix('}').unwrap_or_default();
    Step::Answer(format!("{open}{more}}}"))
}

/// A child whose tool `slow` is a task, with these answers to `tasks/get` in turn.
fn slow(states: &[Step]) -> Script {
    let turns: Vec<&[Step]> = states.chunks(1).collect();
    let done = [Step::Answer("{}".to_owned())];
    let script = Script::modern().tool("slow").tool("t").prompt("p");
    let script = script.on("tools/call slow", &[Step::Answer(CREATED.to_owned())]);
    let script = script.on("tasks/update", &done).on("tasks/cancel", &done);
    let script = Script { capabilities: Some(OFFERS.to_owned()), ..script };
    script.on_each("tasks/get", &turns)
}

/// Sends a request of which nothing is asked.
async fn ask(client: &mut Able, method: &str, params: &str) -> String {
    client.talk(method, params, |method, _| panic!("nobody asks {method}")).await.answer
}

/// The id that a call was answered by.
fn id_in(answer: &str) -> String {
    let id = at(answer, &["result", "taskId"]).unwrap_or_else(|| panic!("no task in {answer}"));
    protocol::json::string(&id).expect("an id is a string").into_owned()
}

/// Calls `m_slow`; the id of the task.
async fn begin(client: &mut Able) -> String {
    id_in(&ask(client, "tools/call", r#"{"name":"m_slow","arguments":{}}"#).await)
}

/// A modern request by a client that knows tasks.
fn knowing(method: &str, params: &str) -> Ask {
    modern(method, params).meta(CLIENT_CAPABILITIES, KNOWS)
}

/// A listen of a client to news of this task; its acknowledgement is taken.
async fn listen(play: &Play, id: &str) -> Answer {
    let filter = format!(r#"{{"notifications":{{"taskIds":["{id}"]}}}}"#);
    let mut stream = play.running.http().send(&knowing("subscriptions/listen", &filter)).await;
    let first = stream.message().await.unwrap_or_default();
    assert!(first.contains(&format!(r#""taskIds":["{id}"]"#)), "{first}");
    stream
}

/// Status and last message of the answer.
async fn sent(play: &Play, ask: &Ask) -> (u16, String) {
    let mut answer = play.running.http().send(ask).await;
    let mut last = String::new();
    while let Some(message) = answer.message().await {
        last = message.replace("{gateway}", "{}");
    }
    (answer.status, last)
}

/// The code of an error.
fn code(answer: &str) -> String {
    at(answer, &["error", "code"]).unwrap_or_else(|| panic!("no error in {answer}"))
}
