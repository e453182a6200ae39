//! Where clients connect: TCP and Unix sockets, and connections that do not wait without end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::{Sleep, sleep};

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The address and port, where it has them.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that takes connections.
pub struct Listener {
    kind: Kind,
    address: Address,
}

enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Goes with it.
        _file: SocketFile,
    },
}

impl Listener {
    /// Opens a socket; a Unix socket gets these permission bits. `key` is where the address is set.
    ///
    /// # Errors
    /// A text with the address, its key and what to do.
    pub async fn bind(address: &Address, mode: u32, key: &str) -> Result<Self, String> {
        match address {
            Address::Tcp(asked) => {
                let explained = |fault: io::Error| {
                    let advice = advice(&fault, key);
                    format!("cannot listen on {asked}, which is {key}: {fault}{advice}")
                };
                let listener = TcpListener::bind(asked).await.map_err(explained)?;
                let at = listener.local_addr().map_err(explained)?;
                Ok(Self { kind: Kind::Tcp(listener), address: Address::Tcp(at) })
            }
            Address::Unix(path) => {
                let (listener, file) = bind_unix(path, mode).await.map_err(|text| {
                    format!(
                        "cannot listen on the Unix socket {}, which is {key}: {text}",
                        path.display()
                    )
                })?;
                let kind = Kind::Unix { listener, _file: file };
                Ok(Self { kind, address: address.clone() })
            }
        }
    }

    /// Where it is, with the port that it got.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection.
    ///
    /// # Errors
    /// Those of the system, such as too many open files.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers must not wait for more to send.
                if let Err(fault) = stream.set_nodelay(true) {
                    tracing::debug!(%fault, "no TCP_NODELAY");
                }
                Ok(Box::new(stream))
            }
            Kind::Unix { listener, .. } => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

fn advice(fault: &io::Error, key: &str) -> String {
    match fault.kind() {
        io::ErrorKind::AddrInUse => {
            format!("; another program is on that port: stop it or set {key} to another")
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 want a privilege: choose a higher one".to_owned()
        }
        _ => String::new(),
    }
}

/// Binds beside the path and moves the socket there, so that it is never seen with other
/// permissions, and never missing while it replaces a stale one.
async fn bind_unix(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), String> {
    let said = |fault: io::Error| fault.to_string();
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(
                "a file that is no socket is there: remove it or choose another path".into()
            );
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            return Err("another program answers there: stop it or choose another path".into());
        }
        // Nobody answers: it was left behind.
        Ok(_) => {}
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
        Err(fault) => return Err(said(fault)),
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push("~");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(said(fault)),
        _ => {}
    }
    let listener = UnixListener::bind(&beside).map_err(|fault| {
        format!("{fault}; its folder must be there, and the path at most about 100 characters long")
    })?;
    let moved = std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode))
        .and_then(|()| std::fs::rename(&beside, path))
        .and_then(|()| std::fs::symlink_metadata(path));
    match moved {
        Ok(file) => Ok((listener, SocketFile { path: path.to_owned(), inode: file.ino() })),
        Err(fault) => {
            // What is left of the attempt goes with it.
            let _gone = std::fs::remove_file(&beside);
            Err(said(fault))
        }
    }
}

/// The file of a listening socket, which goes with it unless another took its place.
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|at| at.ino() == self.inode);
        if ours && let Err(fault) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %fault, "a socket was left behind");
        }
    }
}

/// Both ends of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection whose writes fail when its peer takes no byte for too long: a client that does not
/// read holds what is under way for it only so long.
pub(super) struct Patient {
    io: Box<dyn Io>,
    wait: Duration,
    /// Runs while bytes wait for the peer.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) fn new(io: Box<dyn Io>, wait: Duration) -> Self {
        Self { io, wait, stuck: None }
    }

    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let wait = self.wait;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no bytes for longer than write_timeout",
        )))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.bounded(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_for_too_long_fails_the_write_and_a_slow_one_does_not() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut patient = Patient::new(Box::new(ours), Duration::from_secs(30));
        let slow = tokio::spawn(async move {
            let mut taken = [0; 8];
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut taken).await.unwrap();
            }
            theirs
        });
        patient.write_all(&[1; 40]).await.unwrap();
        let _theirs = slow.await.unwrap();
        let fault = patient.write_all(&[1; 8]).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_a_living_one_and_a_file_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let address = Address::Unix(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::bind(&address, 0o600, "gateway.listen").await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = Listener::bind(&address, 0o600, "gateway.listen").await.err().unwrap();
        assert!(refused.contains("another program answers there"), "{refused}");
        drop(listener);
        assert!(!path.exists(), "it goes with the listener");
        std::fs::write(&path, "text").unwrap();
        let refused = Listener::bind(&address, 0o600, "gateway.listen").await.err().unwrap();
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }
}
