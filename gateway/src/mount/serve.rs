//! One call to the child: waited for at the start, bounded in number and time, its outcome noted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::header::Mirrored;
use protocol::json::Members;
use protocol::{Method, error};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::choose::{Chosen, choose};
use super::replica::Replica;
use super::{Mount, State, Status};
use crate::call::{Call, Fault, Kind, Link, Origin, Reply, Serve};

/// Calls that may fail in a row at a connected child before it counts as degraded.
const FAILURES_MAX: u32 = 3;

impl Serve for Mount {
    async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        let Chosen { replica, link } = self.choose(&call).await?;
        if call.method == Method::Listen {
            return link.serve(call).await.map_err(|fault| replica.named(fault));
        }
        let Ok(_permit) = self.permits.try_acquire() else {
            let (name, max) = (self.name(), self.settings.calls_in_flight_max);
            return Err(Fault::new(
                Kind::Limited { retry_after: None },
                format!("`{name}` has {max} calls under way, which is its limit; try again later"),
            ));
        };
        let _under_way = replica.enter();
        let again = (call.method == Method::ToolsCall).then(|| call.clone());
        let outcome = replica.in_time(link.as_ref(), call).await;
        let outcome = match (outcome, again) {
            (Err(fault), Some(call)) if is_header_mismatch(&fault) => {
                replica.with_fresh_schema(link.as_ref(), call, fault).await
            }
            (outcome, _) => outcome,
        };
        replica.note(&outcome);
        outcome.map_err(|fault| replica.named(fault))
    }
}

impl Mount {
    /// A replica that takes the call; waits while the mount is dialled for the first time.
    async fn choose(&self, call: &Call) -> Result<Chosen<'_>, Fault> {
        let choose = || choose(&self.replicas, &self.pins, call, &[]);
        if let Some(chosen) = choose() {
            return Ok(chosen);
        }
        let mut status = self.board.status.subscribe();
        let first = status.wait_for(|status| status.settled);
        // Whichever way the wait ends, what counts is whether there is a link now.
        let _settled = timeout(self.settings.timeout_dial, first).await;
        choose().ok_or_else(|| self.unreachable(&self.board.status.borrow()))
    }

    fn unreachable(&self, status: &Status) -> Fault {
        let name = self.name();
        let retry_after = status.retry_after();
        let again = match retry_after {
            Some(after) => format!("; it is tried again in {} s", after.as_secs().max(1)),
            None => String::new(),
        };
        let why = if status.reason.is_empty() { "not connected yet" } else { &status.reason };
        Fault::new(
            Kind::Unreachable {
                mount: Arc::clone(name),
                state: status.state.as_str(),
                since: status.since,
                retry_after,
                unauthorized: status.state == State::Unauthorized,
            },
            format!("`{name}` is {}: {why}{again}", status.state.as_str()),
        )
    }
}

impl Replica {
    /// Serves within the two times: without a sign of life, and in all.
    async fn in_time(&self, link: &dyn Link, mut call: Call) -> Result<Reply, Fault> {
        let pulse = Arc::new(Notify::new());
        call.back = call.back.with_pulse(Arc::clone(&pulse));
        let method = call.method.clone();
        let began = Instant::now();
        let mut quiet_until = began + self.settings.timeout;
        let end = began + self.settings.timeout_max;
        let mut serving = link.serve(call);
        loop {
            tokio::select! {
                outcome = &mut serving => return outcome,
                () = pulse.notified() => quiet_until = Instant::now() + self.settings.timeout,
                () = sleep_until(quiet_until.min(end)) => break,
            }
        }
        let (name, method) = (self.name(), method.as_str());
        let text = match quiet_until < end {
            true => format!(
                "`{name}` did not answer {method} and showed no progress for {} s (timeout)",
                self.settings.timeout.as_secs()
            ),
            false => format!(
                "`{name}` did not answer {method} in {} s (timeout_max)",
                self.settings.timeout_max.as_secs()
            ),
        };
        Err(Fault::new(Kind::Timeout { mount: Arc::clone(name) }, text))
    }

    /// The child's schema asks for other headers than the one we know: lists again and sends the
    /// call, which was refused before it was executed, once more (check 68).
    async fn with_fresh_schema(
        &self,
        link: &dyn Link,
        mut call: Call,
        fault: Fault,
    ) -> Result<Reply, Fault> {
        // A look that is under way may have seen the old schema: a later one is waited for.
        let begun = self.lists_begun.load(Ordering::Relaxed);
        let mut ended = self.lists_ended.subscribe();
        self.stale.notify_one();
        let fresh = ended.wait_for(|ended| *ended > begun);
        if !matches!(timeout(self.settings.timeout, fresh).await, Ok(Ok(_))) {
            return Err(fault);
        }
        let mirrored = Members::read(&call.params)
            .ok()
            .and_then(|members| members.get_string("name"))
            .and_then(|name| self.mirrored(&name));
        // With the same headers it would be refused again.
        let mirrored = mirrored.filter(|mirrored| *mirrored != call.mirrored);
        let Some(mirrored) = mirrored else { return Err(fault) };
        call.mirrored = mirrored;
        self.in_time(link, call).await
    }

    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        let offer = self.board.offer.borrow();
        let entry = offer.as_ref()?.tools.iter().find(|entry| entry.key == tool)?;
        Some(Arc::clone(&entry.mirrored))
    }

    /// Counts the outcome; failures in a row make the child degraded and suspect.
    fn note(&self, outcome: &Result<Reply, Fault>) {
        let failed = match outcome {
            Ok(_) => false,
            Err(fault) => fault.origin() == Origin::Child && !matches!(fault.kind, Kind::Child(_)),
        };
        if !failed {
            let before = self.failures.swap(0, Ordering::Relaxed);
            if before >= FAILURES_MAX {
                self.set(State::Ready, "", None);
            }
            return;
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if matches!(outcome, Err(Fault { kind: Kind::Unreachable { .. }, .. })) {
            self.suspect.notify_one();
        }
        let connected = self.is_connected();
        if failures >= FAILURES_MAX && connected {
            self.set(State::Degraded, &format!("its last {failures} calls failed"), None);
            self.suspect.notify_one();
        }
    }
}

fn is_header_mismatch(fault: &Fault) -> bool {
    matches!(&fault.kind, Kind::Child(child) if child.code == error::HEADER_MISMATCH)
}
