//! A child that listens as its plug stands: in, out, or in without anybody who reads.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::director::Plug;
use super::stage::Stage;

/// Connections that the kernel makes before anybody takes them.
const BACKLOG: u32 = 1024;

/// A place where a child can listen again and again.
pub(super) trait Place: Send + 'static {
    /// What listens there.
    type Listener: Send + Sync;
    /// What it takes.
    type Socket: Send + 'static;
    /// Listens.
    fn listen(&self) -> Self::Listener;
    /// The next connection.
    fn accept(at: &Self::Listener) -> impl Future<Output = io::Result<Self::Socket>> + Send;
}

/// A port of loopback, held for as long as this lives, also while nobody listens on it.
pub(super) struct Port {
    _holder: TcpSocket,
    /// Where it is.
    pub(super) address: SocketAddr,
}

impl Port {
    pub(super) fn free() -> Self {
        let holder = socket("127.0.0.1:0".parse().expect("an address"));
        let address = holder.local_addr().expect("an address");
        Self { _holder: holder, address }
    }
}

/// A socket at an address that several may have.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("a port that several may have");
    socket.bind(address).expect("a port of loopback");
    socket
}

impl Place for Port {
    type Listener = TcpListener;
    type Socket = TcpStream;

    fn listen(&self) -> TcpListener {
        socket(self.address).listen(BACKLOG).expect("a listener")
    }

    async fn accept(at: &TcpListener) -> io::Result<TcpStream> {
        Ok(at.accept().await?.0)
    }
}

impl Place for PathBuf {
    type Listener = UnixListener;
    type Socket = UnixStream;

    fn listen(&self) -> UnixListener {
        // What listened there before has left its file, which refuses.
        let _absent = std::fs::remove_file(self);
        UnixListener::bind(self).expect("a socket")
    }

    async fn accept(at: &UnixListener) -> io::Result<UnixStream> {
        Ok(at.accept().await?.0)
    }
}

/// Serves what connects, for as long as the plug is in; connections that are open when it is pulled
/// end with it. `first` listens already.
pub(super) async fn serve<P: Place, F: Future<Output = ()> + Send + 'static>(
    place: P,
    first: P::Listener,
    stage: Arc<Stage>,
    connected: impl Fn(P::Socket) -> F,
) {
    let mut listener = Some(first);
    let mut plug = stage.plug.subscribe();
    loop {
        let now = *plug.borrow_and_update();
        if now == Plug::Out {
            listener = None;
        } else if listener.is_none() {
            listener = Some(place.listen());
        }
        match &listener {
            Some(listener) if now == Plug::In => tokio::select! {
                () = take::<P, F>(listener, &connected) => return,
                changed = plug.changed() => if changed.is_err() { return },
            },
            _ => {
                if plug.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn take<P: Place, F: Future<Output = ()> + Send + 'static>(
    listener: &P::Listener,
    connected: &impl Fn(P::Socket) -> F,
) {
    let mut connections = JoinSet::new();
    while let Ok(socket) = P::accept(listener).await {
        connections.spawn(connected(socket));
    }
}
