//! The test's side of a scripted child: gives orders while it plays, and asks what it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::script::Script;
use super::seen::{Seen, What, Witness};

/// An order to a child that plays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Play this from now on.
    Script(Box<Script>),
    /// Open the gate of this name, for good.
    Open(String),
    /// Tell this by yourself: method and params.
    Tell(String, String),
    /// Ask this by yourself, outside of any call: method and params.
    Ask(String, String),
    /// Forget all sessions.
    Forget,
    /// Over HTTP: behave so towards connections; those that are open end.
    Plug(Plug),
    /// End with this code.
    Exit(i32),
    /// Say [`What::Synced`] with this number.
    Sync(u64),
}

/// How a child that listens behaves towards connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plug {
    /// It takes them.
    #[default]
    In,
    /// They are made, and nobody reads from them.
    Deaf,
    /// They are refused.
    Out,
}

/// Directs one child. Clones direct the same one.
#[derive(Clone)]
pub struct Director {
    pub(super) witness: Witness,
    orders: Arc<dyn Fn(Order) + Send + Sync>,
    syncs: Arc<AtomicU64>,
}

impl Director {
    pub(super) fn new(witness: Witness, orders: impl Fn(Order) + Send + Sync + 'static) -> Self {
        Self { witness, orders: Arc::new(orders), syncs: Arc::default() }
    }

    /// Replaces the script.
    pub fn script(&self, script: Script) {
        (self.orders)(Order::Script(Box::new(script)));
    }

    /// Opens a gate, for good.
    pub fn open(&self, gate: &str) {
        (self.orders)(Order::Open(gate.to_owned()));
    }

    /// Has the child tell something by itself.
    pub fn tell(&self, method: &str, params: &str) {
        (self.orders)(Order::Tell(method.to_owned(), params.to_owned()));
    }

    /// Has the child ask something outside of any call; the answer is seen as a response.
    pub fn ask(&self, method: &str, params: &str) {
        (self.orders)(Order::Ask(method.to_owned(), params.to_owned()));
    }

    /// Has the child forget its sessions.
    pub fn forget(&self) {
        (self.orders)(Order::Forget);
    }

    /// Over HTTP: has the child behave so towards connections.
    pub fn plug(&self, plug: Plug) {
        (self.orders)(Order::Plug(plug));
    }

    /// Has the process end with this code.
    pub fn exit(&self, code: i32) {
        (self.orders)(Order::Exit(code));
    }

    /// All that happened until now. Waits until a child elsewhere has said all of it.
    pub async fn seen(&self) -> Vec<Seen> {
        let number = self.syncs.fetch_add(1, Ordering::Relaxed);
        (self.orders)(Order::Sync(number));
        let id = number.to_string();
        self.witness
            .wait("all that a child saw", 1, |s| s.what == What::Synced && s.id == id)
            .await;
        self.witness.all()
    }

    /// How often this happened with this method.
    pub async fn count(&self, what: What, method: &str) -> usize {
        let seen = self.seen().await;
        seen.iter().filter(|seen| seen.what == what && seen.method == method).count()
    }

    /// The requests of this method, in order.
    pub async fn requests(&self, method: &str) -> Vec<Seen> {
        let mut seen = self.seen().await;
        seen.retain(|seen| seen.what == What::Request && seen.method == method);
        seen
    }

    /// Waits until this happened with this method, and gives the last time.
    pub async fn saw(&self, what: What, method: &str) -> Seen {
        self.saw_times(1, what, method).await
    }

    /// Waits until this happened so often with this method, and gives the last time.
    pub async fn saw_times(&self, times: usize, what: What, method: &str) -> Seen {
        let waited = format!("{what:?} {method}, {times} times");
        let fits = |seen: &Seen| seen.what == what && seen.method == method;
        self.witness.wait(&waited, times, fits).await
    }
}
