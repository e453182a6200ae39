//! Finding out the era of a child on a wire: one question, and what its answer tells.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::{ErrorObject, Version, error};
use tokio::sync::mpsc;

use super::asking::Asking;
use super::discover::{self, Discovered};
use super::legacy::Legacy;
use super::modern::{self, Modern};
use super::unreachable::unreachable;
use super::wire::{Answer, Wire};
use crate::call::{About, Call, Event, Fault, List, Reply};

/// How long a child that is said to be modern may take to answer the first question; `npx` and
/// `uvx` load programs before that.
const DISCOVER_WAIT: Duration = Duration::from_secs(60);

/// How to begin with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Ask first; silence for so long means legacy.
    Probe {
        /// How long an answer is waited for.
        wait: Duration,
    },
    /// A handshake at once.
    Handshake,
    /// Modern or nothing.
    Modern,
}

/// A child on a wire, in whichever era.
pub(super) enum Peer {
    /// After a handshake.
    Legacy(Legacy),
    /// Without one.
    Modern(Modern),
}

/// Why no peer was met.
#[derive(Debug)]
pub(super) struct Unmet {
    /// The fault.
    pub(super) fault: Fault,
    /// The connection was lost while the first question was unanswered: some servers die of one
    /// that they do not know.
    pub(super) died_of_probe: bool,
}

enum Verdict {
    Modern(Version, Box<About>),
    Legacy(Version),
    Neither(Unmet),
}

/// How long after a refused handshake the answer to `server/discover` still counts.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Finds out the era and begins to speak it.
///
/// # Errors
/// [`Unmet`]; the wire is of no use after it.
pub(super) async fn meet(
    wire: &Arc<Wire>,
    plan: Plan,
    events: mpsc::Sender<Event>,
    rules: Asking,
) -> Result<Peer, Unmet> {
    let wait = match plan {
        Plan::Handshake => return greet(wire, Version::NEWEST_LEGACY, events, rules).await,
        Plan::Probe { wait } => wait,
        Plan::Modern => DISCOVER_WAIT,
    };
    let mut asking = pin!(modern::discover(wire.clone(), Version::NEWEST_MODERN));
    let answer = tokio::time::timeout(wait, &mut asking).await;
    match answer.map(|answer| judge(wire, answer)) {
        Ok(Verdict::Modern(version, about)) => {
            Ok(speak_modern(wire, version, *about, events).await)
        }
        Ok(Verdict::Neither(unmet)) => Err(unmet),
        Ok(Verdict::Legacy(_)) if plan == Plan::Modern => Err(not_modern(wire, "legacy")),
        Err(_) if plan == Plan::Modern => Err(not_modern(wire, "silent")),
        Ok(Verdict::Legacy(version)) => greet(wire, version, events, rules).await,
        Err(_) => {
            // A slow modern child answers the first question late and never the handshake, so both
            // are open: the handshake decides unless discovery succeeds before it.
            let late = async {
                match judge(wire, asking.await) {
                    Verdict::Modern(version, about) => (version, about),
                    _ => std::future::pending().await,
                }
            };
            let mut late = pin!(late);
            let (version, about) = tokio::select! {
                biased;
                met = greet(wire, Version::NEWEST_LEGACY, events.clone(), rules) => match met {
                    Ok(peer) => return Ok(peer),
                    // A slow child may just have got to the first question, and died of it.
                    Err(unmet) if wire.why_lost().is_some() => {
                        return Err(Unmet { died_of_probe: true, ..unmet });
                    }
                    // Or it is a modern one, whose two answers came together.
                    Err(unmet) => match tokio::time::timeout(LATE_MAX, &mut late).await {
                        Ok(found) => found,
                        Err(_) => return Err(unmet),
                    },
                },
                found = &mut late => found,
            };
            Ok(speak_modern(wire, version, *about, events).await)
        }
    }
}

fn not_modern(wire: &Wire, came: &str) -> Unmet {
    let text = format!(
        "`era = \"modern\"` is set for it, but it is {came} when asked `server/discover`: set \
         `era = \"auto\"`"
    );
    Unmet { fault: unreachable(wire.mount(), &text), died_of_probe: false }
}

async fn greet(
    wire: &Arc<Wire>,
    version: Version,
    events: mpsc::Sender<Event>,
    rules: Asking,
) -> Result<Peer, Unmet> {
    let met = Legacy::greet(wire.clone(), version, events, rules).await;
    met.map(Peer::Legacy).map_err(|fault| Unmet { fault, died_of_probe: false })
}

async fn speak_modern(
    wire: &Arc<Wire>,
    version: Version,
    about: About,
    events: mpsc::Sender<Event>,
) -> Peer {
    Peer::Modern(Modern::start(wire.clone(), version, about, events).await)
}

/// What the answer to the first `server/discover` tells.
fn judge(wire: &Wire, answer: Result<Answer, Fault>) -> Verdict {
    let newest = Version::NEWEST_LEGACY;
    match answer {
        Ok(Ok(result)) => match Discovered::read(&result) {
            Ok(found) => match found.modern() {
                Some(version) => modern(version, found.about),
                None => Verdict::Legacy(found.legacy().unwrap_or(newest)),
            },
            Err(fault) => {
                tracing::debug!(target: "child", "its answer to server/discover: {fault}");
                Verdict::Legacy(newest)
            }
        },
        Ok(Err(refused)) => judge_refusal(wire, &refused),
        Err(fault) if wire.why_lost().is_some() => {
            Verdict::Neither(Unmet { fault, died_of_probe: true })
        }
        Err(_) => Verdict::Legacy(newest),
    }
}

fn judge_refusal(wire: &Wire, refused: &ErrorObject) -> Verdict {
    match refused.code {
        error::UNSUPPORTED_VERSION => {
            let supported = discover::supported(refused.data.as_ref());
            if let Some(version) = discover::newest(&supported, true) {
                return modern(version, unsaid());
            }
            if let Some(version) = discover::newest(&supported, false) {
                return Verdict::Legacy(version);
            }
            let text = format!("no version in common: {}", refused.message);
            let fault = unreachable(wire.mount(), &text);
            Verdict::Neither(Unmet { fault, died_of_probe: false })
        }
        // Only a modern server says these; that it lacks something for discovery does not mean
        // that calls lack it.
        error::HEADER_MISMATCH | error::MISSING_CLIENT_CAPABILITY => {
            modern(Version::NEWEST_MODERN, unsaid())
        }
        _ => Verdict::Legacy(Version::NEWEST_LEGACY),
    }
}

fn modern(version: Version, mut about: About) -> Verdict {
    about.speaks = version.era().to_string();
    Verdict::Modern(version, Box::new(about))
}

/// A modern child that did not say what it offers: each of its lists is asked for.
fn unsaid() -> About {
    let capabilities = ServerCapabilities {
        tools: true,
        prompts: true,
        resources: true,
        completions: true,
        ..ServerCapabilities::default()
    };
    About { capabilities, ..About::default() }
}

impl Peer {
    /// Answers one call.
    pub(super) async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        match self {
            Self::Legacy(peer) => peer.serve(call).await,
            Self::Modern(peer) => peer.serve(call).await,
        }
    }

    /// What the child says of itself.
    pub(super) fn about(&self) -> &About {
        match self {
            Self::Legacy(peer) => peer.about(),
            Self::Modern(peer) => peer.about(),
        }
    }

    /// Whether the child tells when `list` changes.
    pub(super) fn tells_changes(&self, list: List) -> bool {
        match self {
            Self::Legacy(peer) => peer.tells_changes(list),
            Self::Modern(peer) => peer.tells_changes(list),
        }
    }

    /// Whether a call is open, be it one that waits for its client.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Legacy(peer) => peer.is_busy(),
            Self::Modern(_) => false,
        }
    }

    /// Ends the calls that wait for their clients.
    pub(super) async fn end_parked(&self) {
        if let Self::Legacy(peer) = self {
            peer.end_parked().await;
        }
    }

    /// Asks for a sign of life.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        match self {
            Self::Legacy(peer) => peer.probe().await,
            Self::Modern(peer) => peer.probe().await,
        }
    }
}
