//! Opens connections to one remote child, in the era it speaks.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::Version;
use protocol::question::Abilities;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::client::HttpClient;
use super::faults::unreachable;
use super::legacy::LegacyLink;
use super::modern::{ModernLink, Requests};
use super::paired;
use super::probe::{Verdict, probe};
use super::settings::{HttpSettings, Transport};
use crate::call::{Dial, Event, Fault, Future, Link};
use crate::connect::EraPin;
use crate::connect::wire::LastWords;

/// How long a child counts as legacy without being asked again: servers are upgraded.
const LEGACY_KEPT: Duration = Duration::from_secs(3600);

/// Opens connections to one remote child.
pub struct HttpDial {
    client: HttpClient,
    /// The child shook hands, with this version asked for, at this time. That a child is modern
    /// need not be kept: what it says of itself is asked for at each dial, by the same request.
    legacy: Mutex<Option<(Version, Instant)>>,
    /// The last connection was over HTTP+SSE.
    known_paired: AtomicBool,
    /// Oddities of HTTP+SSE, whose messages share one channel.
    words: Arc<LastWords>,
}

impl HttpDial {
    /// A dialler; nothing is connected yet.
    ///
    /// # Errors
    /// [`crate::call::Kind::Invalid`] when the URL is not `http` or `https` with a host;
    /// [`crate::call::Kind::Internal`] when TLS cannot be set up.
    pub fn new(settings: HttpSettings) -> Result<Self, Fault> {
        Ok(Self {
            client: HttpClient::new(settings)?,
            legacy: Mutex::new(None),
            known_paired: AtomicBool::new(false),
            words: Arc::default(),
        })
    }

    async fn connect(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Result<Arc<dyn Link>, Fault> {
        if self.client.settings().transport == Transport::Sse {
            return self.connect_paired(able, events).await;
        }
        // Forgotten before the attempt, so that one that fails leads to a new probe.
        if self.known_paired.swap(false, Relaxed)
            && let Ok(link) = self.connect_paired(able, events.clone()).await
        {
            self.known_paired.store(true, Relaxed);
            return Ok(link);
        }
        let pin = self.client.settings().era;
        let version = match (pin, self.known_legacy()) {
            (EraPin::Legacy, _) => Version::NEWEST_LEGACY,
            (EraPin::Auto, Some(version)) => version,
            _ => {
                let requests = Requests::new(self.client.clone());
                match (probe(&self.client, &requests).await?, pin) {
                    (Verdict::Modern(about), _) => {
                        return Ok(Arc::new(ModernLink::open(requests, about, events)));
                    }
                    (Verdict::Legacy(_), EraPin::Modern) => {
                        let why = "its era is pinned to modern, but it did not answer \
                                   server/discover as a modern server does";
                        return Err(unreachable(self.client.mount(), why));
                    }
                    (Verdict::Legacy(version), _) => version,
                }
            }
        };
        // Forgotten before the handshake, so that whatever ends it leads to a new probe.
        self.keep(None);
        let asking = self.client.settings().asking.clone().declaring(able);
        let client = (self.client.clone(), asking);
        let opened = LegacyLink::open(client, version, events.clone()).await;
        match opened {
            Ok(link) => {
                self.keep(Some((version, Instant::now())));
                Ok(Arc::new(link))
            }
            Err(none) if none.older && self.client.settings().transport == Transport::Auto => {
                match self.connect_paired(able, events).await {
                    Ok(link) => {
                        self.known_paired.store(true, Relaxed);
                        Ok(link)
                    }
                    // What the newer transport was refused with says more.
                    Err(fault) => Err(none.fault.with_log(fault.text)),
                }
            }
            Err(none) => Err(*none.fault),
        }
    }

    /// Over HTTP+SSE.
    async fn connect_paired(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Result<Arc<dyn Link>, Fault> {
        let words = Arc::clone(&self.words);
        let link = paired::open(&self.client, words, (able, events)).await?;
        Ok(Arc::new(link))
    }

    fn known_legacy(&self) -> Option<Version> {
        let kept = *self.legacy.lock().unwrap_or_else(PoisonError::into_inner);
        kept.filter(|(_, since)| since.elapsed() < LEGACY_KEPT).map(|(version, _)| version)
    }

    fn keep(&self, legacy: Option<(Version, Instant)>) {
        *self.legacy.lock().unwrap_or_else(PoisonError::into_inner) = legacy;
    }
}

impl Dial for HttpDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(self.connect(able, events))
    }

    fn address(&self) -> String {
        self.client.settings().shown.clone()
    }

    fn last_words(&self) -> Vec<String> {
        self.words.all()
    }
}
