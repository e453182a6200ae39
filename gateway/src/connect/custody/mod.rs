//! Who holds a child process: a warden that survives the gateway for just as long as it takes to
//! end all that the child started, or a process group where there can be no warden.

mod grouped;
mod line;
#[cfg(target_os = "linux")]
mod adopted;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod warded;
#[cfg(target_os = "linux")]
mod warden;

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use line::Ask;

/// The first argument of this program as a warden.
const WARDEN: &str = "--warden-of-one-child";

/// Whether this program can be its own wardens: its `main` begins with [`warden_if_asked`].
static CAN_WARD: AtomicBool = AtomicBool::new(false);

/// Turns this process into a warden if it was started as one, and does not return then. Belongs at
/// the very beginning of `main` of a program that runs a gateway: only with it do child processes
/// and all their descendants end with the program however it ends, `kill -9` included. Without it,
/// and on systems other than Linux, a child is a process group that an orderly end and a dropped
/// gateway take with them.
pub fn warden_if_asked() {
    #[cfg(target_os = "linux")]
    {
        let mut words = std::env::args_os().skip(1);
        if words.next().is_some_and(|word| word == WARDEN) {
            let ended = warden::run(words.collect());
            std::process::exit(i32::from(ended.is_err()));
        }
        CAN_WARD.store(true, Ordering::SeqCst);
    }
}

/// Makes this program the parent of what its descendants leave behind, so that nothing survives
/// even a warden that is killed from outside: when that happens, every child process of this
/// program that is no warden is killed. For programs that start no processes of their own.
///
/// # Errors
/// What the kernel says.
pub fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    adopted::adopt()?;
    Ok(())
}

/// Asks for the end of a child and all that it started. Cheap to clone.
#[derive(Clone)]
pub(super) enum Hold {
    Group(grouped::Group),
    #[cfg(target_os = "linux")]
    Warden(warded::Asks),
}

/// A child that is held, as it is waited for.
pub(super) enum Held {
    Group(grouped::Grouped),
    #[cfg(target_os = "linux")]
    Warden(warded::Warded),
}

/// Starts `command` with these as its standard input, output and error.
///
/// # Errors
/// What the kernel said about the command.
pub(super) async fn start(command: Command, pipes: [OwnedFd; 3]) -> io::Result<(Hold, Held)> {
    #[cfg(target_os = "linux")]
    if CAN_WARD.load(Ordering::SeqCst) {
        let (asks, warded) = warded::start(&command, pipes).await?;
        return Ok((Hold::Warden(asks), Held::Warden(warded)));
    }
    let (group, grouped) = grouped::start(command, pipes)?;
    Ok((Hold::Group(group), Held::Group(grouped)))
}

impl Hold {
    /// From now on what the child leaves behind may end by itself, until asked for more.
    pub(super) fn close(&self) {
        self.ask(Ask::Close);
    }

    /// SIGTERM to all.
    pub(super) fn terminate(&self) {
        self.ask(Ask::Terminate);
    }

    /// SIGKILL to all.
    pub(super) fn kill(&self) {
        self.ask(Ask::Kill);
    }

    fn ask(&self, ask: Ask) {
        match (self, ask) {
            #[cfg(target_os = "linux")]
            (Self::Warden(asks), ask) => asks.ask(ask),
            (Self::Group(_), Ask::Close) => {}
            (Self::Group(group), Ask::Terminate) => group.signal(Signal::TERM),
            (Self::Group(group), Ask::Kill) => group.signal(Signal::KILL),
        }
    }
}

impl Held {
    /// The child's process id.
    pub(super) fn child(&self) -> u32 {
        match self {
            Self::Group(grouped) => grouped.child(),
            #[cfg(target_os = "linux")]
            Self::Warden(warded) => warded.child(),
        }
    }

    /// Waits for the end of the child, and says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self {
            Self::Group(grouped) => grouped.ended().await,
            #[cfg(target_os = "linux")]
            Self::Warden(warded) => warded.ended().await,
        }
    }

    /// Waits until nothing of it is left.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Group(grouped) => grouped.gone().await,
            #[cfg(target_os = "linux")]
            Self::Warden(warded) => warded.gone().await,
        }
    }
}
