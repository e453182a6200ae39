//! Servers of both generations of two SDKs ask clients of both generations, through the gateway.
//!
//! A server's tool asks about what it is called with, and tells the answer. What a client answers
//! depends on what it is asked: nothing but the whole way there and back makes a right result.

use serde_json::{Value, json};

use crate::client::{Client, Era, Target};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source, on_stdio};
use crate::naming;
use crate::programs::{Program, Venv, python, script};
use crate::report::Report;

/// What the tools of every server are called with, and what they tell when their client answers.
const CALLS: [(&str, &str, &str); 7] = [
    ("form", "tea", "accept: said: form about tea"),
    ("form", "cake", "accept: said: form about cake"),
    ("page", "yes", "accept"),
    ("page", "no", "decline"),
    ("page", "maybe", "accept"),
    ("sample", "rain", "canned: sampled: sample about rain"),
    ("sample", "snow", "canned: sampled: sample about snow"),
];

/// A client that says what it was asked.
pub(crate) fn answers() -> Value {
    json!({"says": true, "roots": []})
}

/// The servers, each in the eras that it speaks.
fn servers() -> [(&'static str, Program, &'static str); 6] {
    let node = |path: &str| Program::new("node", &[&script(path)]);
    let py = |venv, path: &str| Program::new(python(venv, "python"), &[&script(path)]);
    [
        ("ts1", node("js/asking1.mjs"), "legacy"),
        ("ts2-legacy", node("js/asking2.mjs"), "legacy"),
        ("ts2-modern", node("js/asking2.mjs"), "modern"),
        ("py1", py(Venv::Mcp1, "python/asking1.py"), "legacy"),
        ("py2-legacy", py(Venv::Mcp2, "python/asking2.py"), "legacy"),
        ("py2-modern", py(Venv::Mcp2, "python/asking2.py"), "modern"),
    ]
}

fn mounts() -> Vec<(&'static str, Source)> {
    let pinned = |(name, program, era)| (name, Source::Pinned(program, era));
    servers().map(pinned).into_iter().collect()
}

fn names() -> [&'static str; 6] {
    servers().map(|(name, ..)| name)
}

/// Every call at each of these mounts, by a client that answers as `answers` says.
pub(crate) fn plan(names: &[&str], answers: &Value) -> Value {
    let until: Vec<String> = names.iter().map(|name| naming::name(name, "")).collect();
    let mut steps = vec![json!({"step": "tools", "do": "tools", "until": until})];
    for name in names {
        for (tool, about, _) in CALLS {
            steps.push(json!({
                "step": format!("{name}: {tool} {about}"),
                "do": "call",
                "name": naming::name(name, tool),
                "arguments": {"about": about},
            }));
        }
    }
    json!({"answers": answers, "steps": steps})
}

/// Whether every question came to the client, and its answer to the one who asked.
pub(crate) fn check(names: &[&str], client: Client, era: Era, report: &Report) {
    assert_eq!(report.step("connect")["protocol"], era.protocol());
    for name in names {
        for (tool, about, expected) in CALLS {
            let step = format!("{name}: {tool} {about}");
            let told = &report.step(&step)["result"]["content"][0]["text"];
            let outcome = report.step(&step);
            assert_eq!(*told, expected, "{client:?} ({}), {step}: {outcome:#}", era.name());
        }
    }
}

async fn over_http(client: Client, era: Era) {
    let fixture = Fixture::new();
    let gateway = Gateway::start(&fixture, &mounts()).await;
    let plan = plan(&names(), &answers());
    let report = client.play(era, &gateway.merged(), &plan, &fixture).await;
    gateway.stop(&fixture).await;
    check(&names(), client, era, &report);
}

async fn over_stdio(client: Client, era: Era) {
    let fixture = Fixture::new();
    let gateway: Target = on_stdio(&fixture, &mounts());
    let plan = plan(&names(), &answers());
    let report = client.play(era, &gateway, &plan, &fixture).await;
    fixture.assert_quiet().await;
    check(&names(), client, era, &report);
}

/// A client that declares nothing is told what each call takes, and no server sees an answer.
async fn unasked(client: Client, era: Era) {
    let fixture = Fixture::new();
    let gateway = Gateway::start(&fixture, &mounts()).await;
    let report = client.play(era, &gateway.merged(), &plan(&names(), &Value::Null), &fixture).await;
    gateway.stop(&fixture).await;
    for (name, ..) in servers() {
        for (tool, about, _) in CALLS {
            let step = format!("{name}: {tool} {about}");
            let outcome = report.step(&step);
            let needs = match tool {
                "form" => json!({"elicitation": {"form": {}}}),
                "page" => json!({"elicitation": {"url": {}}}),
                _ => json!({"sampling": {}}),
            };
            let which = format!("{client:?} ({}), {step}: {outcome:#}", era.name());
            assert_eq!(outcome["error"]["code"], -32021, "{which}");
            assert_eq!(outcome["error"]["data"]["requiredCapabilities"], needs, "{which}");
        }
    }
}

/// One test for each way in.
macro_rules! clients {
    ($($name:ident: $way:ident $client:ident $era:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            $way(Client::$client, Era::$era).await;
        }
    )*};
}

clients! {
    ts1_answers_over_http: over_http Ts1 Legacy;
    ts1_answers_over_stdio: over_stdio Ts1 Legacy;
    ts2_legacy_answers_over_http: over_http Ts2 Legacy;
    ts2_modern_answers_over_http: over_http Ts2 Modern;
    ts2_modern_answers_over_stdio: over_stdio Ts2 Modern;
    py1_answers_over_http: over_http Py1 Legacy;
    py2_legacy_answers_over_http: over_http Py2 Legacy;
    py2_legacy_answers_over_stdio: over_stdio Py2 Legacy;
    py2_modern_answers_over_http: over_http Py2 Modern;
    py2_modern_answers_over_stdio: over_stdio Py2 Modern;
    fastmcp_legacy_answers_over_http: over_http FastMcp Legacy;
    fastmcp_modern_answers_over_http: over_http FastMcp Modern;
    rmcp_legacy_answers_over_http: over_http Rmcp Legacy;
    rmcp_modern_answers_over_http: over_http Rmcp Modern;
    ts2_legacy_is_told_what_it_lacks: unasked Ts2 Legacy;
    ts2_modern_is_told_what_it_lacks: unasked Ts2 Modern;
}
