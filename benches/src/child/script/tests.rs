//! What the scripted child answers, era by era.

use serde_json::{Value, json};

use super::{Answer, Heads, Origin, Script};
use crate::args::Speaks;
use crate::wire::{Era, MODERN, Template, name};

const LINES: Origin<'_> = Origin::Stdio { greeted: false };
const GREETED: Origin<'_> = Origin::Stdio { greeted: true };

fn ask(speaks: Speaks, era: Era, method: &str, params: Value, origin: Origin<'_>) -> Answer {
    let request = Template::request(era, method, params).with("7");
    Script::new(speaks, 100).answer(&request, origin)
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body.as_ref().unwrap()).unwrap()
}

fn post<'a>(version: &'a str, method: &'a str, tool: Option<&'a str>) -> Origin<'a> {
    let heads = Heads { version: Some(version), method: Some(method), name: tool };
    Origin::Http { heads, in_session: false }
}

#[test]
fn a_modern_probe_gets_a_whole_discover_result() {
    let answer = ask(Speaks::Both, Era::Modern, "server/discover", json!({}), LINES);
    let said = body(&answer);
    assert_eq!(said["id"], 7);
    assert_eq!(said["result"]["supportedVersions"], json!([MODERN]));
    assert_eq!(said["result"]["resultType"], "complete");
    assert_eq!(said["result"]["cacheScope"], "public");
    assert!(said["result"]["ttlMs"].is_u64());
}

#[test]
fn the_text_has_the_length_asked_for() {
    for (era, origin) in [(Era::Modern, LINES), (Era::Legacy, GREETED)] {
        let answer = ask(Speaks::Both, era, "tools/call", json!({ "name": "echo" }), origin);
        let said = body(&answer);
        assert_eq!(said["result"]["content"][0]["text"].as_str().map(str::len), Some(100));
    }
}

#[test]
fn a_header_that_differs_from_the_body_is_refused() {
    let params = json!({ "name": "echo" });
    for origin in [
        post(MODERN, "tools/list", Some("echo")),
        post(MODERN, "tools/call", Some("other")),
        post(MODERN, "tools/call", None),
        post("2025-11-25", "tools/call", Some("echo")),
    ] {
        let answer = ask(Speaks::Modern, Era::Modern, "tools/call", params.clone(), origin);
        assert_eq!((answer.status, &body(&answer)["error"]["code"]), (400, &json!(-32020)));
    }
}

#[test]
fn a_modern_child_names_its_version_to_a_legacy_client() {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
    let answer = ask(Speaks::Modern, Era::Legacy, "initialize", params, LINES);
    assert_eq!(body(&answer)["error"]["data"]["supported"], json!([MODERN]));
}

#[test]
fn a_legacy_child_refuses_a_probe_and_then_greets() {
    let probe = ask(Speaks::Legacy, Era::Modern, "server/discover", json!({}), LINES);
    assert_eq!(body(&probe)["error"]["code"], -32601);
    let params = json!({ "protocolVersion": "2025-06-18" });
    let greeting = ask(Speaks::Legacy, Era::Legacy, "initialize", params, LINES);
    assert!(greeting.greets);
    assert_eq!(body(&greeting)["result"]["protocolVersion"], "2025-06-18");
}

#[test]
fn a_legacy_call_outside_a_session_is_refused() {
    let params = json!({ "name": "echo" });
    let outside = Origin::Http { heads: Heads::default(), in_session: false };
    let answer = ask(Speaks::Both, Era::Legacy, "tools/call", params, outside);
    assert_eq!(answer.status, 400);
}

#[test]
fn modern_metadata_is_required() {
    let request = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    let answer = Script::new(Speaks::Both, 1).answer(request, post(MODERN, "tools/list", None));
    assert_eq!((answer.status, &body(&answer)["error"]["code"]), (400, &json!(-32602)));
    assert!(body(&answer)["error"]["message"].as_str().unwrap().contains(name::VERSION));
}

#[test]
fn notifications_and_noise_get_no_result() {
    let script = Script::new(Speaks::Both, 1);
    let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(script.answer(note, GREETED).body, None);
    assert_eq!(body(&script.answer(b"{", LINES))["error"]["code"], -32700);
    assert_eq!(body(&script.answer(b"[]", LINES))["error"]["code"], -32600);
}
