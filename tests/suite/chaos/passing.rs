//! Faults that cost one call, and what is no fault at all: the mount stays as it is.

use futures_util::future::join_all;
use harness::scripted::{Paging, Script, Step, What, at, string};

use super::{Cell, keys, well};
use crate::children::Wire;
use crate::children::{ALL, ON_A_CHANNEL};

/// Wires on which one message cannot be left out.
const COST_THE_CONNECTION: [Wire; 3] =
    [Wire::ModernWebSocket, Wire::LegacyWebSocket, Wire::LegacyPaired];

/// Wires on which a child speaks without being asked.
fn telling() -> Vec<Wire> {
    let others = [Wire::InProcess, Wire::ModernEvents, Wire::LegacyEvents];
    others.into_iter().chain(ON_A_CHANNEL).collect()
}

/// `data.gateway.code` of an error below the head of the answer.
fn code(answer: &str) -> String {
    let body = answer.split_once('\n').map_or("", |(_, body)| body);
    let data = at(body, &["error", "data", "gateway"]).unwrap_or_default();
    string(&data, "code").unwrap_or_else(|| format!("no fault of the gateway: {answer}"))
}

/// A call that is answered so, while the other mount answers, and one after it that is well.
async fn costs_one_call(wires: &[Wire], keys: &str, steps: &[Step], expected: &str) {
    let cells = wires.iter().map(|wire| async move {
        let script = Script::modern().tool("t").tool("well").on("tools/call t", steps);
        let cell = Cell::new(*wire, keys, script).await;
        let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
        assert_eq!(code(&answer), expected, "{wire:?}: {answer}");
        let answer = cell.call("m_well").await;
        assert!(answer.contains("well {}"), "{wire:?}: {answer}");
        assert_eq!(cell.play.report("m").gate, "open", "{wire:?}");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn huge() {
    let keys = "result_bytes_max = \"64KiB\"\n";
    // A child in this process hands over what is there already; a WebSocket and the one stream of
    // HTTP+SSE have no way to leave out one message, so that it costs the connection.
    let spared = [Wire::InProcess].into_iter().chain(COST_THE_CONNECTION);
    let spared: Vec<Wire> = spared.collect();
    let wires: Vec<Wire> = ALL.into_iter().filter(|wire| !spared.contains(wire)).collect();
    costs_one_call(&wires, keys, &[Step::Huge(1024 * 1024)], "BAD_ANSWER").await;
}

#[tokio::test]
async fn huge_where_it_costs_the_connection() {
    let cells = COST_THE_CONNECTION.map(|wire| async move {
        let huge = [Step::Huge(1024 * 1024)];
        let script = Script::modern().tool("t").on("tools/call t", &huge);
        let keys = format!("result_bytes_max = \"64KiB\"\n{}", keys(wire));
        let cell = Cell::new(wire, &keys, script).await;
        let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
        let code = code(&answer);
        assert!(matches!(&*code, "BAD_ANSWER" | "OUTCOME_UNKNOWN"), "{wire:?}: {answer}");
        let executed = cell.play.director("m").count(What::Executed, "tools/call").await;
        assert!(executed <= 1, "{wire:?}: never twice");
        cell.until_back().await;
    });
    join_all(cells).await;
}

#[tokio::test]
async fn wrong_ids() {
    let wrong = r#"{"content":[{"type":"text","text":"wrong"}]}"#.to_owned();
    let steps = [Step::AnswerAs("999999".to_owned(), wrong), Step::Hang];
    // Over HTTP the answer to another id stands in the place of this one's.
    costs_one_call(&ON_A_CHANNEL, "timeout = \"10s\"\n", &steps, "TIMEOUT").await;
}

#[tokio::test]
async fn dripping() {
    let cells = ALL.map(|wire| async move {
        let script = well().on("tools/call t", &[Step::Drip(1)]);
        let cell = Cell::new(wire, "", script).await;
        let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
        assert!(answer.contains("t {}"), "{wire:?}: {answer}");
        assert_eq!(cell.play.report("m").gate, "open", "{wire:?}");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn session_404() {
    let cells = [Wire::LegacyHttp, Wire::LegacyEvents].map(|wire| async move {
        let cell = Cell::new(wire, "", well()).await;
        for _ in 0..3 {
            cell.play.director("m").forget();
            let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
            assert!(answer.contains("t {}"), "{wire:?}: {answer}");
        }
        let executed = cell.play.director("m").count(What::Executed, "tools/call").await;
        assert_eq!(executed, 3, "{wire:?}: each call once");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn list_changed_storm() {
    const STORM: usize = 500;
    let cells = telling().into_iter().map(|wire| async move {
        let cell = Cell::new(wire, "", well()).await;
        let director = cell.play.director("m").clone();
        let before = director.count(What::Request, "tools/list").await;
        for _ in 0..STORM {
            director.tell("notifications/tools/list_changed", "{}");
        }
        director.script(wire.dressed(well().tool("back")));
        director.tell("notifications/tools/list_changed", "{}");
        let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
        assert!(answer.contains("t {}"), "{wire:?}: {answer}");
        cell.until_back().await;
        let asked = director.count(What::Request, "tools/list").await - before;
        assert!(asked < STORM / 4, "{wire:?}: {asked} looks at the list for {STORM} changes");
    });
    join_all(cells).await;
}

#[tokio::test]
async fn endless_pages() {
    let cells = ALL.map(|wire| async move {
        let mut script = well();
        script.catalog.page_entries = 1;
        script.catalog.paging = Paging::Endless;
        let cell = Cell::new(wire, "pages_max = 20\n", script).await;
        let (answer, ()) = tokio::join!(cell.call("m_t"), cell.others_answer());
        assert!(answer.contains("t {}"), "{wire:?}: {answer}");
        cell.play.until_state("m", "ready").await;
        let report = cell.play.report("m");
        let told = report.withheld.iter().any(|one| one.reason.contains("20 pages"));
        assert!(told, "{wire:?}: {:?}", report.withheld);
    });
    join_all(cells).await;
}
