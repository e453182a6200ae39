//! The tasks of one link and their end; whether the link is lost.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks one link may have at once: a stream, and answers that are read to their ends.
const TASKS_MAX: usize = 256;
/// Errands one link may have at once, such as cancellations and answers to questions: more than
/// there are calls, so that none is left out when all of them end at once.
const ERRANDS_MAX: usize = 4096;
/// The longest that an errand may take.
pub(super) const ERRAND_WAIT: Duration = Duration::from_secs(5);

/// The tasks of one link and their end; whether the link is lost.
#[derive(Debug)]
pub(super) struct Life {
    stop: CancellationToken,
    tasks: TaskTracker,
    errands: TaskTracker,
    lost: watch::Sender<Option<String>>,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            errands: TaskTracker::new(),
            lost: watch::Sender::new(None),
        }
    }

    /// Runs `task` until the link ends.
    pub(super) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        spawn(&self.tasks, TASKS_MAX, async move {
            // Stopped or done: nobody waits for it.
            let _done = stop.run_until_cancelled(task).await;
        });
    }

    /// Runs something that may as well be left out, when there is little else to run.
    pub(super) fn linger(&self, task: impl Future<Output = ()> + Send + 'static) {
        if self.tasks.len() < TASKS_MAX / 2 {
            self.run(task);
        }
    }

    /// Runs something short that may outlive the link: it has [`ERRAND_WAIT`]. Whether it is run.
    pub(super) fn errand(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        spawn(&self.errands, ERRANDS_MAX, async move {
            if timeout(ERRAND_WAIT, task).await.is_err() {
                tracing::debug!("an errand to a remote child took too long");
            }
        })
    }

    /// Says that the link is of no use any more.
    pub(super) fn lose(&self, why: String) {
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert(why);
            first
        });
    }

    /// Waits until the link is lost.
    pub(super) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            _ => std::future::pending().await,
        }
    }

    /// Ends the lasting tasks.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends the lasting tasks and waits for the errands.
    pub(super) async fn close(&self) {
        self.stop();
        self.tasks.close();
        self.errands.close();
        // Errands have the same bound.
        let ended = async { tokio::join!(self.tasks.wait(), self.errands.wait()) };
        let _in_time = timeout(ERRAND_WAIT, ended).await;
    }
}

fn spawn(tasks: &TaskTracker, max: usize, task: impl Future<Output = ()> + Send + 'static) -> bool {
    // Futures may be dropped while the runtime ends: there is nothing to run on then.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
    let room = tasks.len() < max;
    if room {
        // The tracker owns it.
        drop(tasks.spawn_on(task, &runtime));
    } else {
        tracing::warn!("a remote child has {max} tasks; one more is left out");
    }
    room
}
