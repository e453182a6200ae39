//! Callers of the sick mount: each calls, waits for a while, gives up, and calls again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use crate::fault::Fault;
use crate::load::{Client, Endpoint};
use crate::wire::{Era, Template};

/// How long a caller waits for an answer; then it leaves, and its call is cancelled.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// The longest wait for both mounts to be listed.
const LISTED_WAIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Callers that go on until they are stopped.
pub(super) struct Callers {
    tasks: JoinSet<()>,
    stopped: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    count: u64,
}

impl Callers {
    pub(super) fn start(endpoint: &Endpoint, count: u64) -> Self {
        let (stopped, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(call(endpoint.clone(), Arc::clone(&stopped), Arc::clone(&calls)));
        }
        Self { tasks, stopped, calls, count }
    }

    /// Waits until as many calls were made as there are callers.
    pub(super) async fn all_called(&self) {
        while self.calls.load(Ordering::Relaxed) < self.count {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends them; how many calls they made.
    pub(super) async fn stop(mut self) -> u64 {
        self.stopped.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.calls.load(Ordering::Relaxed)
    }
}

async fn call(endpoint: Endpoint, stopped: Arc<AtomicBool>, calls: Arc<AtomicU64>) {
    let params = json!({ "name": "sick_t", "arguments": {} });
    let body = Template::request(Era::Modern, "tools/call", params);
    while !stopped.load(Ordering::Relaxed) {
        let Ok(mut client) = Client::open(&endpoint, Era::Modern).await else { continue };
        let Ok(head) = client.head("tools/call", Some("sick_t")) else { return };
        loop {
            calls.fetch_add(1, Ordering::Relaxed);
            let answer = timeout(ANSWER_WAIT, client.post(&head, body.with("1"))).await;
            // What comes of it is not the question; a fault is an answer, too.
            if !matches!(answer, Ok(Ok(_))) || stopped.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

/// Waits until both mounts are listed.
pub(super) async fn until_listed(endpoint: &Endpoint) -> Result<(), Fault> {
    let listed = async {
        let mut client = Client::open(endpoint, Era::Modern).await?;
        loop {
            let tools = client.tools().await?;
            let has = |name: &str| tools.iter().any(|tool| tool == name);
            if has("sick_t") && has("well_echo") {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(LISTED_WAIT, listed).await.map_err(Fault::during("waiting for both mounts"))?
}
