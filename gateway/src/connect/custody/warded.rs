//! The gateway's side of a child under a warden.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as Line;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::process::Child;
use tokio::time::timeout;

use super::line::{Ask, News};
use super::{WARDEN, adopted};

/// The program that runs, even when its file was replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How long a warden may take to start its child; far above what a loaded machine needs.
const START_WAIT: Duration = Duration::from_secs(30);

/// A line on which a warden is asked.
#[derive(Clone)]
pub(in crate::connect) struct Asks(Arc<tokio::net::unix::OwnedWriteHalf>);

/// A warden, as it is heard.
pub(in crate::connect) struct Warded {
    hear: OwnedReadHalf,
    warden: Child,
    child: i32,
    /// The warden told of the child's end: then the end of the line means that nothing is left.
    in_order: bool,
}

/// Starts `command` on the pipes under a warden.
///
/// # Errors
/// What the kernel said about the command, or about the warden.
pub(super) async fn start(command: &Command, pipes: [OwnedFd; 3]) -> io::Result<(Asks, Warded)> {
    let (near, far) = Line::pair()?;
    let mut warden = as_warden(command);
    warden.stdin(Stdio::from(OwnedFd::from(far))).stdout(Stdio::null()).stderr(Stdio::null());
    let warden = adopted::start_warden(warden)?;
    hand_over(&near, &pipes)?;
    drop(pipes);
    near.set_nonblocking(true)?;
    let (hear, ask) = UnixStream::from_std(near)?.into_split();
    let mut warded = Warded { hear, warden, child: 0, in_order: false };
    match timeout(START_WAIT, warded.news()).await {
        Ok(Some(News::Started(child))) => warded.child = child,
        Ok(Some(News::NotStarted(why))) => return Err(io::Error::from_raw_os_error(why)),
        Ok(_) => return Err(io::Error::other("its warden ended at once")),
        Err(_) => return Err(io::Error::other("its warden does not start it")),
    }
    Ok((Asks(Arc::new(ask)), warded))
}

/// The same command, to be started by this program as a warden.
fn as_warden(command: &Command) -> tokio::process::Command {
    use std::os::unix::process::CommandExt as _;
    let mut warden = Command::new(THIS_PROGRAM);
    warden.arg0("mcp-warden").arg(WARDEN).arg(command.get_program()).args(command.get_args());
    warden.env_clear();
    warden.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        warden.current_dir(folder);
    }
    warden.process_group(0);
    warden.into()
}

/// Passes the child's ends of its pipes, so that its bytes go through no third process.
fn hand_over(line: &Line, pipes: &[OwnedFd; 3]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut carried = SendAncillaryBuffer::new(&mut space);
    let files = [pipes[0].as_fd(), pipes[1].as_fd(), pipes[2].as_fd()];
    if !carried.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room to pass three pipes"));
    }
    sendmsg(line, &[IoSlice::new(b"p")], &mut carried, SendFlags::NOSIGNAL)?;
    Ok(())
}

impl Asks {
    /// Asks; a warden that is gone has done all that it could.
    pub(super) fn ask(&self, ask: Ask) {
        let _gone = self.0.try_write(&[ask.byte()]);
    }
}

impl Warded {
    pub(super) fn child(&self) -> u32 {
        self.child.unsigned_abs()
    }

    async fn news(&mut self) -> Option<News> {
        let mut bytes = [0; News::BYTES];
        self.hear.read_exact(&mut bytes).await.ok()?;
        News::of(bytes)
    }

    /// Waits for the end of the child, and says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self.news().await {
            Some(News::Ended(status)) => {
                self.in_order = true;
                format!("its process ended ({})", ExitStatus::from_raw(status))
            }
            _ => {
                self.take_over();
                "its warden was ended from outside, and it with it".to_owned()
            }
        }
    }

    /// Waits until nothing of the child is left.
    pub(super) async fn gone(&mut self) {
        while self.news().await.is_some() {}
        let _status = self.warden.wait().await;
        if !self.in_order {
            adopted::end_all().await;
        }
    }

    /// Without a warden, the child's group is what can be reached at once; what left the group
    /// came to this program if it adopts, and [`Self::gone`] sees to it.
    fn take_over(&self) {
        if let Some(group) = Pid::from_raw(self.child) {
            let _ended = kill_process_group(group, Signal::KILL);
        }
    }
}
