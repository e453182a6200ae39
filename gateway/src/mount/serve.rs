//! One call to a mount: let in, given to a replica, and sent again only where that is safe.

use std::sync::Arc;

use protocol::Method;
use tokio::time::{Instant, sleep, timeout};

use super::choose::{Chosen, choose};
use super::repeat::{self, Again};
use super::{Mount, State, Status, task_place};
use crate::call::{Call, Fault, Kind, Reply, Serve};

impl Serve for Mount {
    async fn serve(&self, mut call: Call) -> Result<Reply, Fault> {
        if self.settings.tells_caller {
            call.told = Some(call.caller.told());
        }
        if call.method == Method::Listen {
            return self.listen(call).await;
        }
        let first = self.choose(&call).await?;
        self.answers.check()?;
        let _place = self.bulkhead.enter(&call).await?;
        self.budget.earn();
        self.answers.hold(self.send(first, call).await?)
    }
}

impl Mount {
    /// Sends a call to one replica after the other, for as long as it is certain to have done
    /// nothing, or does no harm twice, and the bounds allow it.
    async fn send(&self, first: Chosen<'_>, call: Call) -> Result<Reply, Fault> {
        let end = Instant::now() + self.settings.timeout_max;
        let mut tried = Vec::new();
        let mut chosen = first;
        let mut repeated = 0;
        loop {
            let Chosen { replica, link, using: _using } = chosen;
            let fault = match replica.attempt(link.as_ref(), call.clone(), end).await {
                Ok(reply) => return Ok(task_place::created(reply, replica.place, &call.caller)),
                Err(fault) => fault,
            };
            let again = repeat::again(&fault, || {
                let offer = self.board.offer.borrow().clone();
                repeat::is_harmless(&call, self.settings.trust_annotations, offer.as_deref())
            });
            tried.push(replica.place);
            let next = match again {
                Again::Never => None,
                Again::Elsewhere => self.another(&call, &tried),
                Again::Anywhere => match self.another(&call, &tried) {
                    None if repeated < self.settings.retries => {
                        let pause = repeat::pause(repeated);
                        repeated += 1;
                        self.after(pause, &call, end).await
                    }
                    other => other,
                },
            };
            let Some(next) = next else { return Err(replica.named(fault)) };
            tracing::debug!(mount = %self.name(), reason = fault.text, "a call is sent again");
            chosen = next;
        }
    }

    /// A replica that did not have the call yet, if the budget allows it to be sent again.
    fn another(&self, call: &Call, tried: &[usize]) -> Option<Chosen<'_>> {
        let next = choose(&self.replicas, &self.pins, call, tried)?;
        self.budget.take(Instant::now()).then_some(next)
    }

    /// Any replica after a pause, if there is the time and the budget for that.
    async fn after(
        &self,
        pause: std::time::Duration,
        call: &Call,
        end: Instant,
    ) -> Option<Chosen<'_>> {
        if Instant::now() + pause >= end || !self.budget.take(Instant::now()) {
            return None;
        }
        sleep(pause).await;
        choose(&self.replicas, &self.pins, call, &[])
    }

    /// A replica that takes the call; waits while the mount is dialled for the first time, and
    /// while a child that was idle is started for it.
    pub(super) async fn choose(&self, call: &Call) -> Result<Chosen<'_>, Fault> {
        let choose = || choose(&self.replicas, &self.pins, call, &[]);
        if let Some(chosen) = choose() {
            return Ok(chosen);
        }
        let mut status = self.board.status.subscribe();
        let come = status.wait_for(|status| !status.may_come());
        // Whichever way the wait ends, what counts is whether there is a link now.
        let _come = timeout(self.settings.timeout_dial, come).await;
        choose().ok_or_else(|| {
            self.replicas.iter().for_each(|replica| replica.wanted.notify_one());
            self.unreachable(&self.board.status.borrow())
        })
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
