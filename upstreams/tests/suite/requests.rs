//! One request and its answer: methods, shapes, metadata, errors.

use expect_test::expect;
use serde_json::json;

use crate::caller::{Caller, error, meta, pretty, with_meta};
use crate::probe::{Probe, Shared};

fn probe() -> Caller {
    Caller(upstreams::mount(Probe(Shared::new())))
}

#[tokio::test]
async fn builtins_have_names_of_their_own() {
    let names: Vec<&str> = upstreams::builtins().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["notes", "toolbox", "main", "data", "auth"]);
}

#[tokio::test]
async fn discover_tells_versions_capabilities_and_who_answers() {
    let mut discovered = Caller::builtin("notes").ask("server/discover", json!({})).await.unwrap();
    let info = &mut discovered["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    info["version"] = json!("…");
    expect![[r#"
        {
          "_meta": {
            "io.modelcontextprotocol/serverInfo": {
              "name": "notes",
              "title": "Notes",
              "version": "…"
            }
          },
          "cacheScope": "private",
          "capabilities": {
            "completions": {},
            "prompts": {},
            "resources": {
              "listChanged": true,
              "subscribe": true
            },
            "tools": {}
          },
          "instructions": "Notes in memory, gone when the program ends. `search` before \
        you `add`; a note is read as the resource note://notes/<id>.",
          "resultType": "complete",
          "supportedVersions": [
            "2024-11-05",
            "2025-03-26",
            "2025-06-18",
            "2025-11-25",
            "2026-07-28"
          ],
          "ttlMs": 0
        }
    "#]]
    .assert_eq(&pretty(&discovered));
}

#[tokio::test]
async fn results_have_the_members_of_their_version() {
    let listed = probe().ask("tools/list", json!({})).await.unwrap();
    expect![[r#"
        {
          "cacheScope": "private",
          "resultType": "complete",
          "tools": [],
          "ttlMs": 0
        }
    "#]]
    .assert_eq(&pretty(&listed));
    let version = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2025-11-25" } });
    let listed = probe().ask("tools/list", version).await.unwrap();
    expect![[r#"
        {
          "tools": []
        }
    "#]]
    .assert_eq(&pretty(&listed));
}

#[tokio::test]
async fn metadata_reaches_the_server_with_members_nobody_knows() {
    let params = json!({ "name": "meta", "_meta": {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "com.example/deep": { "a": [1, 2.5, null] },
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
    }});
    let result = probe().ask("tools/call", params.clone()).await.unwrap();
    let mut expected = meta();
    expected.as_object_mut().unwrap().extend(params["_meta"].as_object().unwrap().clone());
    assert_eq!(result["structuredContent"], expected);
}

#[tokio::test]
async fn arguments_arrive_as_they_were_sent() {
    let arguments = json!({
        "big": u64::MAX, "small": i64::MIN, "half": 0.1, "empty": {}, "no": null,
        "text": "a\u{0}\u{1F600}\"\\",
    });
    let params = json!({ "name": "echo", "arguments": arguments });
    let result = probe().ask("tools/call", params).await.unwrap();
    assert_eq!(result["structuredContent"], arguments);
}

#[tokio::test]
async fn an_integer_that_would_be_rounded_is_refused() {
    let meta = meta();
    let params =
        format!(r#"{{"name":"echo","arguments":{{"id":12345678901234567890123}},"_meta":{meta}}}"#);
    let expected = expect![[r#"
        -32602 tools/call: params: expected integers of at most 64 bits, came \
        `12345678901234567890123`; give a string
    "#]];
    expected.assert_eq(&error(probe().raw("tools/call", &params).await));
    // What belongs to others is no reason to refuse.
    let foreign = meta.to_string().replacen('{', r#"{"com.example/n":12345678901234567890123,"#, 1);
    let params = format!(r#"{{"_meta":{foreign},"name":"echo","arguments":{{"id":1}}}}"#);
    assert!(probe().raw("tools/call", &params).await.is_ok());
}

#[tokio::test]
async fn input_required_is_a_result_like_any_other() {
    let result = probe().tool("needs_input", json!({})).await;
    expect![[r#"
        {
          "requestState": "again",
          "resultType": "input_required"
        }
    "#]]
    .assert_eq(&pretty(&result));
}

#[tokio::test]
async fn unknown_methods_go_to_the_server_or_are_not_found() {
    let probe = probe();
    let echoed = probe.ask("com.example/echo", json!({ "x": [1] })).await.unwrap();
    expect![[r#"
        {
          "meta": {
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/protocolVersion": "2026-07-28"
          },
          "params": {
            "x": [
              1
            ]
          }
        }
    "#]]
    .assert_eq(&pretty(&echoed));
    expect![[r#"
        -32601 com.example/none
    "#]]
    .assert_eq(&error(probe.ask("com.example/none", json!({})).await));
    expect![[r#"
        -32603 the server answered with something that is no object
    "#]]
    .assert_eq(&error(probe.ask("com.example/number", json!({})).await));
}

#[tokio::test]
async fn methods_of_the_handshake_eras_are_not_found() {
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe"] {
        let error = probe().ask(method, json!({ "uri": "x:y" })).await.unwrap_err();
        assert_eq!(error.code, -32601, "{method}");
    }
    for method in ["tasks/get", "tasks/cancel", "skills/list", "prompts/list"] {
        let error = probe().ask(method, json!({ "taskId": "1" })).await.unwrap_err();
        assert_eq!(error.code, -32601, "{method}");
    }
}

#[tokio::test]
async fn params_that_are_wrong_are_named() {
    let probe = probe();
    let mut said = String::new();
    for (method, params) in [
        ("tools/call", r#"["echo"]"#),
        ("tools/call", r#""echo""#),
        ("tools/call", "null"),
        ("tools/call", r#"{"arguments":{}}"#),
        ("tools/call", r#"{"name":7}"#),
        ("tools/call", r#"{"name":"echo","name":"panic"}"#),
        ("tools/call", r#"{"name":"echo","arguments":[1]}"#),
        ("tools/list", r#"{"cursor":5}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/x"},"argument":{}}"#),
        ("subscriptions/listen", r#"{"notifications":true}"#),
        ("com.example/echo", r#"{"_meta":5}"#),
    ] {
        said += &error(probe.raw(method, params).await);
    }
    expect![[r#"
        -32602 tools/call: params: expected an object, came `["echo"]`
        -32602 tools/call: params: expected an object, came `"echo"`
        -32602 tools/call: params: expected an object, came `null`
        -32602 tools/call: params: missing field `name` at line 1 column 16
        -32602 tools/call: params: invalid type: integer `7`, expected a string at line \
        1 column 9
        -32602 tools/call: params: duplicate field `name` at line 1 column 21
        -32602 tools/call: params: invalid type: sequence, expected a map at line 1 \
        column 27
        -32602 tools/list: params: invalid type: integer `5`, expected a string at line \
        1 column 11
        -32602 completion/complete: params: unknown variant `ref/x`, expected \
        `ref/resource` or `ref/prompt` at line 1 column 22
        -32602 subscriptions/listen: params: invalid type: boolean `true`, expected \
        struct SubscriptionFilter at line 1 column 21
        -32602 com.example/echo: params._meta: expected an object, came `5`
    "#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn c015_metadata_that_is_missing_or_wrong_is_named() {
    let probe = probe();
    let mut said = error(probe.raw("tools/list", "{}").await);
    for own in [
        json!({ "io.modelcontextprotocol/clientCapabilities": 5 }),
        json!({ "io.modelcontextprotocol/protocolVersion": "2099-01-01" }),
        json!({ "io.modelcontextprotocol/logLevel": "loud" }),
        json!({ "progressToken": 1.5 }),
        json!({ "progressToken": {} }),
    ] {
        said += &error(probe.ask("tools/list", json!({ "_meta": own })).await);
    }
    expect![[r#"
        -32602 tools/list: params._meta: expected a valid \
        io.modelcontextprotocol/protocolVersion and \
        io.modelcontextprotocol/clientCapabilities, which every request carries
        -32602 tools/list: params._meta: expected a valid \
        io.modelcontextprotocol/clientCapabilities, which every request carries
        -32022 Unsupported protocol version
        {"requested":"2099-01-01","supported":["2024-11-05","2025-03-26","2025-06-18","2\
        025-11-25","2026-07-28"]}
        -32602 tools/list: params._meta.io.modelcontextprotocol/logLevel: expected \
        debug, info, notice, warning, error, critical, alert or emergency, came `"loud"`
        -32602 tools/list: params._meta.progressToken: expected a string or an integer, \
        came `1.5`
        -32602 tools/list: params._meta.progressToken: expected a string or an integer, \
        came `{}`
    "#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn deep_and_huge_params_are_answered() {
    let probe = probe();
    let (open, shut) = ("[".repeat(200), "]".repeat(200));
    let meta = meta();
    let deep = format!(r#"{{"name":"echo","arguments":{{"a":{open}{shut}}},"_meta":{meta}}}"#);
    expect![[r#"
        -32602 tools/call: params: recursion limit exceeded at line 1 column 158
    "#]]
    .assert_eq(&error(probe.raw("tools/call", &deep).await));

    let huge = "é".repeat(4 * 1024 * 1024);
    let params = json!({ "name": "echo", "arguments": { "text": huge } });
    let result = probe.ask("tools/call", params).await.unwrap();
    assert_eq!(result["structuredContent"]["text"], huge);
    let error = probe.ask("tools/call", json!({ "name": huge })).await.unwrap_err();
    assert_eq!(error.code, -32602);
}

#[tokio::test]
async fn a_panic_is_that_calls_alone() {
    let probe = probe();
    expect![[r#"
        -32603 the server panicked while it answered tools/call
    "#]]
    .assert_eq(&error(probe.ask("tools/call", json!({ "name": "panic" })).await));
    let watched = json!({ "name": "panic", "_meta": { "progressToken": 1 } });
    expect![[r#"
        -32603 the server panicked while it answered tools/call
    "#]]
    .assert_eq(&error(probe.ask("tools/call", watched).await));
    assert_eq!(probe.works("echo", json!({ "a": 1 })).await, json!({ "a": 1 }));
}

#[tokio::test]
async fn a_question_to_the_client_fails_at_once_and_says_what_to_do() {
    for tool in ["ask", "ask_in_task"] {
        let result = probe().tool(tool, json!({})).await;
        assert_eq!(
            result["content"][0]["text"],
            "Mcp error: -32600: server-to-client requests are not allowed on protocol 2026-07-28 \
             or later; return InputRequiredResult instead"
        );
    }
}

#[test]
fn a_child_serves_the_runtimes_that_come_after_the_first() {
    let probe = probe();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let params = json!({ "name": "count", "arguments": { "steps": 2 },
            "_meta": { "progressToken": "t" } });
        let (_, heard) = runtime.block_on(probe.hear("tools/call", params));
        assert_eq!(heard.len(), 2);
    }
    assert!(with_meta(json!({})).is_object());
}
