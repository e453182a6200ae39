//! Batches of 2025-03-26 over HTTP.

use expect_test::expect;
use harness::client::posted;
use harness::echo::Echo;
use harness::start::start_echo;

#[tokio::test]
async fn c011_a_batch_of_2025_03_26_gets_all_its_answers() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session("2025-03-26").await;
    let batch = r#"[
        {"jsonrpc":"2.0","id":1,"method":"ping"},
        {"jsonrpc":"2.0","method":"notifications/initialized"},
        {"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"e_echo","arguments":{}}},
        {"jsonrpc":"2.0","id":3,"method":"nope"},
        {"jsonrpc":"2.0","id":4,"result":{}},
        {"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{}}},
        {"jsonrpc":"2.0","id":6,"method":"server/discover"},
        7
    ]"#;
    let shown = gateway.http().shown(&session.of(posted(batch))).await;
    let mut lines: Vec<_> = shown.lines().collect();
    lines[1..].sort_unstable();
    expect![[r#"
        200 text/event-stream
        {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a message is an object, this is a number"}}
        {"jsonrpc":"2.0","id":"b","result":{"content":[{"type":"text","text":"{}"}]}}
        {"jsonrpc":"2.0","id":1,"result":{}}
        {"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"nothing here offers nope","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}
        {"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"nothing here offers subscriptions/listen","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}
        {"jsonrpc":"2.0","id":6,"error":{"code":-32601,"message":"nothing here offers server/discover","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]].assert_eq(&lines.join("\n"));
    let silent = r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#;
    assert_eq!(gateway.http().shown(&session.of(posted(silent))).await, "202 -");
    let many = vec![r#"{"jsonrpc":"2.0","method":"x"}"#; 101].join(",");
    let shown = gateway.http().shown(&session.of(posted(format!("[{many}]")))).await;
    assert!(shown.starts_with("400 "), "{shown}");
}

#[tokio::test]
async fn c011_a_batch_to_a_client_that_takes_no_stream_is_answered_by_an_array() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-03-26").await;
    let batch =
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let ask = session.of(posted(batch)).header("accept", "application/json");
    let shown = gateway.http().shown(&ask).await;
    for id in [1, 2] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        assert!(shown.contains(&answer), "{answer}: {shown}");
    }
}
