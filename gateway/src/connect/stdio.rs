//! Children that are processes, spoken to on their standard input and output.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::EraPin;
use super::probe::{Peer, Plan, Unmet, meet};
use super::process::Process;
use super::wire::{LastWords, LineSettings, Lines};
use crate::call::{About, Call, Dial, Event, Fault, Future, Link, List, Reply};

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
    /// How its era is known.
    pub era: EraPin,
    /// How long the answer to the probe is waited for; after it the child counts as legacy.
    pub probe_wait: Duration,
    /// The longest message that is read from it, in bytes.
    pub message_bytes_max: usize,
}

impl StdioSettings {
    /// Settings with the defaults: era found out within 3 s, messages up to 16 MiB.
    pub fn new(mount: impl Into<Arc<str>>, command: impl Into<String>) -> Self {
        Self {
            mount: mount.into(),
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            era: EraPin::Auto,
            probe_wait: Duration::from_secs(3),
            message_bytes_max: 16 << 20,
        }
    }
}

/// Starts a child process for each connection.
pub struct StdioDial {
    settings: StdioSettings,
    words: Arc<LastWords>,
    /// Whether the last connection was legacy, so that the next need not ask (check 41).
    known_legacy: Mutex<bool>,
}

impl StdioDial {
    /// Nothing is started before [`Dial::dial`].
    pub fn new(settings: StdioSettings) -> Self {
        Self { settings, words: Arc::default(), known_legacy: Mutex::new(false) }
    }

    async fn connect(&self, events: mpsc::Sender<Event>) -> Result<StdioLink, Fault> {
        let mut known = self.settings.era == EraPin::Auto && self.is_known_legacy();
        let probe = Plan::Probe { wait: self.settings.probe_wait };
        let mut plan = match self.settings.era {
            EraPin::Legacy => Plan::Handshake,
            EraPin::Modern => Plan::Modern,
            EraPin::Auto if known => Plan::Handshake,
            EraPin::Auto => probe,
        };
        // At most three starts: a handshake that was right the last time, a probe, and a
        // handshake after a probe that was deadly.
        loop {
            match self.start(plan, events.clone()).await {
                Ok(link) => {
                    self.know_legacy(matches!(link.peer, Peer::Legacy(_)));
                    return Ok(link);
                }
                Err(_) if known => {
                    known = false;
                    self.know_legacy(false);
                    plan = probe;
                }
                Err(unmet) if unmet.died_of_probe && plan == probe => plan = Plan::Handshake,
                Err(unmet) => return Err(self.explained(unmet.fault)),
            }
        }
    }

    async fn start(&self, plan: Plan, events: mpsc::Sender<Event>) -> Result<StdioLink, Unmet> {
        let started = Process::start(&self.settings, self.words.clone()).await;
        let (process, pipes) = started.map_err(|fault| Unmet { fault, died_of_probe: false })?;
        let settings = LineSettings {
            mount: self.settings.mount.clone(),
            message_bytes_max: self.settings.message_bytes_max,
            words: self.words.clone(),
            obituary: Some(Box::pin(process.obituary())),
        };
        let lines = Lines::open(pipes.stdout, pipes.stdin, settings);
        let peer = meet(&lines.wire, plan, events).await?;
        Ok(StdioLink { peer, lines, process })
    }

    fn explained(&self, fault: Fault) -> Fault {
        let words = self.words.all();
        let last = words.get(words.len().saturating_sub(WORDS_LOGGED_MAX)..).unwrap_or_default();
        match (&fault.log, last) {
            (Some(_), _) | (None, []) => fault,
            (None, last) => fault.with_log(format!("its last words:\n{}", last.join("\n"))),
        }
    }

    fn is_known_legacy(&self) -> bool {
        *self.known_legacy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn know_legacy(&self, known: bool) {
        *self.known_legacy.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Dial for StdioDial {
    fn dial(&self, events: mpsc::Sender<Event>) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async {
            let link = self.connect(events).await?;
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        let mut words = vec![self.settings.command.clone()];
        let mut secret_next = false;
        for arg in &self.settings.args {
            words.push(if secret_next { "…".to_owned() } else { shown(arg) });
            let header = matches!(arg.as_str(), "-H" | "--header");
            secret_next = header || arg.starts_with('-') && is_secret(arg) && !arg.contains('=');
        }
        words.join(" ")
    }

    fn last_words(&self) -> Vec<String> {
        self.words.all()
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

/// A running child process that has been spoken to.
struct StdioLink {
    // In the order in which they may go: who speaks, what carries it, what hears it.
    peer: Peer,
    lines: Lines,
    process: Process,
}

impl Link for StdioLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(self.peer.serve(call))
    }

    fn about(&self) -> &About {
        self.peer.about()
    }

    fn tells_changes(&self, list: List) -> bool {
        self.peer.tells_changes(list)
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(self.lines.wire.lost())
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(self.peer.probe())
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async {
            self.lines.hang_up();
            self.process.close().await;
            let how = self.process.how_ended();
            self.lines.wire.end(how.as_deref().unwrap_or("the gateway closed the connection"));
        })
    }
}
