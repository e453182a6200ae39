//! The scenario: which steps a client plays with each mount, as data that every script reads.

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::naming;

/// The four lists, in the words of a plan.
pub(crate) const LISTS: [&str; 4] = ["tools", "resources", "templates", "prompts"];

/// A mount of the scenario; the name is its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mount {
    Everything,
    EverythingHttp,
    Files,
    Memory,
    Time,
    Git,
}

impl Mount {
    /// In the order of `routing.toml`.
    pub(crate) const ALL: [Self; 6] =
        [Self::Everything, Self::EverythingHttp, Self::Files, Self::Memory, Self::Time, Self::Git];

    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::EverythingHttp => "everything-http",
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Git => "git",
        }
    }

    /// Whether the server speaks the modern era too.
    pub(crate) fn is_modern(self) -> bool {
        matches!(self, Self::Time | Self::Git)
    }

    /// The steps, with the child's own names; labels say what each is to show.
    pub(crate) fn steps(self, fixture: &Fixture) -> Vec<Value> {
        let mut steps: Vec<Value> =
            LISTS.iter().map(|list| json!({"step": list, "do": list})).collect();
        steps.extend(match self {
            Self::Everything | Self::EverythingHttp => everything(),
            Self::Files => files(fixture),
            Self::Memory => memory(),
            Self::Time => time(),
            Self::Git => git(fixture),
        });
        steps
    }
}

/// A plan for one server, asked directly or through the gateway's endpoint of that mount.
pub(crate) fn direct(mount: Mount, fixture: &Fixture) -> Value {
    let steps = mount.steps(fixture).into_iter().map(|step| labelled(mount, step)).collect();
    plan(steps)
}

/// A plan for the merged endpoint: the four lists once, as soon as all mounts are in the first,
/// then every mount's steps under its prefix.
pub(crate) fn merged(mounts: &[Mount], fixture: &Fixture) -> Value {
    let mut steps: Vec<Value> =
        LISTS.iter().map(|list| json!({"step": list, "do": list})).collect();
    steps[0]["until"] = mounts.iter().map(|mount| naming::name(mount.prefix(), "")).collect();
    for mount in mounts {
        let own = mount.steps(fixture).into_iter().filter(|step| !is_list(step));
        steps.extend(own.map(|step| naming::ask(mount.prefix(), &labelled(*mount, step))));
    }
    steps.push(
        json!({"step": "no mount: tool", "do": "call", "name": "nowhere_x", "arguments": {}}),
    );
    steps.push(
        json!({"step": "no mount: prompt", "do": "prompt", "name": "nowhere_x", "arguments": {}}),
    );
    steps.push(json!({"step": "no mount: resource", "do": "read", "uri": "demo://nowhere/x"}));
    plan(steps)
}

/// A plan of any steps, for a client that cannot be asked anything.
pub(crate) fn plan(steps: Vec<Value>) -> Value {
    json!({"steps": steps})
}

/// A plan of calls in which the server asks the client something, and what the client answers.
pub(crate) fn questions(fixture: &Fixture) -> Value {
    let root = format!("file://{}", fixture.files().display());
    json!({
        "answers": {
            "roots": [{"uri": root, "name": "files"}],
            "elicit": {"name": "Ada", "check": true},
        },
        "steps": [
            {"step": "tools", "do": "tools"},
            call("sampling", "trigger-sampling-request", json!({"prompt": "why"})),
            call("elicitation", "trigger-elicitation-request", json!({})),
            call("roots", "get-roots-list", json!({})),
        ],
    })
}

fn is_list(step: &Value) -> bool {
    step["do"].as_str().is_some_and(|what| LISTS.contains(&what))
}

fn labelled(mount: Mount, mut step: Value) -> Value {
    let label = format!("{}: {}", mount.prefix(), step["step"].as_str().unwrap_or_default());
    step["step"] = label.into();
    step
}

fn call(step: &str, name: &str, arguments: Value) -> Value {
    json!({"step": step, "do": "call", "name": name, "arguments": arguments})
}

fn read(step: &str, uri: &str) -> Value {
    json!({"step": step, "do": "read", "uri": uri})
}

fn prompt(step: &str, name: &str, arguments: Value) -> Value {
    json!({"step": step, "do": "prompt", "name": name, "arguments": arguments})
}

fn complete(step: &str, reference: Value, name: &str, value: &str) -> Value {
    let argument = json!({"name": name, "value": value});
    json!({"step": step, "do": "complete", "ref": reference, "argument": argument})
}

fn everything() -> Vec<Value> {
    let team = json!({"type": "ref/prompt", "name": "completable-prompt"});
    let text = json!({"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"});
    let mut member = complete("completion in a context", team.clone(), "name", "");
    member["context"] = json!({"arguments": {"department": "Sales"}});
    let long = "trigger-long-running-operation";
    vec![
        call("text", "echo", json!({"message": "grüß dich"})),
        call("structured", "get-structured-content", json!({"location": "Chicago"})),
        call("image", "get-tiny-image", json!({})),
        call("annotated", "get-annotated-message", json!({"messageType": "error"})),
        call("links", "get-resource-links", json!({"count": 2})),
        call(
            "embedded",
            "get-resource-reference",
            json!({"resourceType": "Text", "resourceId": 3}),
        ),
        call("bad arguments", "get-sum", json!({"a": "x"})),
        read("static resource", "demo://resource/static/document/startup.md"),
        read("resource of a template", "demo://resource/dynamic/blob/7"),
        prompt("prompt", "simple-prompt", json!({})),
        prompt("prompt with arguments", "args-prompt", json!({"city": "Oslo", "state": "NO"})),
        prompt(
            "prompt with a resource",
            "resource-prompt",
            json!({"resourceType": "Text", "resourceId": "2"}),
        ),
        complete("completion of a prompt", team, "department", "S"),
        member,
        complete("completion of a template", text, "resourceId", "4"),
        json!({"step": "progress", "do": "progress", "name": long, "arguments": {"duration": 0.5, "steps": 5}}),
        json!({"step": "cancel", "do": "cancel", "name": long, "arguments": {"duration": 1.5, "steps": 15}}),
        call("after the cancel", "echo", json!({"message": "still here"})),
        json!({
            "step": "watch", "do": "watch", "uri": "demo://resource/dynamic/text/1",
            "trigger": {"name": "toggle-subscriber-updates", "arguments": {}},
        }),
        call("unknown tool", "nope", json!({})),
        read("unknown resource", "demo://resource/static/nope"),
        prompt("unknown prompt", "nope", json!({})),
    ]
}

fn files(fixture: &Fixture) -> Vec<Value> {
    let path = |name: &str| json!({"path": fixture.files().join(name)});
    vec![
        call("list a folder", "list_directory", path("")),
        call("read a text", "read_text_file", path("hello.txt")),
        call("audio", "read_media_file", path("tone.wav")),
        call("outside", "read_text_file", json!({"path": "/etc/hostname"})),
        call("unknown tool", "nope", json!({})),
    ]
}

fn memory() -> Vec<Value> {
    let ada =
        json!({"name": "Ada", "entityType": "person", "observations": ["wrote the first program"]});
    vec![
        call("create", "create_entities", json!({"entities": [ada]})),
        call("read the graph", "read_graph", json!({})),
        read("resource", "memory://knowledge-graph"),
        call("unknown tool", "nope", json!({})),
        read("unknown resource", "memory://nope"),
    ]
}

fn time() -> Vec<Value> {
    let tokyo = json!({"source_timezone": "Asia/Tokyo", "time": "12:30", "target_timezone": "Asia/Kolkata"});
    vec![
        call("convert", "convert_time", tokyo),
        call("now", "get_current_time", json!({"timezone": "UTC"})),
        call("bad arguments", "get_current_time", json!({"timezone": "Mars/Base"})),
        call("unknown tool", "nope", json!({})),
    ]
}

fn git(fixture: &Fixture) -> Vec<Value> {
    let repository = fixture.repository();
    vec![
        call("status", "git_status", json!({"repo_path": repository})),
        call("log", "git_log", json!({"repo_path": repository, "max_count": 5})),
        call("outside", "git_status", json!({"repo_path": fixture.files()})),
        call("unknown tool", "nope", json!({})),
    ]
}
