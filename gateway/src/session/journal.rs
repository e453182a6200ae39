//! The file of a ledger: lines are put behind it as they come, now and then it is written anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, Writing};

/// A file of more bytes than this is none of ours.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// A file of fewer bytes than this is not written anew.
const ANEW_BYTES_MIN: usize = 1 << 20;
/// Files kept, one for each key; of more, those that were written longest ago go.
const FILES_MAX: usize = 100;
/// How often a file that another gateway writes is tried again.
const LOCK_EVERY: Duration = Duration::from_secs(1);
/// The pause after a failure to write.
const FAILED_PAUSE: Duration = Duration::from_secs(10);

/// The file of a ledger, of one key in one folder.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Held by the one gateway that writes.
    lock: File,
    locked: bool,
}

impl Journal {
    /// The journal in the folder `state` of the gateways whose key has this fingerprint. What is
    /// in it is put into the ledger.
    ///
    /// # Errors
    /// What the system says about the folder or the file.
    pub(super) fn open(state: &Path, fingerprint: &str, ledger: &Ledger) -> io::Result<Self> {
        let folder = state.join("sessions");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        prune(&folder);
        let path = folder.join(format!("{fingerprint}.journal"));
        let lock = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(path.with_extension("lock"))?;
        let locked = lock.try_lock().is_ok();
        let journal = Self { path, lock, locked };
        journal.load(ledger)?;
        if locked {
            ledger.is_written(Some(0));
        } else {
            let path = journal.path.display();
            tracing::warn!(
                %path,
                "another gateway with this key keeps its sessions there: until it ends, what \
                 sessions ask for and which are ended is kept in memory alone"
            );
        }
        Ok(journal)
    }

    fn load(&self, ledger: &Ledger) -> io::Result<()> {
        let file = match File::open(&self.path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        ledger.read(&String::from_utf8_lossy(&bytes));
        Ok(())
    }

    /// Writes each change until `stop`, and then the last ones.
    pub(super) async fn run(mut self, ledger: Arc<Ledger>, stop: CancellationToken) {
        if !self.wait_for_lock(&ledger, &stop).await {
            return;
        }
        let mut pen = Pen::new(self.path.clone());
        loop {
            let stopping = stop.is_cancelled();
            let (book, mut held) = (Arc::clone(&ledger), pen);
            let writing = spawn_blocking(move || {
                let written = held.write(&book, stopping);
                (held, written)
            });
            let Ok((held, written)) = writing.await else { break };
            pen = held;
            let failed = written.is_err();
            match written {
                Ok(upto) => ledger.is_written(Some(upto)),
                Err(fault) => {
                    self.warn(&fault);
                    // Nobody waits for what cannot be written now.
                    ledger.is_written(Some(u64::MAX));
                }
            }
            if stopping {
                break;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(FAILED_PAUSE), if failed => {}
                () = ledger.wake.notified(), if !failed => {}
            }
        }
        ledger.is_written(None);
    }

    /// Waits for the gateway that writes now, and takes over what it wrote; `false` at `stop`.
    async fn wait_for_lock(&mut self, ledger: &Ledger, stop: &CancellationToken) -> bool {
        while !self.locked {
            if stop.run_until_cancelled(sleep(LOCK_EVERY)).await.is_none() {
                return false;
            }
            self.locked = self.lock.try_lock().is_ok();
            if self.locked {
                if let Err(fault) = self.load(ledger) {
                    self.warn(&fault);
                }
                ledger.is_written(Some(0));
            }
        }
        true
    }

    fn warn(&self, fault: &io::Error) {
        let path = self.path.display();
        tracing::warn!(%path, %fault, "what outlives the sessions is kept in memory alone");
    }
}

/// What writes.
struct Pen {
    path: PathBuf,
    /// Where lines are put; none before the file is written anew.
    file: Option<File>,
    bytes: usize,
    /// With so many bytes it is written anew.
    anew_at: usize,
}

impl Pen {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0, anew_at: 0 }
    }

    /// Writes what there is to write; how many changes are written then.
    fn write(&mut self, ledger: &Ledger, last: bool) -> io::Result<u64> {
        let Some(mut file) = self.file.take().filter(|_| self.bytes < self.anew_at) else {
            return self.anew(ledger);
        };
        let upto = match ledger.take() {
            (Some(Writing::Whole), _) => return self.anew(ledger),
            (Some(Writing::More(text)), upto) => {
                file.write_all(text.as_bytes())?;
                self.bytes += text.len();
                upto
            }
            (None, upto) => upto,
        };
        if last {
            file.sync_all()?;
        }
        self.file = Some(file);
        Ok(upto)
    }

    /// Writes the ledger anew: whole or not at all, whatever happens meanwhile.
    fn anew(&mut self, ledger: &Ledger) -> io::Result<u64> {
        let (text, upto) = ledger.whole();
        let fresh = self.path.with_extension("new");
        let mut file =
            private(OpenOptions::new().write(true).create(true).truncate(true)).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.bytes = text.len();
        self.anew_at = (2 * text.len()).max(ANEW_BYTES_MIN);
        self.file = Some(file);
        Ok(upto)
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Removes the journals that were written longest ago, but none that somebody holds.
fn prune(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let journals = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "journal"));
    let aged =
        journals.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    let mut files: Vec<_> = aged.collect();
    files.sort();
    for (_, path) in files.iter().rev().skip(FILES_MAX) {
        let lock = path.with_extension("lock");
        let held = File::open(&lock).is_ok_and(|lock| lock.try_lock().is_err());
        if !held {
            // Another gateway may have been faster.
            let _gone = (fs::remove_file(path), fs::remove_file(&lock));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Change, Stamp};
    use super::*;

    const DAY: Duration = Duration::from_secs(86400);
    /// When the sessions of these tests were given out.
    const LATER: u64 = 10_000_000_000;

    fn stamp(nonce: u64) -> Stamp {
        Stamp { issued: LATER, nonce }
    }

    /// A ledger with its journal, and what ends that.
    fn kept(folder: &Path) -> (Arc<Ledger>, CancellationToken, tokio::task::JoinHandle<()>) {
        let (ledger, stop) = (Ledger::new(100_000, DAY), CancellationToken::new());
        let journal = Journal::open(folder, "key", &ledger).unwrap();
        let task = tokio::spawn(journal.run(Arc::clone(&ledger), stop.clone()));
        (ledger, stop, task)
    }

    #[tokio::test]
    async fn c085_what_was_noted_is_there_at_once_and_however_far_the_last_line_came() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, ..) = kept(folder.path());
        for nonce in 0..3 {
            assert!(ledger.note(stamp(nonce), Change::Ended).await);
        }
        let path = folder.path().join("sessions/key.journal");
        let bytes = fs::read(&path).unwrap();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
        assert_eq!(lines, 3, "each is written before it is said");
        let torn = tempfile::tempdir().unwrap();
        fs::create_dir(torn.path().join("sessions")).unwrap();
        for length in 0..=bytes.len() {
            let cut = &bytes[..length];
            fs::write(torn.path().join("sessions/key.journal"), cut).unwrap();
            let again = Ledger::new(10, DAY);
            Journal::open(torn.path(), "key", &again).unwrap();
            let whole = cut.iter().filter(|byte| **byte == b'\n').count();
            let there = (0..3).filter(|nonce| again.has_ended(stamp(*nonce))).count();
            assert_eq!(there, whole, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn one_gateway_writes_at_a_time_and_the_next_takes_over_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (first, stop, task) = kept(folder.path());
        let (second, stop_second, task_second) = kept(folder.path());
        assert!(second.note(stamp(2), Change::Ended).await, "nobody waits for what is not written");
        assert!(first.note(stamp(1), Change::Ended).await);
        assert!(!second.has_ended(stamp(1)));
        stop.cancel();
        task.await.unwrap();
        while !second.has_ended(stamp(1)) {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(second.note(stamp(3), Change::Ended).await);
        stop_second.cancel();
        task_second.await.unwrap();
        let third = Ledger::new(10, DAY);
        Journal::open(folder.path(), "key", &third).unwrap();
        assert!((1..=3).all(|nonce| third.has_ended(stamp(nonce))));
        let stranger = Ledger::new(10, DAY);
        Journal::open(folder.path(), "other", &stranger).unwrap();
        assert!(!stranger.has_ended(stamp(1)), "another key has sessions of its own");
    }

    #[tokio::test]
    async fn a_file_that_grew_is_written_anew_and_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, stop, task) = kept(folder.path());
        let uri = "x".repeat(10_000);
        for _ in 0..2 * ANEW_BYTES_MIN / uri.len() {
            ledger.note(stamp(1), Change::Subscribed(uri.clone())).await;
            ledger.note(stamp(1), Change::Unsubscribed(uri.clone())).await;
        }
        ledger.note(stamp(1), Change::Level(2)).await;
        stop.cancel();
        task.await.unwrap();
        let path = folder.path().join("sessions/key.journal");
        let bytes = fs::metadata(&path).unwrap().len();
        let most = u64::try_from(ANEW_BYTES_MIN + 4 * uri.len()).unwrap();
        assert!(bytes <= most, "{bytes} bytes of {most}");
        let again = Ledger::new(10, DAY);
        Journal::open(folder.path(), "key", &again).unwrap();
        assert_eq!(again.asked_for(stamp(1)).unwrap().level, Some(2));
    }
}
