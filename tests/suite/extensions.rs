//! Extensions: which are passed on, and MCP Apps, for each pair of eras.

use expect_test::expect;
use harness::client::{Able, modern};
use harness::scripted::{Script, Step, What, at, elements, member, string};
use protocol::meta::CLIENT_CAPABILITIES;

use crate::questions::{ALL, Child, LEGACY};

/// What a client declares that has interfaces, and an extension that nobody here knows.
const HOST: &str = r#"{"extensions":{"com.example/x":{"a":1},"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#;

/// A tool with an interface, in both of the forms that there are, and one for that interface alone.
const SHOW: &str = r#"{"name":"show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://app/main","visibility":["model","app"],"x":1.0},"ui/resourceUri":"ui://app/main"}}"#;
const REFRESH: &str =
    r#"{"name":"refresh","inputSchema":{"type":"object"},"_meta":{"ui":{"visibility":["app"]}}}"#;

/// The interface, which no list has.
const PAGE: &str = r#"{"contents":[{"uri":"ui://app/main","mimeType":"text/html;profile=mcp-app","text":"<!DOCTYPE html>","_meta":{"ui":{"csp":{"connectDomains":["https://a.example"]},"prefersBorder":true}}}]}"#;

fn app() -> Script {
    let shown = r#"{"content":[],"_meta":{"ui":{"resourceUri":"ui://app/main"}}}"#.to_owned();
    Script::modern()
        .tool_as(SHOW)
        .tool_as(REFRESH)
        .resource("x://other")
        .on("tools/call show", &[Step::Answer(shown)])
        .on("resources/read ui://app/main", &[Step::Answer(PAGE.to_owned())])
}

async fn ask(client: &mut Able, method: &str, params: &str) -> String {
    client.talk(method, params, |method, _| panic!("nobody asks {method}")).await.answer
}

fn tools(answer: &str) -> Vec<String> {
    elements(&at(answer, &["result", "tools"]).unwrap_or_else(|| panic!("no tools: {answer}")))
}

fn names(answer: &str) -> Vec<String> {
    tools(answer).iter().filter_map(|tool| string(tool, "name")).collect()
}

#[tokio::test]
async fn c188_the_interface_of_a_tool_is_read_where_the_tool_says_though_no_list_has_it() {
    for child in ALL {
        for (keys, uri) in [
            ("", "ui://m/app/main"),
            ("resources = \"keep\"\n", "ui://app/main"),
            ("prefix = \"\"\n", "ui://app/main"),
        ] {
            let play = child.play(keys, app()).await;
            for mut client in Able::everywhere(&play.running, HOST).await {
                let which = format!("{child:?}, {keys:?}, {}", client.kind());
                let listed = ask(&mut client, "tools/list", "{}").await;
                let tool = tools(&listed).into_iter().find(|tool| tool.contains("show")).unwrap();
                let name = string(&tool, "name").unwrap();
                let meta = member(&tool, "_meta").unwrap();
                assert_eq!(meta, member(&SHOW.replace("ui://app/main", uri), "_meta").unwrap());
                let params = format!(r#"{{"name":"{name}","arguments":{{}}}}"#);
                let called = ask(&mut client, "tools/call", &params).await;
                let at_result = at(&called, &["result", "_meta", "ui", "resourceUri"]);
                assert_eq!(at_result, Some(format!("\"{uri}\"")), "{which}: {called}");
                let params = format!(r#"{{"uri":"{uri}"}}"#);
                let read = ask(&mut client, "resources/read", &params).await;
                let expected = member(&PAGE.replace("ui://app/main", uri), "contents");
                assert_eq!(at(&read, &["result", "contents"]), expected, "{which}: {read}");
            }
        }
    }
}

#[tokio::test]
async fn c188_a_tool_for_interfaces_is_neither_shown_to_nor_served_to_a_client_without() {
    for child in ALL {
        let play = child.play("", app()).await;
        let called = r#"{"name":"m_refresh","arguments":{}}"#;
        for mut client in Able::everywhere(&play.running, "{}").await {
            let which = format!("{child:?}, {}", client.kind());
            let listed = ask(&mut client, "tools/list", "{}").await;
            assert_eq!(names(&listed), ["m_show"], "{which}");
            let refused = ask(&mut client, "tools/call", called).await;
            let code = at(&refused, &["error", "code"]);
            assert_eq!(code.as_deref(), Some("-32602"), "{which}: {refused}");
        }
        assert_eq!(play.director("m").count(What::Request, "tools/call").await, 0, "{child:?}");
        for mut client in Able::everywhere(&play.running, HOST).await {
            let which = format!("{child:?}, {}", client.kind());
            let listed = ask(&mut client, "tools/list", "{}").await;
            assert_eq!(names(&listed), ["m_refresh", "m_show"], "{which}");
            if client.is_modern() {
                // A cache between could not tell the two lists apart.
                let scope = at(&listed, &["result", "cacheScope"]);
                assert_eq!(scope.as_deref(), Some(r#""private""#), "{which}");
            }
            let served = ask(&mut client, "tools/call", called).await;
            assert!(served.contains("refresh {}"), "{which}: {served}");
        }
    }
}

#[tokio::test]
async fn c031_an_extension_that_is_not_understood_reaches_no_child() {
    for child in ALL {
        let play = child.play("", app()).await;
        for mut client in Able::everywhere(&play.running, HOST).await {
            ask(&mut client, "tools/call", r#"{"name":"m_show","arguments":{}}"#).await;
        }
        let legacy = LEGACY.contains(&child);
        let kind = if legacy { "initialize" } else { "tools/call" };
        let seen = play.director("m").requests(kind).await;
        assert!(!seen.is_empty(), "{child:?}");
        for request in seen {
            let path: &[&str] = match legacy {
                true => &["capabilities", "extensions"],
                false => &["_meta", CLIENT_CAPABILITIES, "extensions"],
            };
            let extensions = at(&request.params, path);
            let expected =
                r#"{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}"#;
            assert_eq!(extensions.as_deref(), Some(expected), "{child:?}: {}", request.params);
        }
    }
}

#[tokio::test]
async fn c188_a_child_is_asked_for_its_tools_by_one_who_has_interfaces() {
    let play = Child::ModernHttp.play("", app()).await;
    let listed = play.director("m").requests("tools/list").await;
    assert!(!listed.is_empty());
    for request in listed {
        assert!(request.params.contains("profile=mcp-app"), "{}", request.params);
    }
}

#[tokio::test]
async fn c031_what_a_child_declares_is_told_as_far_as_it_is_understood() {
    let capabilities = r#"{"tools":{},"tasks":{"list":{}},"extensions":{"com.example/x":{},"io.modelcontextprotocol/ui":{}}}"#;
    for child in ALL {
        let script = Script { capabilities: Some(capabilities.to_owned()), ..app() };
        let play = child.play("", script).await;
        let discovered = play.ask("server/discover", "{}").await;
        expect![[r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":false},"extensions":{"io.modelcontextprotocol/ui":{}}}"#]]
            .assert_eq(&at(&discovered, &["result", "capabilities"]).unwrap_or_default());
        let ask = harness::client::initialize("2025-11-25", "{}");
        let greeted = play.running.http().send(&ask).await.message().await.unwrap_or_default();
        assert!(greeted.contains(r#""extensions":{"io.modelcontextprotocol/ui":{}}"#), "{greeted}");
    }
}

#[tokio::test]
async fn c031_what_is_no_declaration_declares_nothing() {
    let play = Child::InProcess.play("", app()).await;
    for odd in [
        r#"{"extensions":[]}"#,
        r#"{"extensions":{"io.modelcontextprotocol/ui":true}}"#,
        r#"{"extensions":{"io.modelcontextprotocol/UI":{}}}"#,
    ] {
        let ask = modern("tools/list", "{}").meta(CLIENT_CAPABILITIES, odd);
        let mut answer = play.running.http().send(&ask).await;
        let listed = answer.message().await.unwrap_or_default().replace("{gateway}", "{}");
        assert_eq!(names(&listed), ["m_show"], "{odd}");
    }
}
