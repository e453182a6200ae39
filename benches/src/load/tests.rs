//! Load, floor and child together, in one process.

use std::net::SocketAddr;

use http::Uri;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Client, Endpoint, Plan, Ready};
use crate::args::{RoundArgs, Speaks};
use crate::wire::Era;
use crate::{child, floor};

const TEXT_BYTES: usize = 65_536;

/// A child and a floor in front of it; both end with the set.
struct Chain {
    child: SocketAddr,
    floor: SocketAddr,
    _running: JoinSet<()>,
}

async fn chain(speaks: Speaks) -> Chain {
    let [behind, front] = [listener().await, listener().await];
    let (child, floor) = (behind.local_addr().unwrap(), front.local_addr().unwrap());
    let mut running = JoinSet::new();
    running.spawn(child::http::stand(behind, speaks, TEXT_BYTES, false));
    running.spawn(floor::stand(front, child.to_string().parse().unwrap(), false));
    Chain { child, floor, _running: running }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn endpoint(at: SocketAddr) -> Endpoint {
    Endpoint::parse(&format!("http://{at}/mcp").parse::<Uri>().unwrap()).unwrap()
}

fn plan(at: SocketAddr, era: Era) -> Plan {
    Plan {
        endpoint: endpoint(at),
        era,
        tool: "echo".to_owned(),
        text_bytes: TEXT_BYTES as u64,
        connections: 3,
        length: RoundArgs { calls: 30, seconds: 60, warmup: 0 },
    }
}

#[tokio::test]
async fn every_call_is_answered_rightly_in_both_eras_directly_and_over_the_floor() {
    let chain = chain(Speaks::Both).await;
    for era in [Era::Modern, Era::Legacy] {
        for at in [chain.child, chain.floor] {
            let ready = Ready::connect(&plan(at, era)).await.unwrap();
            let outcome = ready.run().await;
            outcome.right().unwrap();
            assert_eq!(outcome.calls(), 30);
            outcome.part().await;
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_length_fails_the_run() {
    let chain = chain(Speaks::Both).await;
    let plan = Plan { text_bytes: 300, ..plan(chain.floor, Era::Modern) };
    let fault = Ready::connect(&plan).await.unwrap_err();
    assert!(fault.0.contains("expected a text of 300 bytes, got 65536"), "{fault}");
}

#[tokio::test]
async fn an_unknown_tool_fails_the_run() {
    let chain = chain(Speaks::Both).await;
    let plan = Plan { tool: "bench_echo".to_owned(), ..plan(chain.child, Era::Legacy) };
    let fault = Ready::connect(&plan).await.unwrap_err();
    assert!(fault.0.contains("expected a result, got an error"), "{fault}");
}

#[tokio::test]
async fn a_client_of_the_other_era_is_not_served() {
    let chain = chain(Speaks::Legacy).await;
    assert!(Client::open(&endpoint(chain.floor), Era::Modern).await.is_err());
    let mut client = Client::open(&endpoint(chain.floor), Era::Legacy).await.unwrap();
    assert_eq!(client.tools().await.unwrap(), ["echo"]);
    client.part().await;
}
