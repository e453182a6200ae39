//! PostgreSQL and Redis as Debian has them, on sockets in folders of their own, ended with a test.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command as Once, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Far above what a loaded machine needs: it only keeps a hang from lasting for ever.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Between two looks at a server that starts.
const LOOK: Duration = Duration::from_millis(50);
/// Looks at a server that ends with its test.
const LOOKS_MAX: usize = 1_200;
/// Of the servers with TLS: for `localhost`, by the authority in `data/keys/ca.pem`.
const CERTIFICATE: &str = include_str!("data/keys/server.pem");
const KEY: &str = include_str!("data/keys/server.key");
/// Who runs PostgreSQL where the tests are root's: it refuses to be.
const NOBODY: &str = "nobody";

/// Free ports that are tried for a server: somebody else may be faster.
const PORTS_MAX: usize = 20;

/// A PostgreSQL server.
pub(crate) struct Postgres {
    folder: TempDir,
    child: Option<Child>,
    /// Where it listens besides its socket, encrypted.
    port: Option<u16>,
}

impl Postgres {
    /// An empty server that accepts connections.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::with_prefix("gateway-pg-").expect("a temporary folder");
        if geteuid().is_root() {
            let id = |of| {
                let id = Once::new("id").args([of, NOBODY]).output().expect("id is there");
                String::from_utf8_lossy(&id.stdout).trim().parse().expect("a number")
            };
            chown(folder.path(), Some(id("-u")), Some(id("-g")))
                .expect("a folder for another user");
        }
        let mut server = Self { folder, child: None, port: None };
        let data = server.data();
        let made = server
            .as_user("initdb")
            .args(["--no-sync", "--auth=trust", "--username=gateway"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(data)
            .stdout(Stdio::null())
            .status()
            .await
            .expect("initdb runs");
        assert!(made.success(), "initdb ended with {made}");
        server.restart().await;
        server
    }

    /// One that also listens at a port of this machine, for encrypted connections alone.
    pub(crate) async fn start_with_tls() -> Self {
        let mut server = Self::start().await;
        server.crash().await;
        let owner = std::fs::metadata(server.folder.path()).expect("its folder");
        for (name, text) in [("server.pem", CERTIFICATE), ("server.key", KEY)] {
            let file = server.folder.path().join(name);
            std::fs::write(&file, text).expect("a file for the server");
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its rights");
            chown(&file, Some(owner.uid()), Some(owner.gid())).expect("its owner");
        }
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
        std::fs::write(server.data().join("pg_hba.conf"), rules).expect("who may connect");
        for _ in 0..PORTS_MAX {
            server.port = Some(free_port());
            if server.starts().await {
                return server;
            }
        }
        panic!("postgres finds no port: {}", server.log());
    }

    /// The URL of its only database at its port.
    pub(crate) fn url_at_port(&self, host: &str, more: &str) -> String {
        let port = self.port.expect("a server with a port");
        format!("postgres://gateway@{host}:{port}/postgres{more}")
    }

    /// The URL of its only database.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://gateway@{folder}/postgres")
    }

    /// Starts it, again, on the data it has.
    pub(crate) async fn restart(&mut self) {
        assert!(self.starts().await, "postgres ended: {}", self.log());
    }

    /// Starts it; `false` when it ends instead.
    async fn starts(&mut self) -> bool {
        let folder = self.folder.path().display().to_string();
        let log =
            std::fs::File::create(self.folder.path().join("log")).expect("a file for its log");
        let mut command = self.as_user("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-c", "fsync=off", "-c", "max_connections=40"])
            .args(["-c", &format!("unix_socket_directories={folder}")]);
        match self.port {
            None => command.args(["-c", "listen_addresses="]),
            Some(port) => command
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"])
                .args(["-c", &format!("port={port}")])
                .args(["-c", &format!("ssl_cert_file={folder}/server.pem")])
                .args(["-c", &format!("ssl_key_file={folder}/server.key")]),
        };
        self.child =
            Some(command.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts"));
        let ready = async {
            while self.asked("SELECT 1").await.as_deref() != Some("1") {
                let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
                if ended.is_some() {
                    return false;
                }
                sleep(LOOK).await;
            }
            true
        };
        let ready = timeout(WAIT_MAX, ready).await;
        ready.unwrap_or_else(|_| panic!("postgres does not start: {}", self.log()))
    }

    /// Ends it at once, as a crash does; what runs in it is lost.
    pub(crate) async fn crash(&mut self) {
        end(&mut self.child, Signal::QUIT).await;
    }

    /// What a statement answers, asked without the gateway; a failure fails the test.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        self.asked(sql).await.unwrap_or_else(|| panic!("psql fails at {sql}: {}", self.log()))
    }

    /// Waits until a statement answers so.
    pub(crate) async fn until(&self, sql: &str, wanted: &str) {
        let came = async {
            while self.ask(sql).await != wanted {
                sleep(LOOK).await;
            }
        };
        assert!(timeout(WAIT_MAX, came).await.is_ok(), "{sql} does not become {wanted}");
    }

    async fn asked(&self, sql: &str) -> Option<String> {
        let mut psql = Command::new(program("psql"));
        psql.arg("--host").arg(self.folder.path());
        // The socket is named by the port, also where nobody listens at one.
        psql.env("PGPORT", self.port.unwrap_or(5432).to_string());
        psql.args(["--username=gateway", "--dbname=postgres", "-XAtq", "-c", sql]);
        let output =
            psql.stderr(Stdio::null()).kill_on_drop(true).output().await.expect("psql runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn as_user(&self, name: &str) -> Command {
        let program = program(name);
        let owned = std::fs::metadata(self.folder.path()).expect("its folder");
        let (user, group) = (owned.uid().to_string(), owned.gid().to_string());
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user, "--regid", &group, "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).env_remove("LD_PRELOAD").kill_on_drop(true);
        command.stdin(Stdio::null());
        command
    }
}

/// A Redis server without a file.
pub(crate) struct Redis {
    folder: TempDir,
    child: Option<Child>,
    /// Where it listens besides its socket, encrypted.
    port: Option<u16>,
}

impl Redis {
    /// An empty server that accepts connections.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::with_prefix("gateway-redis-").expect("a temporary folder");
        let mut server = Self { folder, child: None, port: None };
        server.restart().await;
        server
    }

    /// One that also listens at a port of this machine, for encrypted connections alone.
    pub(crate) async fn start_with_tls() -> Self {
        let folder = TempDir::with_prefix("gateway-redis-").expect("a temporary folder");
        for (name, text) in [("server.pem", CERTIFICATE), ("server.key", KEY)] {
            std::fs::write(folder.path().join(name), text).expect("a file for the server");
        }
        let mut server = Self { folder, child: None, port: None };
        for _ in 0..PORTS_MAX {
            server.port = Some(free_port());
            if server.starts().await {
                return server;
            }
        }
        panic!("redis-server finds no port");
    }

    /// The URL of its first database.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The URL of its first database at its port.
    pub(crate) fn url_at_port(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.port.expect("a server with a port"))
    }

    /// Starts it, again, with nothing in it.
    pub(crate) async fn restart(&mut self) {
        assert!(self.starts().await, "redis-server ended");
    }

    /// Starts it; `false` when it ends instead.
    async fn starts(&mut self) -> bool {
        let mut command = Command::new(program("redis-server"));
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
        command.arg(self.socket()).arg("--dir").arg(self.folder.path());
        if let Some(port) = self.port {
            let file = |name: &str| self.folder.path().join(name);
            command.args(["--bind", "127.0.0.1", "--tls-auth-clients", "no"]);
            command.args(["--tls-port", &port.to_string()]);
            command.arg("--tls-cert-file").arg(file("server.pem"));
            command.arg("--tls-key-file").arg(file("server.key"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        self.child = Some(command.spawn().expect("redis-server starts"));
        let ready = async {
            while self.asked(&["PING"]).await.as_deref() != Some("PONG") {
                let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
                if ended.is_some() {
                    return false;
                }
                sleep(LOOK).await;
            }
            true
        };
        timeout(WAIT_MAX, ready).await.expect("redis-server starts in time")
    }

    /// Ends it at once.
    pub(crate) async fn crash(&mut self) {
        end(&mut self.child, Signal::KILL).await;
    }

    /// What a command answers, asked without the gateway; a failure fails the test.
    pub(crate) async fn ask(&self, command: &[&str]) -> String {
        self.asked(command).await.unwrap_or_else(|| panic!("redis-cli fails at {command:?}"))
    }

    async fn asked(&self, command: &[&str]) -> Option<String> {
        let mut cli = Command::new(program("redis-cli"));
        cli.arg("-s").arg(self.socket()).args(command).stderr(Stdio::null()).kill_on_drop(true);
        let output = cli.output().await.expect("redis-cli runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

/// A port that nobody listens at just now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Signals a server and waits for its end.
async fn end(child: &mut Option<Child>, signal: Signal) {
    let mut child = child.take().expect("a server that runs");
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(id.expect("a process id"), signal).expect("a server can be signalled");
    let ended = timeout(WAIT_MAX, child.wait()).await;
    assert!(ended.is_ok(), "the server does not end");
}

/// A killed postmaster leaves its processes to notice by themselves; one that is told to end
/// takes them along.
impl Drop for Postgres {
    fn drop(&mut self) {
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        let Some(id) = id.and_then(Pid::from_raw) else { return };
        kill_process(id, Signal::QUIT).ok();
        // The data goes with the folder, so that nobody may write there any more.
        let is_there = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        for _ in 0..LOOKS_MAX {
            if !self.child.as_mut().is_some_and(is_there) {
                break;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A program of Debian's packages: PostgreSQL's own are in a folder by version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let found =
        folders.iter().rev().map(|folder| folder.join(name)).find(|path: &PathBuf| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not there: run tests/real/install.sh databases"))
}
