//! Legacy sessions: the id is the sealed state, the rest is kept in memory within bounds.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use protocol::{Grant, Raw, Version};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::front::Settings;
use super::ledger::{Change, Ledger, Stamp};
use super::live::Live;
use super::replay::{Bounds, Replays};
use super::seal::Seal;
use crate::call::{Caller, Endpoint, Principal, unix_seconds};

/// What the seal is for: a sealed text of another kind does not open as a session.
const PURPOSE: &str = "session";
/// The largest state that is sealed, in bytes: what a client declares must fit into a header.
const STATE_BYTES_MAX: usize = 4096;
/// The longest id that is looked at, in bytes: more than any that is given out.
const ID_BYTES_MAX: usize = 4 * STATE_BYTES_MAX;
/// A session whose memory is made so many seconds after its handshake may have missed something.
const FRESH_SECS: u64 = 5;

/// What a handshake agreed on.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) version: Version,
    pub(super) caller: Arc<Caller>,
    pub(super) endpoint: Endpoint,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    version: String,
    capabilities: String,
    client: Option<String>,
    principal: String,
    endpoint: Option<String>,
    issued: u64,
    nonce: u64,
    /// Which gateway gave it out, among those with the same key.
    #[serde(default)]
    giver: u64,
}

impl Sealed {
    fn stamp(&self) -> Stamp {
        Stamp { issued: self.issued, nonce: self.nonce }
    }
}

/// Why there is no session behind an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfound {
    /// It is forged, foreign, ended or too old: all of them are 404 to the client.
    Unknown,
    /// Its id is good, and all that can be in memory is in use.
    Full,
}

/// The sessions of one gateway.
pub(super) struct Sessions {
    seal: Arc<Seal>,
    live: DashMap<u64, Arc<Live>>,
    pub(super) ledger: Arc<Ledger>,
    /// Tells this gateway from others with the same key.
    giver: u64,
    max: usize,
    idle: Duration,
    age_max: Duration,
    replay: Bounds,
}

impl Sessions {
    pub(super) fn new(seal: Arc<Seal>, settings: &Settings) -> Self {
        let replay =
            Bounds { events_max: settings.replay_events_max, bytes_max: settings.replay_bytes_max };
        Self {
            seal,
            live: DashMap::new(),
            ledger: Ledger::new(settings.sessions_ended_max, settings.session_age_max),
            giver: rand::random(),
            max: settings.sessions_max,
            idle: settings.session_idle,
            age_max: settings.session_age_max,
            replay,
        }
    }

    /// The id of a new session; `None` when what the client declared is too much to seal.
    pub(super) fn mint(&self, session: &Session) -> Option<String> {
        let caller = &session.caller;
        let endpoint = match &session.endpoint {
            Endpoint::Merged => None,
            Endpoint::Mount(prefix) => Some(prefix.to_string()),
        };
        let mut sealed = Sealed {
            version: session.version.as_str().to_owned(),
            capabilities: caller.capabilities.to_string(),
            client: caller.client_info.as_ref().map(|info| info.to_string()),
            principal: caller.principal.0.to_string(),
            endpoint,
            issued: unix_seconds(),
            nonce: caller.session.unwrap_or_else(rand::random),
            giver: self.giver,
        };
        let mut text = serde_json::to_string(&sealed).ok()?;
        if text.len() > STATE_BYTES_MAX {
            sealed.client = None;
            text = serde_json::to_string(&sealed).ok()?;
        }
        if text.len() > STATE_BYTES_MAX {
            return None;
        }
        self.seal.close(PURPOSE, &text)
    }

    /// The session behind an id, for this principal at this endpoint.
    ///
    /// # Errors
    /// [`Unfound`].
    pub(super) fn find(
        &self,
        id: &str,
        principal: &Principal,
        grant: &Arc<Grant>,
        endpoint: &Endpoint,
    ) -> Result<(Session, Arc<Live>), Unfound> {
        let (session, sealed) =
            self.read(id, principal, grant, endpoint).ok_or(Unfound::Unknown)?;
        let live = self.live(&sealed).ok_or(Unfound::Full)?;
        Ok((session, live))
    }

    fn read(
        &self,
        id: &str,
        principal: &Principal,
        grant: &Arc<Grant>,
        endpoint: &Endpoint,
    ) -> Option<(Session, Sealed)> {
        let mut sealed: Sealed =
            serde_json::from_str(&self.seal.open(PURPOSE, id.trim(), ID_BYTES_MAX)?).ok()?;
        let fresh = unix_seconds().saturating_sub(sealed.issued) <= self.age_max.as_secs();
        let here = match endpoint {
            Endpoint::Merged => sealed.endpoint.is_none(),
            Endpoint::Mount(prefix) => sealed.endpoint.as_deref() == Some(prefix),
        };
        let ended = self.ledger.has_ended(sealed.stamp());
        if !fresh || !here || ended || *sealed.principal != *principal.0 {
            return None;
        }
        let raw = |text: String| Raw::parse(text.into()).ok();
        let caller = Caller {
            principal: principal.clone(),
            grant: Arc::clone(grant),
            capabilities: raw(std::mem::take(&mut sealed.capabilities))?,
            client_info: sealed.client.take().and_then(raw),
            session: Some(sealed.nonce),
        };
        let session = Session {
            version: Version::read(&sealed.version)?,
            caller: Arc::new(caller),
            endpoint: endpoint.clone(),
        };
        Some((session, sealed))
    }

    /// What is in memory of a session; made anew when it is not there (a restart, a long pause),
    /// with what it asked for. `None` when there is no room for it.
    fn live(&self, sealed: &Sealed) -> Option<Arc<Live>> {
        let (nonce, stamp) = (sealed.nonce, sealed.stamp());
        let known = self.live.get(&nonce).map(|live| Arc::clone(&live));
        if let Some(live) = known {
            live.touch();
            return Some(live);
        }
        if self.live.len() >= self.max && !self.make_room() {
            return None;
        }
        let new = || {
            let asked = self.ledger.asked_for(stamp);
            let age = unix_seconds().saturating_sub(sealed.issued);
            let missed = sealed.giver != self.giver || age > FRESH_SECS || asked.is_some();
            let live = Live::of(stamp, Replays::new(nonce, self.replay), asked.unwrap_or_default());
            if missed {
                live.has_missed();
            }
            live
        };
        let live = self.live.entry(nonce).or_insert_with(new);
        Some(Arc::clone(&live))
    }

    /// Forgets what is in memory of idle sessions, and where none is idle long enough, of the one
    /// that was not used for longest: its id stays good. One that is in
    /// use is not forgotten; whether there is room.
    fn make_room(&self) -> bool {
        self.reap();
        if self.live.len() < self.max {
            return true;
        }
        let idle = self.live.iter().filter(|live| !live.is_busy());
        let oldest = idle.map(|live| (live.used(), *live.key())).min();
        let gone =
            oldest.and_then(|(_, nonce)| self.live.remove_if(&nonce, |_, live| !live.is_busy()));
        if let Some((_, live)) = &gone {
            live.end_streams();
        }
        gone.is_some()
    }

    /// Ends a session: all that it has open, and its id is refused from now on. `false` where no
    /// more ended ids can be kept: then it stays good.
    pub(super) async fn end(&self, id: &str) -> bool {
        let Some(text) = self.seal.open(PURPOSE, id.trim(), ID_BYTES_MAX) else { return true };
        let Ok(sealed) = serde_json::from_str::<Sealed>(&text) else { return true };
        let ended = self.ledger.note(sealed.stamp(), Change::Ended).await;
        if let Some((_, live)) = self.live.remove(&sealed.nonce) {
            live.end();
        }
        ended
    }

    /// Forgets what is in memory of sessions that were not used for long: of those the id stays
    /// good.
    pub(super) fn reap(&self) {
        let idle = self.idle;
        self.live.retain(|_, live| {
            let keep = Instant::now().saturating_duration_since(live.used()) < idle;
            match keep {
                true => live.replays.expire(),
                false => live.end(),
            }
            keep
        });
    }

    /// How many are in memory.
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Ends the streams of all, at drain.
    pub(super) fn end_all(&self) {
        for live in &self.live {
            live.end_streams();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let hour = Duration::from_secs(3600);
        Settings {
            calls_in_flight_max: 1,
            listens_max: 1,
            sessions_max: 2,
            sessions_ended_max: 1,
            state: None,
            session_idle: hour,
            session_age_max: hour * 24,
            question_wait: hour,
            rounds_max: 1,
            replay_events_max: 1,
            replay_bytes_max: 1,
            stream_after: hour,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn c087_a_full_memory_forgets_the_oldest_and_every_id_stays_good() {
        let sessions = Sessions::new(Arc::new(Seal::new(None).unwrap()), &settings());
        let session = Session {
            version: Version::V2025_06_18,
            caller: Caller::gateway(),
            endpoint: Endpoint::Merged,
        };
        let ids: Vec<_> = (0..3).map(|_| sessions.mint(&session).unwrap()).collect();
        let find =
            |id: &str| sessions.find(id, &Principal::gateway(), &Arc::default(), &Endpoint::Merged);
        for id in &ids {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(find(id).is_ok());
            assert!(sessions.len() <= 2);
        }
        assert!(ids.iter().all(|id| find(id).is_ok()));
        assert!(sessions.end(&ids[2]).await);
        assert_eq!(find(&ids[2]).err(), Some(Unfound::Unknown), "an ended id is refused");
        let [first, second] = [&ids[0], &ids[1]].map(|id| find(id).unwrap().1);
        let _calls = (first.enter("1").unwrap(), second.enter("1").unwrap());
        let other = sessions.mint(&session).unwrap();
        assert_eq!(find(&other).err(), Some(Unfound::Full), "nobody in use is forgotten");
        assert!(Arc::ptr_eq(&find(&ids[0]).unwrap().1, &first));
        assert!(!sessions.end(&ids[0]).await, "one ended id is all that is kept");
        assert!(first.is_over() && find(&ids[0]).is_ok(), "what it had open is ended all the same");
        assert_eq!(find(&ids[2]).err(), Some(Unfound::Unknown), "the other is not forgotten");
    }

    #[tokio::test]
    async fn c087_an_id_is_good_for_its_principal_and_endpoint_only() {
        let sessions = Sessions::new(Arc::new(Seal::new(None).unwrap()), &settings());
        let session = Session {
            version: Version::V2025_06_18,
            caller: Caller::gateway(),
            endpoint: Endpoint::Merged,
        };
        let id = sessions.mint(&session).unwrap();
        let other = Endpoint::Mount("files".into());
        assert!(
            sessions.find(&id, &Principal::gateway(), &Arc::default(), &Endpoint::Merged).is_ok()
        );
        assert!(
            sessions
                .find(&id, &Principal::anonymous(), &Arc::default(), &Endpoint::Merged)
                .is_err()
        );
        assert!(sessions.find(&id, &Principal::gateway(), &Arc::default(), &other).is_err());
    }
}
