//! Clients of both eras that call every mount in turn, each call with a key of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::load::{Client, Endpoint, message};
use crate::wire::{Era, Template};

/// The mounts; nobody kills the children of the last one.
pub(super) const MOUNTS: [&str; 4] = ["piped", "lone", "remote", STEADY];
pub(super) const STEADY: &str = "steady";
/// Unexpected answers that are kept word for word.
const ODD_SHOWN_MAX: usize = 5;
/// The pause before another look whether a mount answers.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The pause of a caller that got a fault: whoever is told so comes back later.
const FAULT_PAUSE: Duration = Duration::from_millis(5);

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Keys of calls that were answered.
    pub(super) answered: Vec<String>,
    /// Keys of calls that, so the fault said, did not reach a child.
    pub(super) unsent: Vec<String>,
    /// Calls by mount and by what became of them: `ok` or the code of the fault.
    pub(super) by_mount: BTreeMap<String, BTreeMap<String, u64>>,
    /// What is neither an answer nor an explained fault.
    pub(super) odd: u64,
    pub(super) odd_first: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.unsent.extend(other.unsent);
        for (mount, counts) in other.by_mount {
            for (what, count) in counts {
                *self.by_mount.entry(mount.clone()).or_default().entry(what).or_default() += count;
            }
        }
        self.odd += other.odd;
        self.odd_first.extend(other.odd_first);
        self.odd_first.truncate(ODD_SHOWN_MAX);
    }

    fn odd(&mut self, why: String) {
        self.odd += 1;
        if self.odd_first.len() < ODD_SHOWN_MAX {
            self.odd_first.push(why);
        }
    }
}

/// One client.
pub(super) struct Caller {
    endpoint: Endpoint,
    era: Era,
    number: u64,
    calls: u64,
}

impl Caller {
    pub(super) fn new(endpoint: &Endpoint, number: u64) -> Self {
        let era = if number.is_multiple_of(2) { Era::Modern } else { Era::Legacy };
        Self { endpoint: endpoint.clone(), era, number, calls: 0 }
    }

    /// Calls until `end`; connects anew only if the gateway itself broke the connection, which is
    /// odd.
    pub(super) async fn call_until(mut self, end: Instant) -> Tally {
        let mut tally = Tally::default();
        while Instant::now() < end {
            let mut client = match Client::open(&self.endpoint, self.era).await {
                Ok(client) => client,
                Err(fault) => {
                    tally.odd(fault.0);
                    sleep(LOOK_AGAIN).await;
                    continue;
                }
            };
            while Instant::now() < end {
                if let Err(lost) = self.call(&mut client, &mut tally).await {
                    tally.odd(lost);
                    break;
                }
            }
            client.part().await;
        }
        tally
    }

    async fn call(&mut self, client: &mut Client, tally: &mut Tally) -> Result<(), String> {
        self.calls += 1;
        let mount = MOUNTS[(self.calls + self.number) as usize % MOUNTS.len()];
        let key = format!("{}-{}", self.number, self.calls);
        let outcome = ask(client, self.era, mount, &key).await?;
        let what = match outcome {
            Outcome::Answered => {
                tally.answered.push(key);
                "ok".to_owned()
            }
            Outcome::Fault(code) => {
                if code == "CONNECTION_ERROR" || code == "LIMITED" {
                    tally.unsent.push(key);
                }
                sleep(FAULT_PAUSE).await;
                code
            }
            Outcome::Odd(why) => {
                tally.odd(why);
                "odd".to_owned()
            }
        };
        *tally.by_mount.entry(mount.to_owned()).or_default().entry(what).or_default() += 1;
        Ok(())
    }
}

enum Outcome {
    Answered,
    /// A fault with this code.
    Fault(String),
    Odd(String),
}

async fn ask(client: &mut Client, era: Era, mount: &str, key: &str) -> Result<Outcome, String> {
    let tool = format!("{mount}_echo");
    let head = client.head("tools/call", Some(&tool)).map_err(|fault| fault.0)?;
    let params = json!({ "name": tool, "arguments": { "text": key } });
    let id = json!(key).to_string();
    let body = Template::request(era, "tools/call", params).with(&id);
    let (status, headers, body) = client.post(&head, body).await.map_err(|fault| fault.0)?;
    let text = String::from_utf8_lossy(message(&headers, &body)).into_owned();
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    let is_right = said["id"] == key && said["result"]["content"][0]["text"].is_string();
    if status == StatusCode::OK && is_right {
        return Ok(Outcome::Answered);
    }
    Ok(match said["error"]["data"]["gateway"]["code"].as_str() {
        Some(code) if said["id"] == key => Outcome::Fault(code.to_owned()),
        _ => Outcome::Odd(format!("{mount}, {status}: {text:.300}")),
    })
}

/// Waits until every mount answers clients of both eras; after how many milliseconds they do. No
/// call of another `time` has the same key.
pub(super) async fn until_all_answer(endpoint: &Endpoint, time: &str) -> u64 {
    let began = Instant::now();
    for (number, era) in [Era::Modern, Era::Legacy].into_iter().enumerate() {
        for mount in MOUNTS {
            let mut looks = 0_u64;
            loop {
                looks += 1;
                let key = format!("{time}-{number}-{mount}-{looks}");
                if let Ok(mut client) = Client::open(endpoint, era).await {
                    let outcome = ask(&mut client, era, mount, &key).await;
                    client.part().await;
                    if matches!(outcome, Ok(Outcome::Answered)) {
                        break;
                    }
                }
                sleep(LOOK_AGAIN).await;
            }
        }
    }
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
