//! Reload: the new configuration is read and checked whole, planned, and put in force; on any
//! problem the old one stays. Calls in flight end on what they began with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kept::Kept;
use super::plan::{Action, Plan, taken_over};
use super::roster::{Member, Roster};
use crate::call::{BoxServe, unix_seconds};
use crate::config::{Config, Loaded, MountConfig, Problems};
use crate::mount::Mount;
use crate::route::{Mounted, Naming};

/// How often a mount that goes is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A call that read the old snapshot has reached its mount by then.
const ARRIVED_AFTER: Duration = Duration::from_secs(1);

/// Reads the configuration anew.
pub type Read = Arc<dyn Fn() -> Result<Loaded, Problems> + Send + Sync>;

/// Makes the mount of an entry, or says why it cannot be had.
pub type MakeMount = Box<dyn Fn(&MountConfig) -> Result<Arc<Mount>, String> + Send + Sync>;

/// How the assembly makes what a reload needs.
pub struct Maker {
    /// A mount of an entry, not yet run.
    pub mount: MakeMount,
    /// The mount as routing sees it.
    pub mounted: fn(&MountConfig, BoxServe) -> Mounted,
    /// How names are made.
    pub naming: fn(&Config) -> Naming,
}

/// How a reload went.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// When, seconds since 1970.
    pub at: u64,
    /// Whether the new configuration is in force.
    pub applied: bool,
    /// Every reason why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// The one who changes which mounts run.
pub struct Reloader {
    maker: Maker,
    kept: Option<Arc<Kept>>,
    roster: watch::Sender<Arc<Roster>>,
    /// What is in force.
    running: Mutex<Config>,
    read: Mutex<Option<Read>>,
    last: Mutex<Option<Outcome>>,
    /// One reload at a time.
    turn: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
    keepers: TaskTracker,
}

impl Reloader {
    /// Makes and runs the mounts of `config`.
    ///
    /// # Errors
    /// Why a mount cannot be made.
    pub fn start(
        config: Config,
        maker: Maker,
        kept: Option<Arc<Kept>>,
        stopping: CancellationToken,
        keepers: TaskTracker,
    ) -> Result<Arc<Self>, String> {
        let naming = (maker.naming)(&config);
        let empty = Arc::new(Roster { naming: naming.clone(), members: Vec::new() });
        let reloader = Self {
            maker,
            kept,
            roster: watch::Sender::new(empty),
            running: Mutex::new(config.clone()),
            read: Mutex::default(),
            last: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            stopping,
            keepers,
        };
        let entries = config.mounts.iter().filter(|entry| entry.enabled);
        let members: Vec<_> =
            entries.map(|entry| reloader.make(entry)).collect::<Result<_, _>>()?;
        for member in &members {
            reloader.run(member);
        }
        reloader.roster.send_replace(Arc::new(Roster { naming, members }));
        Ok(Arc::new(reloader))
    }

    /// The mounts that run, and each change.
    pub fn roster(&self) -> watch::Receiver<Arc<Roster>> {
        self.roster.subscribe()
    }

    /// Where [`Self::reload`] reads from.
    pub fn read_from(&self, read: Read) {
        *lock(&self.read) = Some(read);
    }

    /// How the last reload went.
    pub fn last(&self) -> Option<Outcome> {
        lock(&self.last).clone()
    }

    /// What a reload would do now.
    ///
    /// # Errors
    /// Every problem of the configuration as it can be read now.
    pub async fn plan(&self) -> Result<Plan, Vec<String>> {
        let new = self.read().await?;
        Ok(Plan::of(&lock(&self.running), &new))
    }

    /// Reads the configuration and puts it in force, if there is nothing wrong with it.
    pub async fn reload(&self) -> Outcome {
        let _turn = self.turn.lock().await;
        let applied = match self.read().await {
            Ok(new) => self.put_in_force(new),
            Err(problems) => Err(problems),
        };
        let at = unix_seconds();
        let outcome = match applied {
            Ok(plan) => {
                tracing::info!(%plan, "reloaded");
                Outcome { at, applied: true, problems: Vec::new(), plan: Some(plan) }
            }
            Err(problems) => {
                let text = problems.join("\n");
                tracing::error!("not reloaded, the old configuration stays:\n{text}");
                Outcome { at, applied: false, problems, plan: None }
            }
        };
        *lock(&self.last) = Some(outcome.clone());
        outcome
    }

    async fn read(&self) -> Result<Config, Vec<String>> {
        let read = lock(&self.read).clone();
        let read =
            read.ok_or_else(|| vec!["this gateway was started without a file".to_owned()])?;
        let loaded = tokio::task::spawn_blocking(move || read()).await;
        let loaded = loaded.map_err(|fault| vec![format!("the configuration: {fault}")])?;
        let loaded = loaded.map_err(|problems| told(&problems))?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(loaded.config)
    }

    fn put_in_force(&self, new: Config) -> Result<Plan, Vec<String>> {
        if self.stopping.is_cancelled() {
            return Err(vec!["the gateway stops".to_owned()]);
        }
        let old = lock(&self.running).clone();
        let plan = Plan::of(&old, &new);
        let before = Arc::clone(&self.roster.borrow());
        let (mut members, mut fresh, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for entry in new.mounts.iter().filter(|entry| entry.enabled) {
            let known = before.members.iter().find(|member| member.entry.name == entry.name);
            match (plan.action(&entry.name), known) {
                (Some(Action::Keep), Some(member)) => members.push(Arc::clone(member)),
                (Some(Action::Change), Some(member)) => {
                    members.push(Arc::new(self.shown_otherwise(entry, member)));
                }
                _ => match self.make(entry) {
                    Ok(member) => {
                        if let Some(known) = known {
                            recall_from(known, &member);
                        }
                        fresh.push(Arc::clone(&member));
                        members.push(member);
                    }
                    Err(problem) => problems.push(problem),
                },
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let stays =
            |member: &Arc<Member>| members.iter().any(|one| Arc::ptr_eq(&one.mount, &member.mount));
        let gone: Vec<_> = before.members.iter().filter(|one| !stays(one)).cloned().collect();
        let gateway = taken_over(&old.gateway, &new.gateway);
        let running = Config { gateway, ..new };
        let naming = (self.maker.naming)(&running);
        let drain = running.gateway.limits.drain;
        *lock(&self.running) = running;
        self.roster.send_replace(Arc::new(Roster { naming, members }));
        drop(before);
        for member in &fresh {
            self.run(member);
        }
        for member in gone {
            self.keepers.spawn(retire(member, drain, self.stopping.clone()));
        }
        Ok(plan)
    }

    fn make(&self, entry: &MountConfig) -> Result<Arc<Member>, String> {
        let mount = (self.maker.mount)(entry)?;
        if let Some(offer) = self.kept.as_ref().and_then(|kept| kept.load(entry)) {
            mount.recall(Arc::new(offer));
        }
        let serve = Arc::clone(&mount) as BoxServe;
        Ok(Arc::new(Member {
            entry: entry.clone(),
            mounted: Arc::new((self.maker.mounted)(entry, serve)),
            mount,
            stop: self.stopping.child_token(),
        }))
    }

    fn shown_otherwise(&self, entry: &MountConfig, member: &Member) -> Member {
        let mount = Arc::clone(&member.mount);
        let serve = Arc::clone(&mount) as BoxServe;
        let mounted = Arc::new((self.maker.mounted)(entry, serve));
        Member { entry: entry.clone(), mounted, mount, stop: member.stop.clone() }
    }

    fn run(&self, member: &Member) {
        let (mount, stop) = (&member.mount, &member.stop);
        self.keepers.spawn(Arc::clone(mount).run(stop.clone()));
        if let Some(kept) = &self.kept {
            let (entry, mount) = (member.entry.clone(), Arc::clone(mount));
            self.keepers.spawn(Arc::clone(kept).run(entry, mount, stop.clone()));
        }
    }
}

fn told(problems: &Problems) -> Vec<String> {
    let more = (problems.more > 0).then(|| format!("and {} more", problems.more));
    problems.problems.iter().map(ToString::to_string).chain(more).collect()
}

/// A mount that is treated otherwise, but leads to the same child, shows meanwhile what it had.
fn recall_from(old: &Member, new: &Member) {
    let same = old.entry.link == new.entry.link && old.entry.replicas == new.entry.replicas;
    let offer = old.mount.offer().borrow().clone();
    if let Some(offer) = offer.filter(|_| same) {
        new.mount.recall(offer);
    }
}

/// Ends a mount when its calls have ended, at most after `drain`.
async fn retire(member: Arc<Member>, drain: Duration, stopping: CancellationToken) {
    let began = Instant::now();
    let busy = || {
        // Whoever may still send it a call holds it, or a snapshot that does.
        let known = Arc::strong_count(&member.mounted) > 1;
        let called = member.mount.counts()[0] > 0 || began.elapsed() < ARRIVED_AFTER;
        // A call that waits for its client goes on when that comes back, wherever it arrives.
        known && called || member.mount.is_busy()
    };
    while busy() && began.elapsed() < drain && !stopping.is_cancelled() {
        sleep(LOOK_EVERY).await;
    }
    tracing::info!(mount = %member.mount.name(), "taken out of service");
    member.stop.cancel();
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
