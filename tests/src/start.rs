//! A gateway in this process: started from the text of a `routing.toml`, on free loopback ports.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gateway::config::{FileSource, Sources, load};
use gateway::{Children, Gateway};
use protocol::InProcess;

use crate::client::{Http, Stdio};
use crate::echo::Echo;

/// No test waits longer for anything: what has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often `until` looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What `awaited` gives; breaks the test when it takes longer than [`PATIENCE`].
pub async fn soon<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, awaited).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: waited {PATIENCE:?} for it"),
    }
}

/// Comes back once `such` holds, which is looked at again and again; for what nobody announces.
pub async fn until(what: &str, mut such: impl AsyncFnMut() -> bool) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let holds = async {
        while !such().await {
            looks.tick().await;
        }
    };
    soon(what, holds).await;
}

/// Flags of every gateway that [`start`] starts: a free loopback port, all transports, and nothing
/// that depends on how long an answer takes.
pub const FLAGS: [(&str, &str); 4] = [
    ("gateway.listen", "127.0.0.1:0"),
    ("gateway.admin", "off"),
    ("gateway.sse", "true"),
    ("gateway.limits.stream_after", "1d"),
];

/// Stands for the address of a gateway that listens on a Unix socket.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A gateway that listens.
pub struct Running {
    gateway: Gateway,
    /// Where `/mcp` is.
    pub mcp: SocketAddr,
    /// Where the admin endpoints are, if the text has `admin` on.
    pub admin: Option<SocketAddr>,
}

/// Children under the names by which the text mounts them.
pub fn children<const N: usize>(all: [(&'static str, Arc<dyn InProcess>); N]) -> Children {
    let mut children: Children = BTreeMap::new();
    for (name, child) in all {
        children.insert(name, Arc::new(move || Arc::clone(&child)));
    }
    children
}

/// A gateway as `text` says, but on a free loopback port; `flags` win over the text. Comes back
/// once every mount was reached or given up.
pub async fn start(text: &'static str, flags: &[(&str, &str)], children: &Children) -> Running {
    let flags = FLAGS.iter().chain(flags);
    let sources = Sources {
        file: FileSource::Embedded(text),
        environment: Vec::new(),
        flags: flags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        children,
    };
    let loaded = load(sources).unwrap_or_else(|problems| panic!("{problems:?}"));
    let gateway = Gateway::start(loaded.config, children).unwrap_or_else(|text| panic!("{text}"));
    assert!(gateway.settled(PATIENCE).await, "the mounts did not settle: {:?}", gateway.mounts());
    let listening = gateway.listen().await.unwrap_or_else(|text| panic!("{text}"));
    let mcp = listening.mcp.tcp().unwrap_or(NOWHERE);
    let admin = listening.admin.and_then(|admin| admin.tcp());
    Running { gateway, mcp, admin }
}

/// A gateway whose one mount, `e`, is `child`.
pub async fn start_echo(child: &Arc<Echo>) -> Running {
    start_echo_with(child, &[]).await
}

/// The same with flags, such as `("gateway.limits.body_bytes_max", "1KiB")`.
pub async fn start_echo_with(child: &Arc<Echo>, flags: &[(&str, &str)]) -> Running {
    let child: Arc<dyn InProcess> = child.clone();
    start("[mounts.e]\nin_process = \"echo\"\n", flags, &children([("echo", child)])).await
}

impl Running {
    /// An HTTP client of `/mcp`.
    pub fn http(&self) -> Http {
        Http::new(self.mcp)
    }

    /// A client on a two-way channel, as over standard input and output.
    pub fn stdio(&self) -> Stdio {
        Stdio::new(&self.gateway)
    }

    /// The gateway itself.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Stops it in order.
    pub async fn stop(self) {
        soon("the gateway's stop", self.gateway.stop()).await;
    }
}
