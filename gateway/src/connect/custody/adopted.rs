//! What comes to this program when a warden is ended from outside: it has no other parent any more.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::process::{Child, Command};

use super::tree;

/// How often what was adopted is looked for until nothing is left.
const LOOKS_MAX: u32 = 250;
/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether this program adopts what its descendants leave behind. Like [`WARDENS`], a fact about
/// the process as a whole, of which there is one.
static ADOPTS: AtomicBool = AtomicBool::new(false);
/// The wardens that were started. Held while one is started, so that none is taken for a stray.
static WARDENS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Makes this program the parent of whatever its descendants leave behind.
///
/// # Errors
/// What the kernel says.
pub(super) fn adopt() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    ADOPTS.store(true, Ordering::SeqCst);
    Ok(())
}

fn wardens() -> MutexGuard<'static, BTreeSet<i32>> {
    WARDENS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a warden and remembers it for as long as it is a child of this program.
pub(super) fn start_warden(mut command: Command) -> io::Result<Child> {
    let own = rustix::process::getpid().as_raw_pid();
    let mut wardens = wardens();
    wardens.retain(|id| tree::parent(*id) == Some(own));
    let child = command.spawn()?;
    wardens.extend(child.id().and_then(|id| i32::try_from(id).ok()));
    Ok(child)
}

/// Ends every process that this program adopted, and all below each.
pub(super) async fn end_all() {
    if !ADOPTS.load(Ordering::SeqCst) {
        return;
    }
    for _ in 0..LOOKS_MAX {
        if !end_some() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tracing::warn!(target: "child", "processes of a child whose warden was ended are still there");
}

/// Kills what there is now; whether there was anything.
fn end_some() -> bool {
    let own = rustix::process::getpid().as_raw_pid();
    let wardens = wardens();
    let strays = tree::children(own).into_iter().filter(|id| !wardens.contains(id));
    let strays: Vec<Pid> = strays.filter_map(Pid::from_raw).collect();
    for stray in &strays {
        tree::signal_below(stray.as_raw_pid(), Signal::KILL);
        // Either may find that it has ended; the next look shows.
        let _ended = kill_process(*stray, Signal::KILL);
        let _running = waitpid(Some(*stray), WaitOptions::NOHANG);
    }
    !strays.is_empty()
}
