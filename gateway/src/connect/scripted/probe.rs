//! What each answer to the first question leads to.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::asking::Asking;
use super::super::probe::{Peer, Plan, Unmet, meet};
use super::{Child, wired};

const PROBE: Plan = Plan::Probe { wait: Duration::from_secs(3) };

async fn met(plan: Plan, child: impl AsyncFnOnce(Child) -> Option<Child>) -> String {
    let (lines, peer, _) = wired(64 << 10);
    let (events, _out) = mpsc::channel(8);
    let (met, _alive) =
        tokio::join!(meet(&lines.wire, plan, events, Asking::of(&"m".into())), child(peer));
    match met {
        Ok(peer) => {
            assert_eq!(matches!(peer, Peer::Modern(_)), peer.about().speaks.starts_with("modern"));
            peer.about().speaks.clone()
        }
        Err(Unmet { fault, died_of_probe: true }) => format!("died: {}", fault.text),
        Err(unmet) => unmet.fault.text,
    }
}

async fn greeted(child: &mut Child, offered: &str) {
    let message = child.next().await;
    assert_eq!(message["method"], "initialize");
    assert_eq!(message["params"]["protocolVersion"], offered);
    child.welcome(message["id"].as_u64().unwrap(), json!({})).await;
}

/// What a `server/discover` that is answered so leads to; `offered` in the handshake, if any.
async fn check(answer: Value, offered: Option<&str>, expected: &str) {
    let shown = answer.to_string();
    let found = met(PROBE, async move |mut child| {
        let id = child.request("server/discover").await;
        let mut answer = answer;
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = json!(id);
        child.say(answer.to_string()).await;
        if let Some(offered) = offered {
            greeted(&mut child, offered).await;
        }
        Some(child)
    })
    .await;
    assert_eq!(found, expected, "{shown}");
}

#[tokio::test]
async fn c037_the_versions_in_a_discovery_decide() {
    let result = |versions: Value| {
        json!({"result": {"resultType": "complete", "supportedVersions": versions,
                          "capabilities": {"tools": {}}}})
    };
    check(result(json!(["2025-06-18", "2026-07-28"])), None, "modern 2026-07-28").await;
    let (legacy, offered) = ("legacy 2025-06-18", Some("2025-11-25"));
    check(result(json!(["2024-11-05", "2025-03-26"])), Some("2025-03-26"), legacy).await;
    check(result(json!(["2031-01-01"])), offered, legacy).await;
    check(result(json!("2026-07-28")), offered, legacy).await;
    check(json!({"result": {"protocolVersion": "2026-07-28"}}), offered, legacy).await;
    check(json!({"result": 7}), offered, legacy).await;
}

#[tokio::test]
async fn c038_c039_an_error_means_legacy_unless_only_modern_servers_say_it() {
    let error =
        |code: i64, data: Value| json!({"error": {"code": code, "message": "no", "data": data}});
    let (legacy, offered) = ("legacy 2025-06-18", Some("2025-11-25"));
    for code in [-32601, -32602, -32600, -32000, -32603, 0, -32002, 1] {
        check(error(code, json!(null)), offered, legacy).await;
    }
    check(json!({"error": "what"}), offered, legacy).await;
    for code in [-32020, -32021] {
        check(error(code, json!(null)), None, "modern 2026-07-28").await;
    }
    let supported = |list: Value| error(-32022, json!({ "supported": list }));
    check(supported(json!(["2026-07-28"])), None, "modern 2026-07-28").await;
    check(supported(json!(["2025-03-26"])), Some("2025-03-26"), legacy).await;
    let none = "the server behind `m` cannot be reached: no version in common: no";
    check(supported(json!(["2031-01-01"])), None, none).await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_legacy_and_a_late_error_to_the_probe_is_ignored() {
    let found = met(PROBE, async |mut child| {
        let probe = child.request("server/discover").await;
        let id = child.request("initialize").await;
        child.error(probe, -32601, json!(null)).await;
        child.welcome(id, json!({})).await;
        Some(child)
    })
    .await;
    assert_eq!(found, "legacy 2025-06-18");
}

#[tokio::test(start_paused = true)]
async fn a_slow_modern_child_that_knows_no_handshake_is_still_modern() {
    let found = met(PROBE, async |mut child| {
        let probe = child.request("server/discover").await;
        child.request("initialize").await;
        child.result(probe, json!({"supportedVersions": ["2026-07-28"]})).await;
        Some(child)
    })
    .await;
    assert_eq!(found, "modern 2026-07-28");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_speaks_is_given_up() {
    let found = met(PROBE, async |child| Some(child)).await;
    assert!(found.contains("no answer to `initialize`"), "{found}");
}

#[tokio::test]
async fn a_death_before_the_first_answer_is_told_apart() {
    let found = met(PROBE, async |mut child| {
        child.request("server/discover").await;
        None
    })
    .await;
    assert!(found.starts_with("died"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_child_that_dies_of_the_probe_after_its_time_is_told_apart_too() {
    let found = met(PROBE, async |mut child| {
        child.request("server/discover").await;
        child.request("initialize").await;
        None
    })
    .await;
    assert!(found.starts_with("died"), "{found}");
}

#[tokio::test]
async fn a_pinned_modern_child_is_never_greeted() {
    let refused = met(Plan::Modern, async |mut child| {
        let id = child.request("server/discover").await;
        child.error(id, -32601, json!(null)).await;
        Some(child)
    })
    .await;
    assert!(refused.contains("era = \"modern\""), "{refused}");
    let found = met(Plan::Modern, async |mut child| {
        let id = child.request("server/discover").await;
        child.result(id, json!({"supportedVersions": ["2026-07-28"]})).await;
        Some(child)
    })
    .await;
    assert_eq!(found, "modern 2026-07-28");
}
