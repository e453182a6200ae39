//! Cancellation, progress and log messages, whoever the client is (checks 138 to 147).

use expect_test::expect;
use harness::client::{Either, legacy, modern, shown};
use harness::echo::Echo;
use harness::start::{Running, start_echo, start_echo_with};

const LEVEL: &str = "io.modelcontextprotocol/logLevel";
const TOKEN: &str = "progressToken";

fn slow(steps: &str, meta: &str) -> String {
    format!(r#"{{"name":"e_slow","arguments":{{"steps":{steps}}}{meta}}}"#)
}

/// Asks a client of each kind with this token; what each was told, and that all were told the same.
async fn told(gateway: &Running, steps: &str, token: &str) -> Vec<String> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for mut client in Either::everywhere(gateway).await {
        let mut messages = match &mut client {
            Either::ModernHttp(http) => {
                let ask = modern("tools/call", &slow(steps, "")).meta(TOKEN, token);
                let mut answer = http.send(&ask).await;
                let mut messages = Vec::new();
                while let Some(message) = answer.message().await {
                    messages.push(message);
                }
                messages
            }
            Either::ModernStdio(stdio) => {
                stdio.say(&modern("tools/call", &slow(steps, "")).meta(TOKEN, token)).await;
                lines(stdio).await
            }
            Either::LegacyStdio(stdio) => {
                stdio.say(&legacy("tools/call", &slow(steps, "")).meta(TOKEN, token)).await;
                lines(stdio).await
            }
            Either::LegacyHttp(_) => {
                let meta = format!(r#","_meta":{{"{TOKEN}":{token}}}"#);
                client.messages("tools/call", &slow(steps, &meta)).await
            }
        };
        let answer = messages.pop().expect("an answer");
        assert!(answer.contains(r#""id":1,"result""#), "{}: last {answer}", client.kind());
        all.push(messages);
    }
    let first = all.remove(0);
    assert!(all.iter().all(|other| *other == first), "not alike: {first:?} and {all:?}");
    first
}

async fn lines(stdio: &mut harness::client::Stdio) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(line) = stdio.next().await {
        let last = line.contains(r#""id":1,"#);
        messages.push(line);
        if last {
            break;
        }
    }
    messages
}

#[tokio::test]
async fn c142_the_clients_own_token_comes_back_in_value_and_type() {
    let gateway = start_echo(&Echo::new()).await;
    for token in ["7", r#""7""#, r#""t\u00fc""#, "0", "-3", "12345678901234567890123"] {
        let told = told(&gateway, "[1]", token).await;
        let tag = format!(r#""progressToken":{token},"#);
        assert!(told.len() == 1 && told[0].contains(&tag), "{token}: {told:?}");
    }
}

#[tokio::test]
async fn c143_progress_only_rises() {
    let gateway = start_echo(&Echo::new()).await;
    let told = told(&gateway, "[1,1,0.5,1.5,2e0,2.0,-1,1e400,3]", "1").await;
    expect![[r#"
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"total":9}}
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1.5,"total":9}}
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2e0,"total":9}}
        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":3,"total":9}}"#]].assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn c144_no_token_no_progress() {
    let gateway = start_echo(&Echo::new()).await;
    for mut client in Either::everywhere(&gateway).await {
        let messages = client.messages("tools/call", &slow("[1,2,3]", "")).await;
        assert_eq!(messages.len(), 1, "{}: {messages:?}", client.kind());
    }
}

#[tokio::test]
async fn c142_one_token_in_two_calls_at_once_reaches_each_its_own() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let [one, two] = ["[1,2]", "[5,6]"]
        .map(|steps| modern("tools/call", &slow(steps, "")).meta(TOKEN, "\"same\""));
    let (one, two) = tokio::join!(http.shown(&one), http.shown(&two));
    let steps = |shown: &str| -> Vec<String> {
        let parts = shown.split(r#""progress":"#).skip(1);
        parts.map(|part| part.split(',').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        (steps(&one), steps(&two)),
        (vec!["1".into(), "2".into()], vec!["5".into(), "6".into()])
    );
}

#[tokio::test]
async fn many_notices_before_the_answer_all_come_and_in_order() {
    let gateway = start_echo(&Echo::new()).await;
    let steps: Vec<_> = (1..=2000).map(|step| step.to_string()).collect();
    let told = told(&gateway, &format!("[{}]", steps.join(",")), "1").await;
    assert_eq!(told.len(), 2000);
    let in_order = told.iter().zip(&steps);
    for (told, step) in in_order {
        assert!(told.contains(&format!(r#""progress":{step},"#)), "{step}: {told}");
    }
}

#[tokio::test]
async fn c146_no_log_without_a_level_and_none_below_it() {
    let gateway = start_echo(&Echo::new()).await;
    let all = r#"["debug","info","notice","warning","error","critical","alert","emergency"]"#;
    let log = format!(r#"{{"name":"e_log","arguments":{{"levels":{all}}}}}"#);
    let mut shown = String::new();
    for level in ["", "debug", "warning", "emergency"] {
        let mut ask = modern("tools/call", &log);
        if !level.is_empty() {
            ask = ask.meta(LEVEL, &format!("\"{level}\""));
        }
        let came = gateway.http().shown(&ask).await;
        let levels: Vec<_> = came
            .split(r#""level":""#)
            .skip(1)
            .map(|part| part.split('"').next().unwrap_or_default())
            .collect();
        shown.push_str(format!("{level}: {}", levels.join(" ")).trim_end());
        shown.push('\n');
    }
    expect![[r#"
        :
        debug: debug info notice warning error critical alert emergency
        warning: warning error critical alert emergency
        emergency: emergency
    "#]]
    .assert_eq(&shown);
}

#[tokio::test]
async fn c146_a_log_message_goes_through_as_it_is() {
    let gateway = start_echo(&Echo::new()).await;
    let log = r#"{"name":"e_log","arguments":{"levels":["error","loud"]}}"#;
    let ask = modern("tools/call", log).meta(LEVEL, "\"info\"");
    expect![[r#"
        200 text/event-stream
        {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","logger":"echo","data":"error"}}
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\"logged\""}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]].assert_eq(&gateway.http().shown(&ask).await);
}

#[tokio::test]
async fn c138_each_kind_of_client_cancels_in_its_own_way() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let wait = r#"{"name":"e_wait","arguments":{}}"#;
    let cancel = legacy("notifications/cancelled", r#"{"requestId":1}"#).without_id();
    for (at, client) in Either::everywhere(&gateway).await.into_iter().enumerate() {
        let (kind, begun) = (client.kind(), at + 1);
        match client {
            Either::ModernHttp(http) => {
                let ask = modern("tools/call", wait);
                let waiting = tokio::spawn(async move { http.send(&ask).await.status });
                child.begun("tools/call wait", begun).await;
                waiting.abort();
            }
            Either::LegacyHttp(session) => {
                let http = gateway.http();
                let ask = session.ask("tools/call", wait);
                let waiting = tokio::spawn(async move { http.shown(&ask).await });
                child.begun("tools/call wait", begun).await;
                assert_eq!(
                    session.tell("notifications/cancelled", r#"{"requestId":1}"#).await,
                    202
                );
                let shown = waiting.await.unwrap();
                assert_eq!(shown, "200 text/event-stream", "{kind}: no answer");
            }
            Either::ModernStdio(mut stdio) => {
                stdio.say(&modern("tools/call", wait)).await;
                child.begun("tools/call wait", begun).await;
                stdio.say(&cancel).await;
                child.cancelled("tools/call wait", begun).await;
                assert_eq!(stdio.end().await, Vec::<String>::new(), "{kind}");
            }
            Either::LegacyStdio(mut stdio) => {
                stdio.say(&legacy("tools/call", wait)).await;
                child.begun("tools/call wait", begun).await;
                stdio.say(&cancel).await;
                child.cancelled("tools/call wait", begun).await;
                assert_eq!(stdio.end().await, Vec::<String>::new(), "{kind}");
            }
        }
        child.cancelled("tools/call wait", begun).await;
    }
}

#[tokio::test]
async fn c139_a_place_that_a_cancelled_call_had_is_free_again() {
    let child = Echo::new();
    let limits = [("gateway.limits.calls_in_flight_max", "1")];
    let gateway = start_echo_with(&child, &limits).await;
    let mut stdio = gateway.stdio();
    for times in 1..=20 {
        stdio.say(&modern("tools/call", r#"{"name":"e_wait","arguments":{}}"#)).await;
        child.begun("tools/call wait", times).await;
        let cancel =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        stdio.line(cancel).await;
        child.cancelled("tools/call wait", times).await;
    }
}

#[tokio::test]
async fn c140_cancels_of_unknown_and_finished_requests_are_ignored() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let cancel = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        )
    };
    let mut stdio = gateway.stdio();
    for id in ["1", "\"1\"", "null", "{}", "[1]"] {
        stdio.line(cancel(id)).await;
    }
    stdio.line(r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#).await;
    stdio.say(&modern("tools/call", r#"{"name":"e_wait","arguments":{}}"#)).await;
    child.begun("tools/call wait", 1).await;
    for _ in 0..3 {
        stdio.line(cancel("1")).await;
    }
    child.cancelled("tools/call wait", 1).await;
    for _ in 0..2 {
        let answer = stdio.shown(&modern("tools/list", "{}").id("9")).await;
        assert!(answer.contains(r#""id":9,"result""#), "{answer}");
        stdio.line(cancel("9")).await;
    }
}

#[tokio::test]
async fn c141_a_call_that_shows_no_life_ends_in_time_and_is_cancelled() {
    let child = Echo::new();
    let flags = [("mounts.e.timeout", "100ms"), ("mounts.e.timeout_max", "5s")];
    let gateway = start_echo_with(&child, &flags).await;
    let shown = gateway.http().shown(&modern("tools/call", r#"{"name":"e_wait"}"#)).await;
    assert!(shown.contains(r#"{"code":"TIMEOUT","mount":"e"}"#), "{shown}");
    child.cancelled("tools/call wait", 1).await;
}

#[tokio::test]
async fn a_drain_waits_for_the_calls_of_a_session() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let session = gateway.http().session("2025-11-25").await;
    let wait = r#"{"name":"e_wait","arguments":{},"_meta":{"progressToken":"t"}}"#;
    let mut held = session.send("tools/call", wait).await;
    child.begun("tools/call wait", 1).await;
    let mut standing = session.stream().await;
    let stopping = tokio::spawn(gateway.stop());
    // The end of the standing stream shows that the drain has begun.
    while standing.message().await.is_some() {}
    child.release();
    let mut last = None;
    while let Some(message) = held.message().await {
        last = Some(message);
    }
    assert!(shown(last).contains(r#""result""#));
    stopping.await.unwrap();
}
