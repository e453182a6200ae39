//! One round: connect, warm up, call until the bound, and say what was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::check::Expected;
use super::client::{Client, Endpoint, message};
use super::latency::Latencies;
use crate::args::RoundArgs;
use crate::fault::Fault;
use crate::wire::{Era, Template};

/// How many wrong answers are kept to be shown; all are counted.
const WRONG_SHOWN_MAX: usize = 5;

/// What one round does.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) endpoint: Endpoint,
    pub(crate) era: Era,
    pub(crate) tool: String,
    /// Length of the text that each answer must have.
    pub(crate) text_bytes: u64,
    /// Each makes one call after the other.
    pub(crate) connections: u64,
    pub(crate) length: RoundArgs,
}

/// Connections that have greeted, called and got right answers: nothing cold is measured.
#[derive(Debug)]
pub(crate) struct Ready {
    callers: Vec<Caller>,
    length: RoundArgs,
}

/// What a round saw.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From before the request was given to the connection until its answer was read.
    pub(crate) latencies: Latencies,
    /// From the first call to the last answer.
    pub(crate) wall: Duration,
    pub(crate) wrong_count: u64,
    /// Why the first few were wrong.
    pub(crate) wrong_first: Vec<String>,
    callers: Vec<Caller>,
}

/// One connection and what it needs to call.
#[derive(Debug)]
struct Caller {
    client: Client,
    head: http::HeaderMap,
    call: Template,
    expected: Expected,
    id: u64,
}

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Latencies,
    wrong_count: u64,
    wrong_first: Vec<String>,
}

impl Ready {
    /// Opens the connections and makes the warm-up calls.
    ///
    /// # Errors
    /// The endpoint cannot be reached, or a warm-up call was answered wrongly.
    pub(crate) async fn connect(plan: &Plan) -> Result<Self, Fault> {
        let mut callers = Vec::new();
        for _ in 0..plan.connections {
            callers.push(Caller::open(plan).await?);
        }
        // At least one call each: it also teaches what a right answer looks like.
        let warmup = plan.length.warmup.max(plan.connections);
        let cold = Self { callers, length: RoundArgs { calls: warmup, ..plan.length } };
        let outcome = cold.run().await;
        outcome.right().map_err(Fault::during("warm-up"))?;
        Ok(Self { callers: outcome.callers, length: plan.length })
    }

    /// Makes the calls of the round.
    pub(crate) async fn run(self) -> Outcome {
        let left = Arc::new(AtomicU64::new(self.length.calls));
        let begin = Instant::now();
        let end = begin + Duration::from_secs(self.length.seconds);
        let share = self.length.calls / self.callers.len().max(1) as u64;
        let room = usize::try_from(share).unwrap_or_default();
        let mut running = JoinSet::new();
        for mut caller in self.callers {
            let left = Arc::clone(&left);
            running.spawn(async move {
                let seen = caller.call_until(&left, end, room).await;
                (caller, seen)
            });
        }
        gather(running.join_all().await, begin)
    }
}

fn gather(parts: Vec<(Caller, Seen)>, begin: Instant) -> Outcome {
    let wall = begin.elapsed();
    let (callers, seen): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let wrong_count = seen.iter().map(|part| part.wrong_count).sum();
    let wrong = seen.iter().flat_map(|part| part.wrong_first.iter().cloned());
    let wrong_first = wrong.take(WRONG_SHOWN_MAX).collect();
    let latencies = Latencies::merged(seen.into_iter().map(|part| part.latencies).collect());
    Outcome { latencies, wall, wrong_count, wrong_first, callers }
}

impl Outcome {
    /// How many calls were answered, rightly or not.
    pub(crate) fn calls(&self) -> usize {
        self.latencies.len()
    }

    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls() as f64 / self.wall.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// # Errors
    /// Any answer was wrong, or none came.
    pub(crate) fn right(&self) -> Result<(), Fault> {
        if self.wrong_count > 0 {
            let (count, shown) = (self.wrong_count, self.wrong_first.join("\n  "));
            return Err(Fault(format!("{count} wrong answers, the first of them:\n  {shown}")));
        }
        if self.calls() == 0 {
            return Err(Fault("no call was answered".to_owned()));
        }
        Ok(())
    }

    /// Ends sessions and connections.
    pub(crate) async fn part(self) {
        for caller in self.callers {
            caller.client.part().await;
        }
    }
}

impl Caller {
    async fn open(plan: &Plan) -> Result<Self, Fault> {
        let client = Client::open(&plan.endpoint, plan.era).await?;
        let head = client.head("tools/call", Some(&plan.tool))?;
        let arguments = json!({ "text": "what the load generator says in every call" });
        let params = json!({ "name": plan.tool, "arguments": arguments });
        let call = Template::request(plan.era, "tools/call", params);
        let expected = Expected::new(plan.era, plan.text_bytes);
        Ok(Self { client, head, call, expected, id: 0 })
    }

    /// Calls until no calls are left, the time is over or the connection is lost.
    async fn call_until(&mut self, left: &AtomicU64, end: Instant, room: usize) -> Seen {
        let mut seen = Seen { latencies: Latencies::with_room_for(room), ..Seen::default() };
        let take = |left: u64| left.checked_sub(1);
        loop {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            if taken.is_err() || Instant::now() >= end {
                return seen;
            }
            if let Err(lost) = self.call(&mut seen).await {
                seen.wrong(lost.0);
                return seen;
            }
        }
    }

    /// # Errors
    /// The connection is lost: no further call can be made on it.
    async fn call(&mut self, seen: &mut Seen) -> Result<(), Fault> {
        self.id += 1;
        let id = self.id.to_string();
        let body = self.call.with(&id);
        let begin = Instant::now();
        let (status, headers, body) = self.client.post(&self.head, body).await?;
        seen.latencies.add(begin.elapsed());
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&body);
            seen.wrong(format!("expected status 200, got {status} {text}"));
        } else if let Err(why) = self.expected.check(&id, message(&headers, &body)) {
            seen.wrong(why);
        }
        Ok(())
    }
}

impl Seen {
    fn wrong(&mut self, why: String) {
        self.wrong_count += 1;
        if self.wrong_first.len() < WRONG_SHOWN_MAX {
            self.wrong_first.push(why);
        }
    }
}
