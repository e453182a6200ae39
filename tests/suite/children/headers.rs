//! What stands in the headers and metadata of requests to children.

use harness::client::modern;
use harness::scripted::{Http, Script, Step, What, at, member};

use super::Wire::{InProcess, LegacyHttp, ModernEvents, ModernHttp, ModernProcess};
use super::{OVER_HTTP, does};

#[tokio::test]
async fn c025_every_modern_request_has_its_metadata() {
    let script = Script::modern().tool("t").prompt("p").resource("demo://a");
    for wire in [InProcess, ModernProcess, ModernHttp] {
        let play = wire.play("", script.clone()).await;
        play.call("m_t").await;
        play.read("demo://m/a").await;
        let seen = play.director("m").seen().await;
        for seen in seen.iter().filter(|seen| seen.what == What::Request) {
            let meta = member(&seen.params, "_meta").unwrap_or_default();
            for key in ["protocolVersion", "clientCapabilities", "clientInfo"] {
                let key = format!("io.modelcontextprotocol/{key}");
                assert!(member(&meta, &key).is_some(), "{wire:?} {}: no {key}", seen.method);
            }
        }
    }
}

#[tokio::test]
async fn c064_both_forms_of_an_answer_are_accepted_and_taken() {
    for wire in OVER_HTTP {
        let play = wire.play("", Script::modern().tool("t")).await;
        // An event stream begins with a comment, which is ignored.
        assert!(play.call("m_t").await.contains("t {}"), "{wire:?}");
        let call = play.director("m").requests("tools/call").await;
        let accept = call[0].header("accept").to_owned();
        let both = accept.contains("application/json") && accept.contains("text/event-stream");
        assert!(both, "{wire:?}: {accept}");
    }
}

#[tokio::test]
async fn c065_the_headers_say_what_the_body_says_after_the_prefix_is_taken_off() {
    let script = Script::modern().tool("t").prompt("p").resource("demo://a");
    let play = ModernHttp.play("", script).await;
    play.call("m_t").await;
    play.ask("prompts/get", r#"{"name":"m_p"}"#).await;
    play.read("demo://m/a").await;
    let director = play.director("m");
    for (method, name) in [
        ("server/discover", ""),
        ("tools/list", ""),
        ("subscriptions/listen", ""),
        ("tools/call", "t"),
        ("prompts/get", "p"),
        ("resources/read", "demo://a"),
    ] {
        let seen = director.requests(method).await;
        assert_eq!(seen[0].header("mcp-protocol-version"), "2026-07-28", "{method}");
        assert_eq!(seen[0].header("mcp-method"), method);
        assert_eq!(seen[0].header("mcp-name"), name, "{method}");
        assert_eq!(seen[0].header("mcp-session-id"), "", "{method}");
    }
}

const MIRRORED: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"count":{"type":"integer","x-mcp-header":"Count"},"flag":{"type":"boolean","x-mcp-header":"Flag"},"in":{"type":"object","properties":{"deep":{"type":"string","x-mcp-header":"Deep"}}},"plain":{"type":"string"}}}}"#;

#[tokio::test]
async fn c066_annotated_arguments_are_mirrored_and_absent_ones_are_not() {
    let play = ModernHttp.play("", Script::modern().tool_as(MIRRORED)).await;
    for (arguments, expected) in [
        (
            r#"{"region":"eu west","count":42,"flag":false,"in":{"deep":"x"},"plain":"y"}"#,
            [("region", "eu west"), ("count", "42"), ("flag", "false"), ("deep", "x")],
        ),
        (
            r#"{"region":" ü","count":null}"#,
            [("region", "=?base64?IMO8?="), ("count", ""), ("flag", ""), ("deep", "")],
        ),
    ] {
        // The gateway holds its own client to the same headers.
        let params = format!(r#"{{"name":"m_t","arguments":{arguments}}}"#);
        let mut ask = modern("tools/call", &params);
        for (name, value) in expected.iter().filter(|(_, value)| !value.is_empty()) {
            ask = ask.header(&format!("mcp-param-{name}"), value);
        }
        let answer = play.running.http().shown(&ask).await;
        assert!(answer.starts_with("200") && answer.contains("t {"), "{answer}");
        let calls = play.director("m").requests("tools/call").await;
        let call = calls.last().unwrap();
        for (name, value) in expected {
            assert_eq!(call.header(&format!("mcp-param-{name}")), value, "{name} of {arguments}");
        }
        assert!(!call.headers.contains_key("mcp-param-plain"));
    }
}

#[tokio::test]
async fn c066_arguments_are_mirrored_for_clients_that_send_no_headers() {
    let play = ModernHttp.play("", Script::modern().tool_as(MIRRORED)).await;
    let session = play.running.http().session("2025-11-25").await;
    let params = r#"{"name":"m_t","arguments":{"region":"eu"}}"#;
    let answer = session.shown("tools/call", params).await;
    assert!(answer.contains("t {"), "{answer}");
    let calls = play.director("m").requests("tools/call").await;
    assert_eq!(calls[0].header("mcp-param-region"), "eu");
}

#[tokio::test]
async fn c067_tools_with_invalid_annotations_are_left_out_for_http_children_only() {
    let tool = |name: &str, properties: &str| {
        format!(
            r#"{{"name":"{name}","inputSchema":{{"type":"object","properties":{properties}}}}}"#
        )
    };
    let header =
        |header: &str, kind: &str| format!(r#"{{"type":"{kind}","x-mcp-header":"{header}"}}"#);
    let script = Script::modern()
        .tool_as(tool("good", &format!(r#"{{"a":{}}}"#, header("A", "string"))))
        .tool_as(tool("empty", &format!(r#"{{"a":{}}}"#, header("", "string"))))
        .tool_as(tool("blank", &format!(r#"{{"a":{}}}"#, header("A B", "string"))))
        .tool_as(tool("number", &format!(r#"{{"a":{}}}"#, header("A", "number"))))
        .tool_as(tool("object", &format!(r#"{{"a":{}}}"#, header("A", "object"))))
        .tool_as(tool(
            "twice",
            &format!(r#"{{"a":{},"b":{}}}"#, header("A", "string"), header("a", "string")),
        ))
        .tool_as(tool(
            "items",
            &format!(r#"{{"a":{{"type":"array","items":{}}}}}"#, header("A", "string")),
        ))
        .tool_as(tool("choice", &format!(r#"{{"a":{{"anyOf":[{}]}}}}"#, header("A", "string"))));
    let play = ModernHttp.play("", script.clone()).await;
    assert_eq!(play.tools().await, ["other_t", "m_good"]);
    let withheld = play.running.gateway().mounts()[1].withheld.len();
    assert_eq!(withheld, 7);
    assert_eq!(ModernProcess.play("", script).await.tools().await.len(), 9);
}

#[tokio::test]
async fn c068_a_header_mismatch_leads_to_a_new_list_and_one_more_try() {
    for wire in [ModernHttp, ModernEvents] {
        let play = wire.play("", Script::modern().tool("t")).await;
        let http = Http { strict: true, ..Http::default() };
        // The child wants a header that it did not want when it was listed, and does not say so.
        play.director("m").script(Script::modern().tool_as(MIRRORED).over_http(http));
        let answer = play.ask("tools/call", r#"{"name":"m_t","arguments":{"count":7}}"#).await;
        assert!(answer.contains("t {"), "{wire:?}: {answer}");
        let director = play.director("m");
        let calls = director.requests("tools/call").await;
        assert_eq!(calls.len(), 2, "{wire:?}");
        assert_eq!(calls[1].header("mcp-param-count"), "7");
        assert_ne!(calls[0].id, calls[1].id, "a retry has an id of its own");
        assert_eq!(director.count(What::Executed, "tools/call").await, 1, "{wire:?}");
    }
}

#[tokio::test]
async fn c068_a_mismatch_that_a_new_list_does_not_explain_is_not_repeated_and_not_the_clients() {
    let refusal = Step::Refuse(400, -32020, "never right".to_owned(), None);
    let play = ModernHttp.play("", does(&[refusal])).await;
    // By -32020 the client would be told that its own headers were wrong, and would call again.
    let mut answer = play.send("/mcp", "tools/call", r#"{"name":"m_t"}"#).await;
    assert_eq!(answer.status, 200);
    let answer = answer.message().await.unwrap();
    assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32603"), "{answer}");
    assert_eq!(at(&answer, &["error", "message"]).as_deref(), Some("\"never right\""), "{answer}");
    let director = play.director("m");
    assert_eq!(director.requests("tools/call").await.len(), 1);
    assert!(director.requests("tools/list").await.len() >= 2, "it was listed anew before that");
}

#[tokio::test]
async fn c069_names_that_no_header_can_hold_are_wrapped() {
    let script = Script::modern().tool("ü").tool(" x").tool("=?base64?eA==?=").resource("demo://ü");
    let play = ModernHttp.play("", script).await;
    for (name, wrapped) in [
        ("ü", "=?base64?w7w=?="),
        (" x", "=?base64?IHg=?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
    ] {
        assert!(play.call(&format!("m_{name}")).await.contains(r#""result""#), "{name}");
        let calls = play.director("m").requests("tools/call").await;
        assert_eq!(calls.last().unwrap().header("mcp-name"), wrapped);
    }
    assert!(play.read("demo://m/ü").await.contains(r#""result""#));
}

#[tokio::test]
async fn c056_headers_of_arguments_that_nobody_here_knows_are_passed_on() {
    for wire in [ModernHttp, ModernProcess, LegacyHttp] {
        let play = wire.play("", Script::modern().tool("t")).await;
        let ask = modern("tools/call", r#"{"name":"m_t"}"#)
            .header("mcp-param-trace-of", "=?base64?eA==?=");
        let answer = play.running.http().shown(&ask).await;
        assert!(answer.starts_with("200"), "{wire:?}: {answer}");
        let calls = play.director("m").requests("tools/call").await;
        let passed = calls[0].header("mcp-param-trace-of");
        assert_eq!(passed == "=?base64?eA==?=", wire == ModernHttp, "{wire:?}: {passed}");
    }
}
