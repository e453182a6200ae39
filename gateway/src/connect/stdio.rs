//! Children that are processes, spoken to on their standard input and output.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::question::Abilities;
use tokio::sync::{Semaphore, mpsc};

use super::process::Process;
use super::wire::{Cable, CableSettings, LastWords};
use super::wired::{Carrier, Meeting, Open, Opened};
use super::{Asking, EraPin};
use crate::call::{Dial, Event, Fault, Future, Link, Turn};

/// How many of the last words go to the log with a fault.
const WORDS_LOGGED_MAX: usize = 20;

/// How to start a child process and speak to it.
#[derive(Debug, Clone)]
pub struct StdioSettings {
    /// The mount's name, for faults and logs.
    pub mount: Arc<str>,
    /// The program: a name to be found in `PATH`, or a path.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables beside the few it inherits (`PATH`, `HOME`, `USER`, `LANG`, `LC_ALL`,
    /// `TERM`, `SHELL`, `TMPDIR`, `TZ`); these win.
    pub env: Vec<(String, String)>,
    /// Its working folder; the gateway's own without one.
    pub cwd: Option<PathBuf>,
    /// How many processes may start at a time, all mounts together.
    pub turns: Arc<Semaphore>,
    /// How its era is known.
    pub era: EraPin,
    /// How long the answer to the probe is waited for; after it the child counts as legacy.
    pub probe_wait: Duration,
    /// The longest message that is read from it, in bytes.
    pub message_bytes_max: usize,
    /// How it may ask the clients that call it.
    pub asking: Asking,
}

impl StdioSettings {
    /// Settings with the defaults: era found out within 3 s, messages up to 16 MiB.
    pub fn new(mount: impl Into<Arc<str>>, command: impl Into<String>) -> Self {
        let mount = mount.into();
        Self {
            asking: Asking::of(&mount),
            mount,
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            turns: Arc::new(Semaphore::new(1)),
            era: EraPin::Auto,
            probe_wait: Duration::from_secs(3),
            message_bytes_max: 16 << 20,
        }
    }
}

/// Starts a child process for each connection.
pub struct StdioDial {
    way: Way,
    meeting: Meeting,
}

struct Way {
    settings: StdioSettings,
    words: Arc<LastWords>,
}

impl StdioDial {
    /// Nothing is started before [`Dial::dial`].
    pub fn new(settings: StdioSettings) -> Self {
        let meeting = Meeting::new(settings.era, settings.probe_wait, settings.asking.clone());
        Self { way: Way { settings, words: Arc::default() }, meeting }
    }

    fn explained(&self, fault: Fault) -> Fault {
        let words = self.way.words.all();
        let last = words.get(words.len().saturating_sub(WORDS_LOGGED_MAX)..).unwrap_or_default();
        match (&fault.log, last) {
            (Some(_), _) | (None, []) => fault,
            (None, last) => fault.with_log(format!("its last words:\n{}", last.join("\n"))),
        }
    }
}

impl Open for Way {
    fn open(&self) -> Future<'_, Result<Opened, Fault>> {
        Box::pin(async {
            let (process, pipes) = Process::start(&self.settings, self.words.clone()).await?;
            let settings = CableSettings {
                mount: self.settings.mount.clone(),
                message_bytes_max: self.settings.message_bytes_max,
                words: self.words.clone(),
                obituary: Some(Box::pin(process.obituary())),
            };
            let carrier: Box<dyn Carrier> = Box::new(process);
            Ok((Cable::lines(pipes.stdout, pipes.stdin, settings), carrier))
        })
    }
}

impl Carrier for Process {
    fn close(&self) -> Future<'_, ()> {
        Box::pin(Self::close(self))
    }

    fn how_ended(&self) -> Option<String> {
        Self::how_ended(self)
    }
}

impl Dial for StdioDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let met = self.meeting.link(&self.way, able, events).await;
            let link = met.map_err(|fault| self.explained(fault))?;
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn turn(&self) -> Future<'_, Turn> {
        Box::pin(Turn::at(&self.way.settings.turns))
    }

    fn address(&self) -> String {
        let mut words = vec![self.way.settings.command.clone()];
        let mut secret_next = false;
        for arg in &self.way.settings.args {
            words.push(if secret_next { "…".to_owned() } else { shown(arg) });
            let header = matches!(arg.as_str(), "-H" | "--header");
            secret_next = header || arg.starts_with('-') && is_secret(arg) && !arg.contains('=');
        }
        words.join(" ")
    }

    fn last_words(&self) -> Vec<String> {
        self.way.words.all()
    }
}

/// An argument without the secret in it: the user part and the query of a URL, and what
/// `--token=…` or `API_KEY=…` gives.
fn shown(arg: &str) -> String {
    if let Some((scheme, rest)) = arg.split_once("://") {
        let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?…"));
        let authority = place.split('/').next().unwrap_or_default();
        return match authority.rfind('@') {
            Some(at) => format!("{scheme}://…{}{query}", place.get(at..).unwrap_or_default()),
            None => format!("{scheme}://{place}{query}"),
        };
    }
    match arg.split_once('=').filter(|(name, _)| is_secret(name)) {
        Some((name, _)) => format!("{name}=…"),
        None => arg.to_owned(),
    }
}

fn is_secret(name: &str) -> bool {
    const SIGNS: [&str; 8] =
        ["token", "secret", "password", "passwd", "key", "credential", "auth", "_pat"];
    let name = name.split('=').next().unwrap_or_default().to_ascii_lowercase();
    SIGNS.iter().any(|sign| name.contains(sign))
}
