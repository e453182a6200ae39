//! What a scripted child received and did, kept in order, and waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::start::soon;

/// What happened at a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It began: a process, or a server.
    Began,
    /// A request came.
    Request,
    /// A notification came.
    Notification,
    /// A response came.
    Response,
    /// A request was carried out: from here on it cannot be undone.
    Executed,
    /// A request was left by who sent it, before its answer.
    Left,
    /// Something came that is none of these.
    Odd,
    /// An order with this number was reached.
    Synced,
    /// It ended.
    Ended,
}

/// One thing that happened at a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What.
    pub what: What,
    /// The method; of HTTP requests without a body the verb.
    pub method: String,
    /// The id as JSON text; empty without.
    pub id: String,
    /// `params` (of responses: the whole message) as they came.
    pub params: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Seen {
    /// Something about a method.
    pub fn new(what: What, method: &str) -> Self {
        let (id, params) = (String::new(), String::new());
        Self { what, method: method.to_owned(), id, params, headers: BTreeMap::new() }
    }

    /// A header; empty when it did not come.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// All that happened so far.
#[derive(Clone)]
pub(super) struct Witness {
    all: Arc<Mutex<Vec<Seen>>>,
    count: Arc<watch::Sender<usize>>,
    forward: Option<mpsc::Sender<Seen>>,
}

impl Witness {
    pub(super) fn new(forward: Option<mpsc::Sender<Seen>>) -> Self {
        Self { all: Arc::default(), count: Arc::new(watch::Sender::new(0)), forward }
    }

    pub(super) fn saw(&self, seen: Seen) {
        if let Some(forward) = &self.forward {
            forward.try_send(seen.clone()).expect("the test keeps up with what a child sees");
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen);
        self.count.send_replace(all.len());
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until enough of what fits has happened; the last of it.
    pub(super) async fn wait(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&Seen) -> bool,
    ) -> Seen {
        let mut counts = self.count.subscribe();
        let waiting = async {
            loop {
                let mut fitting: Vec<Seen> = self.all().into_iter().filter(|s| fits(s)).collect();
                if fitting.len() >= count
                    && let Some(last) = fitting.pop()
                {
                    return last;
                }
                counts.changed().await.expect("the child is watched");
            }
        };
        soon(what, waiting).await
    }
}
