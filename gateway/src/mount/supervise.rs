//! What keeps one replica connected: dials, lists, watches, and dials again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::State;
use super::catalog;
use super::pause::Pauses;
use super::replica::Replica;
use crate::call::{Event, Fault, Kind, Link, List};

/// Events of a child that may wait; more say nothing new.
const EVENTS_QUEUED_MAX: usize = 64;
/// A child that tells of changes one by one is listed once for all of them.
const CHANGES_GATHERED: Duration = Duration::from_millis(50);
/// How often a remote child is asked for a sign of life.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// The longest wait for a sign of life.
const PROBE_WAIT: Duration = Duration::from_secs(10);
/// Signs of life that may fail to come before the child counts as lost.
const PROBES_FAILED_MAX: u32 = 3;
/// The pause before a list that could not be had is asked for again.
const RELIST_AFTER: Duration = Duration::from_secs(15);
/// A catalog of a child that tells no changes is not asked for more often, whatever its `ttlMs`.
const RELIST_TTL_MIN: Duration = Duration::from_secs(30);

const ALL: [List; 3] = [List::Tools, List::Prompts, List::Resources];

impl Replica {
    /// Keeps the child connected until `stop`; its process and connections are gone after.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut pauses = Pauses::new(self.settings.remote);
        loop {
            let pause = tokio::select! {
                () = stop.cancelled() => break,
                pause = self.connect_once(&mut pauses, stop) => pause,
            };
            let Some(pause) = pause else { break };
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(pause) => {}
            }
        }
        // A link that was open when `stop` came is closed in order.
        if let Some(link) = self.leave() {
            link.close().await;
        }
        self.set(State::Stopped, "the gateway stops", None);
    }

    /// Dials and attends to the link until it is lost; the pause before the next attempt.
    async fn connect_once(
        &self,
        pauses: &mut Pauses,
        stop: &CancellationToken,
    ) -> Option<Duration> {
        let (events, mut told) = mpsc::channel(EVENTS_QUEUED_MAX);
        let wait = self.settings.timeout_dial;
        let dialled = match timeout(wait, self.dial.dial(events)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(Fault::new(
                Kind::Timeout { mount: Arc::clone(self.name()) },
                format!("no connection within {} s", wait.as_secs()),
            )),
        };
        let link = match dialled {
            Ok(link) => link,
            Err(fault) => return Some(self.not_reached(&fault, pauses)),
        };
        self.join(Arc::clone(&link));
        let relist = self.relist(link.as_ref(), &ALL).await;
        if relist.is_ok() {
            pauses.reset();
            tracing::info!(mount = %self.name(), speaks = link.about().speaks, "ready");
        }
        let reason = self.attend(link.as_ref(), &mut told, relist.unwrap_or_default()).await;
        if stop.is_cancelled() {
            return None;
        }
        self.leave();
        let pause = pauses.next();
        tracing::warn!(mount = %self.name(), %reason, "connection lost");
        self.set(State::Down, &reason, Some(pause));
        link.close().await;
        Some(pause)
    }

    fn not_reached(&self, fault: &Fault, pauses: &mut Pauses) -> Duration {
        let unauthorized = matches!(fault.kind, Kind::Unreachable { unauthorized: true, .. });
        let (state, pause) = match unauthorized {
            true => (State::Unauthorized, Pauses::unauthorized()),
            false => (State::Down, pauses.next()),
        };
        let log = fault.log.as_deref().unwrap_or_default();
        let (mount, reason) = (self.name(), &fault.text);
        tracing::warn!(%mount, reason, log, again_after = ?pause, "not reached");
        self.set(state, &fault.text, Some(pause));
        pause
    }

    /// Reads the lists in `wanted`, publishes them, and says when to look again.
    async fn relist(&self, link: &dyn Link, wanted: &[List]) -> Result<Option<Duration>, ()> {
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
                self.set(State::Ready, "", None);
                let told = ALL.iter().all(|list| link.tells_changes(*list));
                Ok(collected.ttl.filter(|_| !told).map(|ttl| ttl.max(RELIST_TTL_MIN)))
            }
            Err(fault) => {
                tracing::warn!(mount = %self.name(), reason = fault.text, "cannot be listed");
                self.set(State::Degraded, &fault.text, None);
                Err(())
            }
        }
    }

    /// Watches a live link; returns why it is lost.
    async fn attend(
        &self,
        link: &dyn Link,
        told: &mut mpsc::Receiver<Event>,
        relist_after: Option<Duration>,
    ) -> String {
        let failed = self.status().state == State::Degraded;
        let mut relist_at = match failed {
            true => Some(Instant::now() + RELIST_AFTER),
            false => relist_after.map(|after| Instant::now() + after),
        };
        let mut probe_at = Instant::now() + PROBE_EVERY;
        let mut probes_failed = 0;
        let mut wanted: Vec<List> = ALL.to_vec();
        loop {
            let far = Instant::now() + PROBE_EVERY;
            tokio::select! {
                reason = link.lost() => return reason,
                Some(Event::Changed(list)) = told.recv() => {
                    if relist_at.is_none_or(|at| at > Instant::now() + CHANGES_GATHERED) {
                        // What is owed already is a look at all lists.
                        if relist_at.is_none() {
                            wanted.clear();
                        }
                        relist_at = Some(Instant::now() + CHANGES_GATHERED);
                    }
                    if !wanted.contains(&list) {
                        wanted.push(list);
                    }
                }
                () = self.stale.notified() => {
                    wanted = ALL.to_vec();
                    relist_at = Some(Instant::now());
                }
                () = sleep_until(relist_at.unwrap_or(far)), if relist_at.is_some() => {
                    let again = tokio::select! {
                        reason = link.lost() => return reason,
                        again = self.relist(link, &wanted) => again,
                    };
                    wanted = ALL.to_vec();
                    let again = again.unwrap_or(Some(RELIST_AFTER));
                    relist_at = again.map(|after| Instant::now() + after);
                }
                () = self.suspect.notified() => probe_at = Instant::now(),
                () = sleep_until(probe_at), if self.settings.remote => {
                    probe_at = Instant::now() + PROBE_EVERY;
                    match self.probe(link).await {
                        Ok(()) => {
                            if probes_failed > 0 {
                                relist_at = Some(Instant::now());
                            }
                            probes_failed = 0;
                        }
                        Err(reason) => {
                            probes_failed += 1;
                            if probes_failed >= PROBES_FAILED_MAX {
                                return reason;
                            }
                            probe_at = Instant::now() + Duration::from_secs(1);
                        }
                    }
                }
            }
        }
    }

    async fn probe(&self, link: &dyn Link) -> Result<(), String> {
        match timeout(PROBE_WAIT, link.probe()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => Err(fault.text),
            Err(_) => Err(format!("no sign of life in {} s", PROBE_WAIT.as_secs())),
        }
    }
}
