//! Children behind a Unix socket: one message a line, as on standard input and output (check 80).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::question::Abilities;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::unreachable::unreachable;
use super::wire::{Cable, CableSettings, LastWords};
use super::wired::{Carrier, Meeting, NoCarrier, Open, Opened};
use super::{Asking, EraPin};
use crate::call::{Dial, Event, Fault, Future, Link};

/// What is known of a child behind a Unix socket.
#[derive(Debug, Clone)]
pub struct UnixSettings {
    /// The mount's name, for faults and logs.
    pub mount: Arc<str>,
    /// Where the socket is.
    pub path: PathBuf,
    /// How its era is known.
    pub era: EraPin,
    /// How long the answer to the probe is waited for; after it the child counts as legacy.
    pub probe_wait: Duration,
    /// The longest message that is read from it, in bytes.
    pub message_bytes_max: usize,
    /// The longest that the connection may take.
    pub connect_timeout: Duration,
    /// How it may ask the clients that call it.
    pub asking: Asking,
}

/// Opens connections to a child behind a Unix socket.
pub struct UnixDial {
    way: Way,
    meeting: Meeting,
}

struct Way {
    settings: UnixSettings,
    words: Arc<LastWords>,
}

impl UnixDial {
    /// Nothing is connected before [`Dial::dial`].
    pub fn new(settings: UnixSettings) -> Self {
        let meeting = Meeting::new(settings.era, settings.probe_wait, settings.asking.clone());
        Self { way: Way { settings, words: Arc::default() }, meeting }
    }
}

impl Way {
    async fn connect(&self) -> Result<UnixStream, Fault> {
        let (path, wait) = (&self.settings.path, self.settings.connect_timeout);
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let connected = timeout(wait, UnixStream::connect(path)).await.map_err(late);
        connected.and_then(|connected| connected).map_err(|fault| {
            let text = match fault.kind() {
                io::ErrorKind::NotFound => "its socket is not there: start it, or correct `url`",
                io::ErrorKind::ConnectionRefused => "nobody listens on its socket: start it",
                io::ErrorKind::PermissionDenied => "its socket may not be used: see its mode",
                io::ErrorKind::TimedOut => "no connection in time",
                _ => "its socket cannot be used",
            };
            unreachable(&self.settings.mount, text).with_log(format!("{}: {fault}", path.display()))
        })
    }
}

impl Open for Way {
    fn open(&self) -> Future<'_, Result<Opened, Fault>> {
        Box::pin(async {
            let (reader, writer) = self.connect().await?.into_split();
            let settings = CableSettings {
                mount: self.settings.mount.clone(),
                message_bytes_max: self.settings.message_bytes_max,
                words: self.words.clone(),
                obituary: None,
            };
            let carrier: Box<dyn Carrier> = Box::new(NoCarrier);
            Ok((Cable::lines(reader, writer, settings), carrier))
        })
    }
}

impl Dial for UnixDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let link = self.meeting.link(&self.way, able, events).await?;
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        format!("unix:{}", self.way.settings.path.display())
    }

    fn last_words(&self) -> Vec<String> {
        self.way.words.all()
    }
}
