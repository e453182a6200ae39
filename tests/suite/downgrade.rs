//! What older revisions do not know: content, structured results, and codes (checks 12 and 97).

use expect_test::expect;
use harness::client::{Session, check, legacy, modern, shown};
use harness::echo::Echo;
use harness::start::{Running, start_echo};

const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const PAGES: &str = r#"{"elicitation":{"url":{}}}"#;

/// A result with everything that some revision does not know.
const RICH: &str = r#"{"name":"e_answer","arguments":{"result":{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"},{"type":"resource_link","uri":"http://a/b","name":"b","title":"B"}],"structuredContent":[1]}}}"#;

/// A call that is answered by the error that sends people to a page.
const PAGE: &str = r#"{"name":"e_fail","arguments":{"error":{"code":-32042,"message":"visit","data":{"elicitations":[{"mode":"url","elicitationId":"x1","url":"https://a.example/","message":"m"}]}}}}"#;

/// The result alone.
fn result(answer: &str) -> String {
    let from = answer.find(r#""result":"#).unwrap_or_else(|| panic!("{answer}"));
    answer[from..].to_owned()
}

#[tokio::test]
async fn c097_each_version_gets_what_it_knows_over_each_transport() {
    let gateway = start_echo(&Echo::new()).await;
    let mut told = String::new();
    for version in VERSIONS {
        let http = gateway.http().session(version).await.shown("tools/call", RICH).await;
        let mut stdio = gateway.stdio();
        stdio.handshake(version).await;
        let stdio = stdio.shown(&legacy("tools/call", RICH)).await;
        assert_eq!(result(&http), result(&stdio));
        told += &format!("{version} {}\n", result(&http));
    }
    expect![[r#"
        2024-11-05 "result":{"content":[{"type":"text","text":"[audio (audio/wav) that protocol version 2024-11-05 cannot carry]"},{"type":"text","text":"[resource: B, http://a/b]"},{"type":"text","text":"[1]"}]}}
        2025-03-26 "result":{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"},{"type":"text","text":"[resource: B, http://a/b]"},{"type":"text","text":"[1]"}]}}
        2025-06-18 "result":{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"},{"type":"resource_link","uri":"http://a/b","name":"b","title":"B"},{"type":"text","text":"[1]"}]}}
        2025-11-25 "result":{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"},{"type":"resource_link","uri":"http://a/b","name":"b","title":"B"},{"type":"text","text":"[1]"}]}}
    "#]]
    .assert_eq(&told);
    let now = gateway.http().shown(&modern("tools/call", RICH)).await;
    assert!(now.contains(r#""structuredContent":[1]"#), "{now}");
}

/// The state of a result that asks.
fn state(answer: &str) -> String {
    let state = answer.split_once(r#""requestState":""#).and_then(|(_, rest)| rest.split_once('"'));
    state.unwrap_or_else(|| panic!("{answer}")).0.to_owned()
}

/// The call again, with this answer to its page.
async fn again(gateway: &Running, state: &str, action: &str) -> String {
    back(gateway, state, &format!(r#"{{"page1":{{"action":"{action}"}}}}"#)).await
}

/// The same with any answers.
async fn back(gateway: &Running, state: &str, responses: &str) -> String {
    let input = format!(r#","requestState":"{state}","inputResponses":{responses}}}"#);
    let params = PAGE.strip_suffix('}').unwrap_or(PAGE).to_owned() + &input;
    let ask = modern("tools/call", &params).meta(CAPABILITIES, PAGES);
    shown(gateway.http().send(&ask).await.message().await)
}

#[tokio::test]
async fn c012_a_page_that_must_be_visited_first_is_a_question_to_a_modern_client() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let ask = modern("tools/call", PAGE).meta(CAPABILITIES, PAGES);
    let asked = shown(gateway.http().send(&ask).await.message().await);
    let question = r#""inputRequests":{"page1":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example/","message":"m"}}}"#;
    assert!(asked.contains(question), "{asked}");
    assert_eq!(child.count("tools/call fail"), 1);
    // Whoever was there has it sent anew; this child answers the same again.
    let next = again(&gateway, &state(&asked), "accept").await;
    assert!(next.contains(question), "{next}");
    assert_eq!(child.count("tools/call fail"), 2);
    let declined = again(&gateway, &state(&next), "decline").await;
    assert!(declined.contains("UNANSWERED") && declined.contains("declined"), "{declined}");
    assert_eq!(child.count("tools/call fail"), 2);
    let cannot = gateway.http().shown(&modern("tools/call", PAGE)).await;
    assert!(cannot.starts_with("400 ") && cannot.contains(r#""code":-32021"#), "{cannot}");
}

#[tokio::test]
async fn c115_back_from_a_page_other_answers_are_ignored_and_malformed_ones_refused() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let ask = modern("tools/call", PAGE).meta(CAPABILITIES, PAGES);
    let asked = shown(gateway.http().send(&ask).await.message().await);
    let state = state(&asked);
    for malformed in [
        r#"{"page1":{"action":"bogus"}}"#,
        r#"{"page1":{}}"#,
        r#"{"page1":7}"#,
        r#"{"page1":{"action":"accept","content":[]}}"#,
        "[]",
    ] {
        let answer = back(&gateway, &state, malformed).await;
        assert!(answer.contains(r#""code":-32602"#), "{malformed}: {answer}");
        assert!(answer.contains("params.inputResponses"), "{malformed}: {answer}");
    }
    assert_eq!(child.count("tools/call fail"), 1, "nothing was done");
    for (round, good) in [
        r#"{"page1":{"action":"accept"},"zzz":5}"#,
        r#"{"page1":{"action":"accept"},"page2":{"action":"decline"},"other":{"action":"decline"}}"#,
        // Who answers nothing is asked again.
        r#"{"other":{"action":"accept"}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let answer = back(&gateway, &state, good).await;
        assert!(answer.contains(r#""inputRequests":{"page1""#), "{good}: {answer}");
        assert_eq!(child.count("tools/call fail"), 2 + round, "{good}");
    }
}

#[tokio::test]
async fn c012_a_page_that_must_be_visited_first_is_an_error_to_who_knows_it() {
    let gateway = start_echo(&Echo::new()).await;
    let able = Session::open(gateway.http(), "2025-11-25", PAGES).await;
    check(&gateway.http(), &able.ask("tools/call", PAGE), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"visit","data":{"elicitations":[{"mode":"url","elicitationId":"x1","url":"https://a.example/","message":"m"}]}}}"#]]).await;
    for (version, capabilities) in [("2025-11-25", "{}"), ("2025-06-18", PAGES)] {
        let session = Session::open(gateway.http(), version, capabilities).await;
        let shown = session.shown("tools/call", PAGE).await;
        assert!(shown.contains(r#""code":-32602"#), "{version}: {shown}");
    }
}
