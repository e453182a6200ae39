//! The warden: this program again, as the small parent of one child. It ends the child and all that
//! descends from it when it is asked to, and when its line to the gateway breaks.

use std::ffi::OsString;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::line::{Ask, News};
use super::tree;

/// How long the tree may take after SIGTERM when the gateway is gone and nobody asks any more.
const ORPHANED_WAIT: Duration = Duration::from_secs(2);
/// The stack of the thread that listens to the gateway: it does next to nothing.
const LISTENER_STACK_BYTES: usize = 64 << 10;
/// Signals that are meant for others: whoever stops the gateway with its whole group or unit stops
/// the wardens too, which must see to the end of their children first.
const UNHEEDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Runs the command in `words` and keeps it until nothing of it is left.
///
/// # Errors
/// What the kernel refused before there was a child; the gateway sees the line break.
pub(super) fn run(words: Vec<OsString>) -> io::Result<()> {
    // For people who look at the list of processes; nothing depends on it.
    let _unnamed = rustix::thread::set_name(c"mcp-warden");
    for signal in UNHEEDED {
        // A handler and not "ignored", which the child would inherit.
        signal_hook::flag::register(signal, Arc::default())?;
    }
    rustix::process::set_child_subreaper(Pid::from_raw(1))?;
    let line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let pipes = receive(&line)?;
    let child = match start(words, pipes) {
        Ok(child) => child,
        Err(fault) => return News::NotStarted(fault.raw_os_error().unwrap_or(0)).tell(&line),
    };
    let tree = Arc::new(Tree::of(child));
    // From here on nothing may end this process before the tree. A gateway that is gone by now is
    // noticed by who listens.
    let _gone = News::Started(child).tell(&line);
    let listening = listen(&tree, &line);
    if listening.is_err() {
        tree.kill();
    }
    tree.keep(&line);
    listening
}

/// Heeds the gateway on a thread that ends with the process.
fn listen(tree: &Arc<Tree>, line: &UnixStream) -> io::Result<()> {
    let (tree, line) = (Arc::clone(tree), line.try_clone()?);
    let listener = thread::Builder::new().stack_size(LISTENER_STACK_BYTES);
    listener.spawn(move || tree.heed(line)).map(drop)
}

/// The child's ends of its three pipes. The first byte on the line carries them.
fn receive(line: &UnixStream) -> io::Result<[OwnedFd; 3]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut carried = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    loop {
        let into = &mut [IoSliceMut::new(&mut byte)];
        match recvmsg(line, into, &mut carried, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(fault) => return Err(fault.into()),
            Ok(_) => break,
        }
    }
    let mut pipes = Vec::new();
    for message in carried.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            pipes.extend(files);
        }
    }
    pipes.try_into().map_err(|_| io::Error::other("expected three pipes from the gateway"))
}

/// Starts the command on the pipes, of which nothing stays open here.
fn start(words: Vec<OsString>, pipes: [OwnedFd; 3]) -> io::Result<i32> {
    let mut words = words.into_iter();
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let [stdin, stdout, stderr] = pipes.map(Stdio::from);
    let mut command = Command::new(program);
    command.args(words).stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
    let child = command.spawn()?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

/// The child and all that descends from it.
struct Tree {
    child: i32,
    ended: AtomicBool,
    /// The gateway sees to an orderly end: what the child leaves behind may end by itself.
    closing: AtomicBool,
    /// Whatever is still there is killed.
    doomed: AtomicBool,
}

impl Tree {
    fn of(child: i32) -> Self {
        let [ended, closing, doomed] = [const { AtomicBool::new(false) }; 3];
        Self { child, ended, closing, doomed }
    }

    /// Takes note of every end until there is nobody left.
    fn keep(&self, line: &UnixStream) {
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((id, status))) => {
                    if id.as_raw_pid() == self.child {
                        self.ended.store(true, Ordering::SeqCst);
                        // A gateway that is gone needs no news.
                        let _gone = News::Ended(status.as_raw()).tell(line);
                        if !self.closing.load(Ordering::SeqCst) {
                            self.doomed.store(true, Ordering::SeqCst);
                        }
                    }
                    if self.doomed.load(Ordering::SeqCst) {
                        self.signal(Signal::KILL);
                    }
                }
                Err(Errno::CHILD) => return,
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Does what the gateway asks; when it is gone, ends the tree.
    fn heed(&self, mut line: UnixStream) {
        let mut byte = [0];
        loop {
            match line.read(&mut byte) {
                Ok(1..) => match Ask::of(byte[0]) {
                    Some(Ask::Close) => self.closing.store(true, Ordering::SeqCst),
                    Some(Ask::Terminate) => self.signal(Signal::TERM),
                    Some(Ask::Kill) => self.kill(),
                    None => {}
                },
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        self.closing.store(true, Ordering::SeqCst);
        self.signal(Signal::TERM);
        thread::sleep(ORPHANED_WAIT);
        self.kill();
    }

    fn kill(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        tree::signal_below(own_id(), signal);
        // Where `/proc` shows nothing, the group is what can be reached; its number is certainly
        // its own for as long as the child has not been taken note of.
        let group = Pid::from_raw(self.child);
        if let Some(group) = group.filter(|_| !self.ended.load(Ordering::SeqCst)) {
            let _ended = kill_process_group(group, signal);
        }
    }
}

fn own_id() -> i32 {
    rustix::process::getpid().as_raw_pid()
}

impl News {
    fn tell(self, mut line: &UnixStream) -> io::Result<()> {
        line.write_all(&self.bytes())
    }
}
