//! A child behind a wrapper, with a grandchild that does all to get away, and how they are found.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// As `npx` does, a shell waits for the server; before, it starts a process that is nobody's child,
/// in a session of its own, deaf to every signal that can be ignored, with an empty environment.
/// `$0` is this program, `$1` the mark.
const WRAPPER: &str = r#"
setsid -f env -i sh -c '
    trap "" TERM HUP INT QUIT
    exec "$0" fugitive "$1"
' "$0" "$1" </dev/null >/dev/null 2>&1
"$0" child --stdio --era legacy
true"#;

/// The configuration of a gateway with that child. The path `mark` stands in the arguments or in
/// the environment of every process.
pub(super) fn routing(me: &Path, mark: &Path, health: &str) -> String {
    let (me, mark) = (me.to_string_lossy(), mark.to_string_lossy());
    let args = json!(["-c", WRAPPER, me, mark]);
    let mark = json!(mark);
    format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n\n[mounts.w]\ncommand = \"sh\"\n\
         args = {args}\nenv = {{ BENCHES_MARK = {mark} }}\nera = \"legacy\"\n{health}"
    )
}

/// A process with the mark.
pub(super) struct Marked {
    pub(super) pid: u32,
    pub(super) command: String,
}

impl Marked {
    /// Every one, dead ones that nobody has taken note of not among them.
    pub(super) fn all(mark: &Path) -> Vec<Self> {
        let mark = mark.as_os_str().as_bytes();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let others = pids.filter(|pid| *pid != std::process::id());
        others.filter_map(|pid| Self::of(pid, mark)).collect()
    }

    fn of(pid: u32, mark: &[u8]) -> Option<Self> {
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let has = |bytes: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
        let marked = has(&words) || has(&fs::read(format!("/proc/{pid}/environ")).ok()?);
        let command = String::from_utf8_lossy(&words).replace('\0', " ");
        marked.then_some(Self { pid, command })
    }

    /// Whether it is the one that got away.
    pub(super) fn is_fugitive(&self) -> bool {
        self.command.contains(" fugitive ") && !self.command.contains("trap")
    }

    /// Whether it is the server itself.
    pub(super) fn is_server(&self) -> bool {
        self.command.contains(" child --stdio") && !self.command.contains("trap")
    }

    /// Whether it is the shell around the server.
    pub(super) fn is_wrapper(&self) -> bool {
        self.command.starts_with("sh -c \nsetsid")
    }

    pub(super) fn kill(&self) {
        signal(self.pid, Signal::KILL);
    }
}

/// Sends a signal to a process that may have ended.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}
