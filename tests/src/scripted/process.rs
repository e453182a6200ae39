//! The test's side of a scripted child that is a process: where it finds its script and says what
//! it sees.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::director::{Director, Order};
use super::script::Script;
use super::seen::{Seen, What, Witness};

/// Orders on their way to one process.
const ORDERS_QUEUED_MAX: usize = 1024;

/// A scripted child that the gateway starts as a process, as often as it likes.
pub struct ProcessChild {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

/// What all connections share.
struct Shared {
    witness: Witness,
    state: Mutex<State>,
}

struct State {
    script: Script,
    gates: BTreeSet<String>,
    live: HashMap<u64, Live>,
    next: u64,
}

struct Live {
    orders: mpsc::Sender<Order>,
    /// Syncs that this process has not reached.
    syncs: BTreeSet<u64>,
}

impl ProcessChild {
    /// A child that plays this script once it is started, and who directs it.
    pub async fn new(script: Script) -> (Self, Director) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let address = listener.local_addr().expect("an address");
        let state = State { script, gates: BTreeSet::new(), live: HashMap::new(), next: 0 };
        let witness = Witness::new(None);
        let shared = Arc::new(Shared { witness: witness.clone(), state: Mutex::new(state) });
        let ordered = Arc::clone(&shared);
        let director = Director::new(witness, move |order| ordered.order(order));
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.attend(socket).await });
            }
        });
        (Self { address, _accepting: AbortOnDropHandle::new(accepting) }, director)
    }

    /// The keys of its mount: `program` is the program that plays it.
    pub fn mount(&self, program: &str) -> String {
        format!("command = '{program}'\nargs = [\"{}\"]\n", self.address)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Order) {
        let mut state = self.state();
        match &order {
            Order::Script(script) => state.script = (**script).clone(),
            Order::Open(gate) => drop(state.gates.insert(gate.clone())),
            _ => {}
        }
        for live in state.live.values_mut() {
            let sent = live.orders.try_send(order.clone()).is_ok();
            if let (Order::Sync(number), true) = (&order, sent) {
                live.syncs.insert(*number);
            }
        }
        let Order::Sync(number) = order else { return };
        let waits = state.live.values().any(|live| live.syncs.contains(&number));
        drop(state);
        if !waits {
            self.synced(number);
        }
    }

    fn synced(&self, number: u64) {
        self.witness.saw(Seen { id: number.to_string(), ..Seen::new(What::Synced, "") });
    }

    /// One process from its start to its end.
    async fn attend(&self, socket: TcpStream) {
        let (read, mut write) = socket.into_split();
        let (orders, mut queue) = mpsc::channel(ORDERS_QUEUED_MAX);
        let key = {
            let mut state = self.state();
            let script = Order::Script(Box::new(state.script.clone()));
            let gates = state.gates.iter().cloned().map(Order::Open);
            for order in std::iter::once(script).chain(gates) {
                orders.try_send(order).expect("room for the first orders");
            }
            state.next += 1;
            let key = state.next;
            state.live.insert(key, Live { orders, syncs: BTreeSet::new() });
            key
        };
        let writing = async {
            while let Some(order) = queue.recv().await {
                let line = serde_json::to_string(&order).unwrap_or_default() + "\n";
                if write.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let reading = async {
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let seen: Seen = serde_json::from_str(&line).expect("what a child saw");
                match seen.what {
                    What::Synced => self.reached(key, seen.id.parse().unwrap_or_default()),
                    What::Ended => break,
                    _ => self.witness.saw(seen),
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
        let rest = self.state().live.remove(&key).map(|live| live.syncs).unwrap_or_default();
        self.witness.saw(Seen::new(What::Ended, ""));
        rest.into_iter().for_each(|number| self.reached(key, number));
    }

    /// One process has said all until this number.
    fn reached(&self, key: u64, number: u64) {
        let mut state = self.state();
        if let Some(live) = state.live.get_mut(&key) {
            live.syncs.remove(&number);
        }
        let waits = state.live.values().any(|live| live.syncs.contains(&number));
        drop(state);
        if !waits {
            self.synced(number);
        }
    }
}
