//! Attending to a live connection: lists again after changes, asks for signs of life, and gives it
//! up when those stay out.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::State;
use super::pause::Trying;
use super::replica::Replica;
use super::supervise::ALL;
use crate::call::{Event, Fault, Kind, Link, List};

/// A child that tells of changes one by one is listed once for all of them.
const CHANGES_GATHERED: Duration = Duration::from_millis(50);
/// The longest pause before a list that could not be had is asked for again.
const RELIST_AFTER: Duration = Duration::from_secs(15);
/// A child that is in use when it could be idle is looked at so often in that time.
const IDLE_LOOKS: u32 = 4;
/// Where nothing is due.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a connection is lost.
pub(super) struct Loss {
    pub(super) reason: String,
    /// The child wants another credential.
    pub(super) unauthorized: bool,
}

impl Parting {
    fn broken(reason: String) -> Self {
        Self::Lost(Loss { reason, unauthorized: false })
    }
}

impl Loss {
    pub(super) fn of(fault: &Fault) -> Self {
        let unauthorized = matches!(fault.kind, Kind::Unreachable { unauthorized: true, .. });
        Self { reason: fault.text.clone(), unauthorized }
    }

    pub(super) fn state(&self) -> State {
        if self.unauthorized { State::Unauthorized } else { State::Down }
    }
}

/// Why a connection is given up.
pub(super) enum Parting {
    /// It is lost.
    Lost(Loss),
    /// Nobody used the child for so long that it is stopped.
    Idle,
}

/// What is due on a live connection.
struct Attendance<'a> {
    replica: &'a Replica,
    link: &'a dyn Link,
    trying: &'a mut Trying,
    /// The lists to be read at `relist_at`.
    wanted: Vec<List>,
    relist_at: Option<Instant>,
    probe_at: Option<Instant>,
    probed: Instant,
    /// When to look whether the child is idle.
    idle_at: Option<Instant>,
}

impl Replica {
    /// Watches a live link; returns why it is given up.
    pub(super) async fn attend(
        &self,
        link: &dyn Link,
        told: &mut mpsc::Receiver<Event>,
        relist_after: Option<Duration>,
        trying: &mut Trying,
    ) -> Parting {
        let now = Instant::now();
        let mut attendance = Attendance {
            replica: self,
            link,
            trying,
            wanted: ALL.to_vec(),
            relist_at: relist_after.map(|after| now + after),
            probe_at: None,
            probed: now,
            idle_at: self.uses.idle_at(),
        };
        if self.status().state == State::Degraded {
            attendance.relist_at = Some(now + attendance.relist_pause());
        }
        attendance.probe_later();
        let listed = |at: Option<Instant>| sleep_until(at.unwrap_or_else(|| Instant::now() + FAR));
        loop {
            tokio::select! {
                reason = link.lost() => return Parting::broken(reason),
                Some(Event::Changed(list)) = told.recv() => attendance.changed(list),
                () = self.stale.notified() => {
                    attendance.wanted = ALL.to_vec();
                    attendance.relist_at = Some(Instant::now());
                }
                () = listed(attendance.relist_at), if attendance.relist_at.is_some() => {
                    tokio::select! {
                        reason = link.lost() => return Parting::broken(reason),
                        () = attendance.relist() => {}
                    }
                }
                () = self.suspect.notified() => attendance.probe_soon(),
                () = listed(attendance.probe_at), if attendance.probe_at.is_some() => {
                    let loss = tokio::select! {
                        reason = link.lost() => Some(Loss { reason, unauthorized: false }),
                        loss = attendance.probe() => loss,
                    };
                    if let Some(loss) = loss {
                        return Parting::Lost(loss);
                    }
                }
                () = listed(attendance.idle_at), if attendance.idle_at.is_some() => {
                    if self.falls_idle(link) {
                        return Parting::Idle;
                    }
                    attendance.look_idle_later();
                }
            }
        }
    }
}

impl Attendance<'_> {
    /// The child told that a list changed.
    fn changed(&mut self, list: List) {
        let soon = Instant::now() + CHANGES_GATHERED;
        if self.relist_at.is_none_or(|at| at > soon) {
            // What is owed already is a look at all lists.
            if self.relist_at.is_none() {
                self.wanted.clear();
            }
            self.relist_at = Some(soon);
        }
        if !self.wanted.contains(&list) {
            self.wanted.push(list);
        }
    }

    async fn relist(&mut self) {
        let again = self.replica.relist(self.link, &self.wanted).await;
        self.wanted = ALL.to_vec();
        let again = again.unwrap_or_else(|()| Some(self.relist_pause()));
        self.relist_at = again.map(|after| Instant::now() + after);
    }

    /// The pause before lists that could not be had are asked for again.
    fn relist_pause(&self) -> Duration {
        RELIST_AFTER.min(self.replica.settings.health.pause_max)
    }

    /// When the child can be idle at the earliest; one that is in use is looked at now and then.
    fn look_idle_later(&mut self) {
        let idle = self.replica.settings.running.stop_idle.unwrap_or(FAR);
        let soonest = Instant::now() + idle / IDLE_LOOKS;
        self.idle_at = self.replica.uses.idle_at().map(|at| at.max(soonest));
    }

    /// The next sign of life is due when it always is: of a process only when it is suspect.
    fn probe_later(&mut self) {
        let every = self.replica.settings.health.probe_every;
        self.probe_at = self.replica.settings.remote.then(|| Instant::now() + every);
    }

    /// A call gave cause to look whether the child is alive.
    fn probe_soon(&mut self) {
        let replica = self.replica;
        let at = match replica.status().next_dial {
            Some(at) if !replica.gate.is_open() => at,
            _ => self.probed + replica.settings.health.pause,
        };
        self.probe_at = Some(self.probe_at.map_or(at, |due| due.min(at)));
    }

    /// Asks for a sign of life; why the connection is given up, if it is.
    async fn probe(&mut self) -> Option<Loss> {
        let (replica, now) = (self.replica, Instant::now());
        if !replica.gate.is_open() {
            let wait = self.trying.wait(now);
            if !wait.is_zero() {
                self.probe_at = Some(now + wait);
                return None;
            }
            self.trying.made(now);
            replica.gate.probe();
        }
        self.probed = now;
        let Err(fault) = self.sign_of_life().await else {
            self.probe_later();
            if replica.gate.alive() {
                self.wanted = ALL.to_vec();
                self.relist_at = Some(Instant::now());
            }
            return None;
        };
        let loss = Loss::of(&fault);
        if loss.unauthorized {
            return Some(loss);
        }
        let pause = replica.gate.silent();
        if let Some(pause) = pause {
            replica.gate_shut(&loss.reason, pause);
            // Calls under way may still be answered; each of them ends in its own time.
            if replica.in_flight() == 0 {
                return Some(loss);
            }
        }
        self.probe_at = Some(Instant::now() + pause.unwrap_or(replica.settings.health.pause));
        None
    }

    async fn sign_of_life(&self) -> Result<(), Fault> {
        let wait = self.replica.settings.health.probe_timeout;
        match timeout(wait, self.link.probe()).await {
            Ok(Err(fault)) if !tells_of_life(&fault) => Err(fault),
            Ok(_) => Ok(()),
            Err(_) => {
                let mount = self.replica.name().clone();
                Err(Fault::new(Kind::Timeout { mount }, format!("no sign of life in {wait:?}")))
            }
        }
    }
}

/// Whether a child that answers so is alive: it need not know the method, and may be busy.
fn tells_of_life(fault: &Fault) -> bool {
    matches!(fault.kind, Kind::Child(_) | Kind::Unreachable { retry_after: Some(_), .. })
}
