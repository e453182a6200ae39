//! The file of the configuration is looked at again and again; a change of it is a reload.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;

/// How often the file is looked at. Looking needs no more than its times, so it works on every file
/// system, with editors that rename and with links that are swapped.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What tells one state of a file from another: when it was written, its length, which file it is.
type Mark = (SystemTime, u64, u64);

impl Reloader {
    /// Reloads after each change of `file` until `stop`, once the file stays as it is from one look
    /// to the next.
    pub async fn watch(self: Arc<Self>, file: PathBuf, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        let mut loaded = mark(&file).await;
        let mut seen = loaded;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let now = mark(&file).await;
            if now.is_some() && now == seen && now != loaded {
                loaded = now;
                self.reload().await;
            }
            seen = now;
        }
    }
}

/// `None` while there is no such file.
async fn mark(file: &PathBuf) -> Option<Mark> {
    use std::os::unix::fs::MetadataExt as _;
    let about = tokio::fs::metadata(file).await.ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}
