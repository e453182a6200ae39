//! One attempt of a call at one replica: within its times, and once more after a stale schema.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::header::Mirrored;
use protocol::json::Members;
use protocol::{Method, error};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::replica::Replica;
use super::task_place;
use crate::call::{Call, Fault, Kind, Link, Reply};

impl Replica {
    /// Sends a call to this replica, until `end` at the longest, and notes what comes of it.
    pub(super) async fn attempt(
        &self,
        link: &dyn Link,
        call: Call,
        end: Instant,
    ) -> Result<Reply, Fault> {
        let _under_way = self.enter();
        let call = task_place::own(call);
        let again = (call.method == Method::ToolsCall).then(|| call.clone());
        let outcome = self.in_time(link, call, end).await;
        let outcome = match (outcome, again) {
            (Err(fault), Some(call)) if is_header_mismatch(&fault) => {
                self.with_fresh_schema(link, call, fault, end).await
            }
            (outcome, _) => outcome,
        };
        self.note(&outcome);
        outcome
    }

    /// Serves within the two times: without a sign of life, and in all.
    async fn in_time(&self, link: &dyn Link, mut call: Call, end: Instant) -> Result<Reply, Fault> {
        let pulse = Arc::new(Notify::new());
        call.back = call.back.with_pulse(Arc::clone(&pulse));
        let method = call.method.clone();
        let mut quiet_until = Instant::now() + self.settings.timeout;
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
        end: Instant,
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
        self.in_time(link, call, end).await
    }

    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        let offer = self.board.own(self.place)?;
        let entry = offer.tools.iter().find(|entry| entry.key == tool)?;
        Some(Arc::clone(&entry.mirrored))
    }
}

fn is_header_mismatch(fault: &Fault) -> bool {
    matches!(&fault.kind, Kind::Child(child) if child.code == error::HEADER_MISMATCH)
}
