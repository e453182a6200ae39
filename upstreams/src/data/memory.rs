//! A key-value store in memory, bounded, whose keys may end by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::store::{Entry, KEYS_SEEN_MAX, Tell, Touched};
use super::trouble::{Code, Trouble};

/// Bytes of all keys and values together.
const TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Values by key.
pub(super) struct Memory {
    shared: Arc<Shared>,
    /// Takes out what is over; runs once something is to end.
    sweeping: Mutex<Option<Sweeping>>,
}

struct Shared {
    held: Mutex<Held>,
    /// Something ends sooner than was known.
    sooner: Notify,
    tell: Tell,
}

#[derive(Default)]
struct Held {
    values: BTreeMap<String, Kept>,
    ends: BTreeSet<(Instant, String)>,
    bytes: usize,
}

struct Kept {
    value: String,
    end: Option<Instant>,
}

impl Memory {
    /// An empty store that tells of changes.
    pub(super) fn new(tell: Tell) -> Self {
        let shared = Shared { held: Mutex::default(), sooner: Notify::new(), tell };
        Self { shared: Arc::new(shared), sweeping: Mutex::default() }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        let held = self.shared.held();
        let now = Instant::now();
        let kept = held.values.get(key).filter(|kept| !kept.is_over(now))?;
        let ttl = kept.end.map(|end| end - now);
        Some(Entry { value: kept.value.clone(), ttl })
    }

    pub(super) fn set(&self, key: &str, entry: Entry) -> Result<(), Trouble> {
        let mut held = self.shared.held();
        let old = held.values.get(key).map_or(0, |kept| key.len() + kept.value.len());
        let bytes = held.bytes - old + key.len() + entry.value.len();
        let is_new = !held.values.contains_key(key);
        if bytes > TOTAL_BYTES_MAX || (is_new && held.values.len() >= KEYS_SEEN_MAX) {
            let text = format!(
                "the store is full: at most {KEYS_SEEN_MAX} keys and {TOTAL_BYTES_MAX} bytes; \
                 delete some first"
            );
            return Err(Trouble::new(Code::Limited, text));
        }
        held.remove(key);
        held.bytes = bytes;
        let end = entry.ttl.map(|ttl| Instant::now() + ttl);
        held.ends.extend(end.map(|end| (end, key.to_owned())));
        held.values.insert(key.to_owned(), Kept { value: entry.value, end });
        drop(held);
        if end.is_some() {
            self.sweep();
        }
        (self.shared.tell)(Touched::Key(key));
        Ok(())
    }

    pub(super) fn delete(&self, key: &str) -> bool {
        let was_there =
            self.shared.held().remove(key).is_some_and(|kept| !kept.is_over(Instant::now()));
        if was_there {
            (self.shared.tell)(Touched::Key(key));
        }
        was_there
    }

    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        let held = self.shared.held();
        let now = Instant::now();
        let from = held.values.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, kept)| !kept.is_over(now))
            .map(|(key, _)| key.clone())
            .collect()
    }

    pub(super) fn figures(&self) -> Value {
        let held = self.shared.held();
        json!({ "engine": "memory", "keys": held.values.len(), "bytes": held.bytes })
    }

    /// Has the sweeping task look again, or makes one.
    fn sweep(&self) {
        let mut sweeping = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sweeping {
            Some(task) if !task.0.is_finished() => self.shared.sooner.notify_one(),
            _ => *sweeping = Some(Sweeping(tokio::spawn(sweep(self.shared.clone())))),
        }
    }
}

/// The task, which ends with the store.
struct Sweeping(JoinHandle<()>);

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn sweep(shared: Arc<Shared>) {
    loop {
        let next = shared.held().ends.first().map(|(end, _)| *end);
        tokio::select! {
            () = shared.sooner.notified() => {}
            () = over_at(next) => {
                for key in shared.take_over() {
                    (shared.tell)(Touched::Key(&key));
                }
            }
        }
    }
}

async fn over_at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what is over, and says what it was.
    fn take_over(&self) -> Vec<String> {
        let mut held = self.held();
        let now = Instant::now();
        let mut over = Vec::new();
        while let Some((end, key)) = held.ends.first().cloned()
            && end <= now
        {
            held.remove(&key);
            over.push(key);
        }
        over
    }
}

impl Held {
    fn remove(&mut self, key: &str) -> Option<Kept> {
        let kept = self.values.remove(key)?;
        self.bytes -= key.len() + kept.value.len();
        if let Some(end) = kept.end {
            self.ends.remove(&(end, key.to_owned()));
        }
        Some(kept)
    }
}

impl Kept {
    fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    fn told() -> (Memory, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(16);
        let tell: Tell = Arc::new(move |touched| {
            sender.try_send(format!("{touched:?}")).unwrap();
        });
        (Memory::new(tell), receiver)
    }

    fn entry(value: &str, seconds: Option<u64>) -> Entry {
        Entry { value: value.to_owned(), ttl: seconds.map(Duration::from_secs) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_ends_when_its_time_is_over_and_is_told_of() {
        let (memory, mut told) = told();
        memory.set("late", entry("1", Some(60))).unwrap();
        memory.set("soon", entry("2", Some(5))).unwrap();
        memory.set("stays", entry("3", None)).unwrap();
        for key in ["late", "soon", "stays"] {
            assert_eq!(told.recv().await.unwrap(), format!("Key({key:?})"));
        }
        assert_eq!(told.recv().await.unwrap(), "Key(\"soon\")");
        assert_eq!(memory.get("soon"), None);
        assert_eq!(memory.get("late").unwrap().ttl, Some(Duration::from_secs(55)));
        assert_eq!(told.recv().await.unwrap(), "Key(\"late\")");
        assert_eq!(memory.keys(""), ["stays"]);
        assert_eq!(memory.figures()["bytes"], 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_set_again_has_its_new_time_only() {
        let (memory, mut told) = told();
        memory.set("a", entry("1", Some(5))).unwrap();
        memory.set("a", entry("2", None)).unwrap();
        memory.set("b", entry("3", Some(10))).unwrap();
        for key in ["a", "a", "b", "b"] {
            assert_eq!(told.recv().await.unwrap(), format!("Key({key:?})"));
        }
        assert_eq!(memory.get("a"), Some(entry("2", None)));
        assert!(!memory.delete("b"));
        assert!(memory.delete("a"));
        assert_eq!(memory.figures()["bytes"], 0);
    }

    #[tokio::test]
    async fn a_full_store_takes_nothing_more_and_lets_old_keys_be_changed() {
        let memory = Memory::new(Arc::new(|_| {}));
        for number in 0..KEYS_SEEN_MAX {
            memory.set(&format!("{number:05}"), entry("", None)).unwrap();
        }
        assert_eq!(memory.set("one more", entry("", None)).unwrap_err().code, Code::Limited);
        memory.set("00000", entry("other", None)).unwrap();
        assert_eq!(memory.keys("0999").len(), 10);
    }
}
