//! The child as clients see it: through the gateway.

use gateway::config::{FileSource, Sources, load};
use gateway::{Children, Gateway};
use hello::Child;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use upstreams::with_options;

/// Asks the gateway one thing, as a client on standard input and output does.
async fn ask(method: &str, mut params: Value) -> Value {
    let mut children = Children::new();
    children.insert("hello", with_options(|options, _folder| Ok(Child::new(options))));
    let loaded = load(Sources {
        file: FileSource::Embedded(include_str!("../routing.toml")),
        environment: Vec::new(),
        flags: Vec::new(),
        children: &children,
    });
    let config = loaded.unwrap_or_else(|problems| panic!("{problems}")).config;
    let gateway = Gateway::start(config, &children).unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (input, output) = tokio::io::split(there);
    let serving = tokio::spawn(gateway.serve_stream(input, output, Default::default()));

    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let (read, mut write) = tokio::io::split(here);
    write.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    let line = BufReader::new(read).lines().next_line().await.unwrap().unwrap();
    serving.abort();
    gateway.stop().await;
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn the_tool_greets() {
    let arguments = json!({ "name": "Ada", "times": 2 });
    let answer = ask("tools/call", json!({ "name": "hello_greet", "arguments": arguments })).await;
    assert_eq!(answer["result"]["structuredContent"]["text"], "Hello, Ada!\nHello, Ada!");
}

#[tokio::test]
async fn a_bad_argument_is_explained() {
    let arguments = json!({ "name": "", "times": 11 });
    let answer = ask("tools/call", json!({ "name": "hello_greet", "arguments": arguments })).await;
    assert_eq!(answer["result"]["isError"], true);
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("name: expected a text of 1 to 100 characters"), "{text}");
    assert!(text.contains("times: expected a whole number from 1 to 10, came 11"), "{text}");
}

#[tokio::test]
async fn the_resource_and_the_prompt_greet_too() {
    let answer = ask("resources/read", json!({ "uri": "hello://hello/greetings/Ada" })).await;
    assert_eq!(answer["result"]["contents"][0]["text"], "Hello, Ada!", "{answer}");
    let prompt = json!({ "name": "hello_warmer", "arguments": { "name": "Ada" } });
    let answer = ask("prompts/get", prompt).await;
    let text = &answer["result"]["messages"][0]["content"]["text"];
    assert_eq!(text, "Make this greeting warmer: Hello, Ada!");
}
