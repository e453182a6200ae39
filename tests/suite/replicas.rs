//! Several equal children behind one mount: balanced, the sick one left out, sessions kept.

use harness::scripted::{Cast, Http, Play, Script, What};
use harness::start::until;

const LEGACY: &str = "2025-11-25";

fn equal(count: usize) -> Vec<Script> {
    (0..count).map(|_| Script::modern().tool("t")).collect()
}

/// How many tool calls each of two replicas executed.
async fn executed(play: &Play) -> [usize; 2] {
    let count = |name: &str| {
        let director = play.director(name).clone();
        async move { director.count(What::Executed, "tools/call").await }
    };
    [count("m/0").await, count("m/1").await]
}

#[tokio::test]
async fn equal_replicas_are_one_mount_and_share_the_calls() {
    let play = Cast::new("").replicas("m", "", equal(2)).await.start().await;
    play.until_state("m", "ready").await;
    assert_eq!(play.tools().await, ["m_t"]);
    // That chance picks the same of two a hundred times happens once in 2^99 runs.
    for _ in 0..100 {
        let answer = play.call("m_t").await;
        assert!(answer.contains("t {}"), "{answer}");
    }
    let [one, other] = executed(&play).await;
    assert_eq!(one + other, 100, "each call is executed once");
    assert!(one > 0 && other > 0, "{one} and {other}");
    let report = play.report("m");
    assert_eq!((report.state, report.replicas.len(), report.calls), ("ready", 2, 100));
}

#[tokio::test]
async fn a_replica_that_cannot_be_reached_is_left_out_and_named() {
    let (well, _director) = harness::scripted::HttpChild::new(Script::modern().tool("t")).await;
    // Bound and not listening: whoever connects is refused, and nobody else gets the port.
    let shut = tokio::net::TcpSocket::new_v4().expect("a socket");
    shut.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let dead = shut.local_addr().expect("an address");
    let keys = format!("replicas = [\"http://{dead}/mcp\", {:?}]", well.url());
    let play = Cast::new("").mount("m", &keys).start().await;
    for _ in 0..20 {
        assert!(play.call("m_t").await.contains("t {}"));
    }
    let gave_up = async || play.report("m").replicas[0].state == "down";
    until("the dead replica to be given up", gave_up).await;
    let report = play.report("m");
    assert_eq!(report.state, "degraded");
    assert!(report.reason.contains("1 of 2 replicas answer; replica 1 is down"), "{report:?}");
    let states: Vec<_> = report.replicas.iter().map(|one| one.state).collect();
    assert_eq!(states, ["down", "ready"]);
    assert_eq!(report.replicas[0].address, format!("http://{dead}/mcp"));
}

#[tokio::test]
async fn the_session_of_a_client_stays_with_its_replica_where_that_keeps_state() {
    let http = Http { session: true, ..Http::default() };
    let script = || Script::legacy().tool("t").over_http(http.clone());
    let play = Cast::new("").replicas("m", "", vec![script(), script()]).await.start().await;
    play.until_state("m", "ready").await;
    // Ten sessions of ten calls: without a memory of them, calls would be shared out call by call.
    for _ in 0..10 {
        let session = play.running.http().session(LEGACY).await;
        let before = executed(&play).await;
        for _ in 0..10 {
            assert!(session.shown("tools/call", r#"{"name":"m_t"}"#).await.contains("t {}"));
        }
        let after = executed(&play).await;
        let mut done = [after[0] - before[0], after[1] - before[1]];
        done.sort_unstable();
        assert_eq!(done, [0, 10], "all calls of a session go to one replica");
    }
}

#[tokio::test]
async fn a_replica_that_offers_something_else_is_marked() {
    let scripts = vec![Script::modern().tool("a"), Script::modern().tool("b")];
    let play = Cast::new("").replicas("m", "", scripts).await.start().await;
    // The mount is settled once one replica is listed; the other one follows.
    play.until_state("m", "ready").await;
    let differs = play.report("m").replicas.iter().filter(|one| one.differs).count();
    assert_eq!(differs, 1);
    assert_eq!(play.tools().await.len(), 1, "the catalog is that of one of them");
}

#[tokio::test]
async fn copies_of_a_process_are_replicas() {
    let script = Script::modern().tool("t");
    let program = env!("CARGO_BIN_EXE_scripted-child");
    let play = Cast::new("").process("m", "copies = 2\n", program, script).await.start().await;
    play.until_state("m", "ready").await;
    assert_eq!(play.report("m").replicas.len(), 2);
    for _ in 0..20 {
        assert!(play.call("m_t").await.contains("t {}"));
    }
    assert_eq!(play.director("m").count(What::Executed, "tools/call").await, 20);
}
