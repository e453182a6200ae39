//! What keeps one replica connected: dials, lists, has it attended to, and dials again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::State;
use super::attend::{Loss, Parting};
use super::catalog;
use super::pause::Trying;
use super::replica::Replica;
use crate::call::{Fault, Future, Kind, Link, List, Turn};
use crate::config::Start;

/// Events of a child that may wait; more say nothing new.
const EVENTS_QUEUED_MAX: usize = 64;
/// A catalog of a child that tells no changes is not asked for more often, whatever its `ttlMs`.
const RELIST_TTL_MIN: Duration = Duration::from_secs(30);
/// A connection that held for so long was a good one: after its loss the pauses begin again.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// A child that is slow to start keeps its turn no longer than this.
const TURN_HELD_MAX: Duration = Duration::from_secs(5);

/// All lists of a child.
pub(super) const ALL: [List; 3] = [List::Tools, List::Prompts, List::Resources];

/// What comes after a connection.
enum Parted {
    /// Another one, after this pause.
    Lost(Duration),
    /// The end of this one, and nothing until somebody needs the child.
    Idle(Arc<dyn Link>),
    /// Nothing.
    Stopped,
}

impl Replica {
    /// Keeps the child connected until `stop`, or while it is needed; its process and connections
    /// are gone after.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut trying = Trying::new(&self.settings.health, self.settings.remote);
        let lazy = self.settings.running.start == Start::Lazy;
        let mut goes_on = true;
        if lazy && self.board.offer.borrow().is_some() {
            self.rest("not needed yet (start): the first call starts it");
            goes_on = self.sleep(stop).await;
        }
        while goes_on {
            let parted = tokio::select! {
                () = stop.cancelled() => break,
                parted = self.connect_once(&mut trying, stop) => parted,
            };
            goes_on = match parted {
                Parted::Stopped => false,
                Parted::Lost(pause) => self.pause(pause, &trying, stop).await,
                Parted::Idle(link) => {
                    link.close().await;
                    self.sleep(stop).await
                }
            };
        }
        // A link that was open when `stop` came is closed in order.
        if let Some(link) = self.leave() {
            link.close().await;
        }
        self.set(State::Stopped, "the gateway stops", None);
    }

    /// Waits until somebody needs the child, which is idle; false when it is not to be started.
    async fn sleep(&self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = self.wanted.notified() => {}
        }
        self.uses.used();
        self.set(State::Starting, "", None);
        true
    }

    /// Waits until the child is to be dialled again; false when it is not.
    async fn pause(&self, pause: Duration, trying: &Trying, stop: &CancellationToken) -> bool {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = sleep_until(until) => return true,
                () = self.wanted.notified() => {
                    if trying.may_hurry(Instant::now()) {
                        return true;
                    }
                }
            }
        }
    }

    /// Dials and attends to the link until it is given up.
    async fn connect_once(&self, trying: &mut Trying, stop: &CancellationToken) -> Parted {
        let (events, mut told) = mpsc::channel(EVENTS_QUEUED_MAX);
        let turn = self.dial.turn().await;
        let wait = self.settings.timeout_dial;
        let began = Instant::now();
        trying.made(began);
        let dialled = match timeout(wait, in_turn(turn, self.dial.dial(events))).await {
            Ok(dialled) => dialled,
            Err(_) => Err(Fault::new(
                Kind::Timeout { mount: Arc::clone(self.name()) },
                match self.settings.remote {
                    true => format!("no connection within {wait:?} (`timeout_connect`)"),
                    false => format!(
                        "it was started and did not shake hands within {wait:?} \
                         (`timeout_start`): is it an MCP server on standard input and output?"
                    ),
                },
            )),
        };
        let link = match dialled {
            Ok(link) => link,
            Err(fault) => return Parted::Lost(self.not_reached(&fault, trying)),
        };
        self.uses.used();
        self.join(Arc::clone(&link));
        let relist = self.relist(link.as_ref(), &ALL).await;
        if relist.is_ok() {
            tracing::info!(mount = %self.name(), speaks = link.about().speaks, "ready");
        }
        let relisted = relist.unwrap_or_default();
        let parting = self.attend(link.as_ref(), &mut told, relisted, trying).await;
        if stop.is_cancelled() {
            return Parted::Stopped;
        }
        if self.has_answered() || began.elapsed() >= STABLE_AFTER {
            trying.reset();
        }
        self.leave();
        let loss = match parting {
            Parting::Lost(loss) => loss,
            Parting::Idle => {
                self.uses.open();
                tracing::info!(mount = %self.name(), reason = self.status().reason, "stopped");
                return Parted::Idle(link);
            }
        };
        let pause = self.lost(&loss, trying);
        link.close().await;
        Parted::Lost(pause)
    }

    fn not_reached(&self, fault: &Fault, trying: &mut Trying) -> Duration {
        let loss = Loss::of(fault);
        let pause = trying.pause(Instant::now(), loss.unauthorized);
        let log = fault.log.as_deref().unwrap_or_default();
        let (mount, reason) = (self.name(), &loss.reason);
        tracing::warn!(%mount, reason, log, again_after = ?pause, "not reached");
        self.set(loss.state(), &loss.reason, Some(pause));
        pause
    }

    fn lost(&self, loss: &Loss, trying: &mut Trying) -> Duration {
        let pause = trying.pause(Instant::now(), loss.unauthorized);
        let (mount, reason) = (self.name(), &loss.reason);
        tracing::warn!(%mount, reason, again_after = ?pause, "connection lost");
        self.set(loss.state(), &loss.reason, Some(pause));
        pause
    }

    /// Reads the lists in `wanted`, publishes them, and says when to look again.
    pub(super) async fn relist(
        &self,
        link: &dyn Link,
        wanted: &[List],
    ) -> Result<Option<Duration>, ()> {
        let number = self.lists_begun.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = self.read_lists(link, wanted).await;
        self.lists_ended.send_replace(number);
        outcome
    }

    async fn read_lists(&self, link: &dyn Link, wanted: &[List]) -> Result<Option<Duration>, ()> {
        let last = self.board.own(self.place);
        let collected = catalog::collect(link, &self.settings, last.as_deref(), wanted).await;
        match collected {
            Ok(collected) => {
                self.board.offer(self.place, Arc::new(collected.offer));
                // With a shut gate it is not ready, whatever it lists.
                if self.gate.is_open() {
                    self.set(State::Ready, "", None);
                }
                let told = ALL.iter().all(|list| link.tells_changes(*list));
                Ok(collected.ttl.filter(|_| !told).map(|ttl| ttl.max(RELIST_TTL_MIN)))
            }
            Err(fault) => {
                tracing::warn!(mount = %self.name(), reason = fault.text, "cannot be listed");
                if self.gate.is_open() {
                    self.set(State::Degraded, &fault.text, None);
                }
                Err(())
            }
        }
    }
}

/// Dials, holding the turn for as long as others should wait for it.
async fn in_turn<T>(turn: Turn, mut dialling: Future<'_, T>) -> T {
    match timeout(TURN_HELD_MAX, &mut dialling).await {
        Ok(dialled) => dialled,
        Err(_) => {
            drop(turn);
            dialling.await
        }
    }
}
