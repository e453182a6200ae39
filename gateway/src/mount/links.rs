//! A connection of its own for each caller or session, where a child keeps what it was told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use protocol::{Method, Raw, task};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::call::{
    About, Call, Dial, Event, Fault, Future, Kind, Link, List, Principal, Reply, Turn,
};

/// Who shares a connection to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// One connection for all.
    All,
    /// One for each principal.
    Caller,
    /// One for each session or connection of a client; where there is none, for each principal.
    Session,
}

/// Dials a child whose callers do not share one connection.
pub struct SharedDial {
    dial: Arc<dyn Dial>,
    policy: Policy,
}

#[derive(Clone, Copy)]
struct Policy {
    share: Share,
    max: usize,
    idle: Duration,
}

impl SharedDial {
    /// At most `links_max` connections beside the first, each closed when it was not used for
    /// `link_idle`. With [`Share::All`] it is `dial` itself.
    pub fn around(
        dial: Arc<dyn Dial>,
        share: Share,
        links_max: usize,
        link_idle: Duration,
    ) -> Arc<dyn Dial> {
        if share == Share::All {
            return dial;
        }
        Arc::new(Self { dial, policy: Policy { share, max: links_max, idle: link_idle } })
    }
}

impl Dial for SharedDial {
    fn dial(&self, events: mpsc::Sender<Event>) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let first = self.dial.dial(events.clone()).await?;
            let (dial, policy) = (Arc::clone(&self.dial), self.policy);
            let links = Arc::new_cyclic(|links: &Weak<Links>| {
                let reaping = tokio::spawn(reap(Weak::clone(links), policy.idle));
                let _reaping = AbortOnDropHandle::new(reaping);
                Links { first, dial, policy, events, own: Mutex::default(), _reaping }
            });
            Ok(links as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        self.dial.address()
    }

    fn last_words(&self) -> Vec<String> {
        self.dial.last_words()
    }

    fn turn(&self) -> Future<'_, Turn> {
        self.dial.turn()
    }

    fn figures(&self) -> Option<Raw> {
        self.dial.figures()
    }
}

/// Whose a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Principal(Principal),
    Session(u64, Principal),
}

/// The first connection, which lists and listens, and one for each owner.
struct Links {
    first: Arc<dyn Link>,
    dial: Arc<dyn Dial>,
    policy: Policy,
    events: mpsc::Sender<Event>,
    own: Mutex<HashMap<Owner, Arc<Own>>>,
    _reaping: AbortOnDropHandle<()>,
}

/// The connection of one owner.
struct Own {
    link: OnceCell<Arc<dyn Link>>,
    calls: AtomicUsize,
    used: Mutex<Instant>,
}

/// A call on a connection: it is not idle.
struct Using(Arc<Own>);

impl Using {
    fn new(own: &Arc<Own>) -> Self {
        own.calls.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(own))
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Own {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way, not even a call that waits for its client.
    fn is_idle(&self) -> bool {
        let open = self.link.get().is_some_and(|link| link.is_busy());
        !open && self.calls.load(Ordering::Relaxed) == 0
    }

    fn is_lost(&self) -> bool {
        self.link.get().is_some_and(|link| link.lost().now_or_never().is_some())
    }
}

impl Links {
    fn own(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Own>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose connection a call belongs on; `None` for the first.
    fn owner(&self, call: &Call) -> Option<Owner> {
        let calls = matches!(
            call.method,
            Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead | Method::Complete
        );
        let news =
            call.method == Method::Listen && !matches!(task::listened(&call.params), Ok(None));
        let keeps = calls || news || call.method.is_of_task();
        let principal = call.caller.principal.clone();
        keeps.then_some(match (self.policy.share, call.caller.session) {
            (Share::Session, Some(session)) => Owner::Session(session, principal),
            _ => Owner::Principal(principal),
        })
    }

    /// The connection of an owner, dialled when it is first needed or was lost.
    async fn link(&self, owner: Owner) -> Result<(Arc<dyn Link>, Using), Fault> {
        let (using, gone) = self.place(owner)?;
        for own in gone {
            close(own).await;
        }
        let dialling = || async {
            // Held while it is dialled: a link of its own is dear too.
            let _turn = self.dial.turn().await;
            self.dial.dial(self.events.clone()).await
        };
        let link = using.0.link.get_or_try_init(dialling).await?;
        Ok((Arc::clone(link), using))
    }

    /// The place of an owner, and the connections that gave way to it.
    fn place(&self, owner: Owner) -> Result<(Using, Vec<Arc<Own>>), Fault> {
        let mut all = self.own();
        let mut gone = Vec::new();
        if all.get(&owner).is_some_and(|own| own.is_lost()) {
            gone.extend(all.remove(&owner));
        }
        if let Some(own) = all.get(&owner) {
            return Ok((Using::new(own), gone));
        }
        if all.len() >= self.policy.max {
            let idle = all.iter().filter(|(_, own)| own.is_idle());
            let oldest = idle.min_by_key(|(_, own)| own.used()).map(|(owner, _)| owner.clone());
            let Some(oldest) = oldest else {
                let max = self.policy.max;
                return Err(Fault::new(
                    Kind::Limited { retry_after: None },
                    format!(
                        "{max} connections to this server are in use by other callers, which is \
                         its limit (links_max); try again later"
                    ),
                ));
            };
            gone.extend(all.remove(&oldest));
        }
        let (link, calls) = (OnceCell::new(), AtomicUsize::new(0));
        let own = Arc::new(Own { link, calls, used: Mutex::new(Instant::now()) });
        all.insert(owner, Arc::clone(&own));
        Ok((Using::new(&own), gone))
    }

    fn take_idle(&self) -> Vec<Arc<Own>> {
        let now = Instant::now();
        let mut all = self.own();
        let old = |own: &Own| {
            own.is_lost() || own.is_idle() && now.duration_since(own.used()) >= self.policy.idle
        };
        let owners: Vec<Owner> =
            all.iter().filter(|(_, own)| old(own)).map(|(owner, _)| owner.clone()).collect();
        owners.iter().filter_map(|owner| all.remove(owner)).collect()
    }
}

async fn close(own: Arc<Own>) {
    if let Some(link) = own.link.get() {
        link.close().await;
    }
}

/// Closes connections that nobody used for a while.
async fn reap(links: Weak<Links>, idle: Duration) {
    loop {
        sleep(idle / 2).await;
        let idle = match links.upgrade() {
            Some(links) => links.take_idle(),
            None => return,
        };
        join_all(idle.into_iter().map(close)).await;
    }
}

impl Link for Links {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async move {
            match self.owner(&call) {
                None => self.first.serve(call).await,
                Some(owner) => {
                    let (link, _using) = self.link(owner).await?;
                    link.serve(call).await
                }
            }
        })
    }

    fn about(&self) -> &About {
        self.first.about()
    }

    fn tells_changes(&self, list: List) -> bool {
        self.first.tells_changes(list)
    }

    fn lost(&self) -> Future<'_, String> {
        self.first.lost()
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        self.first.probe()
    }

    fn is_busy(&self) -> bool {
        self.first.is_busy() || self.own().values().any(|own| !own.is_idle())
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async move {
            let own: Vec<_> = self.own().drain().map(|(_, own)| own).collect();
            join_all(own.into_iter().map(close)).await;
            self.first.close().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt;
    use protocol::Raw;
    use tokio::sync::{Semaphore, mpsc};

    use super::{Share, SharedDial};
    use crate::call::{Dial, Event, Fault, Future, Link, Turn};

    /// Takes turns, and is never reached.
    struct Dear(Arc<Semaphore>);

    impl Dial for Dear {
        fn dial(&self, _: mpsc::Sender<Event>) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
            Box::pin(std::future::ready(Err(Fault::invalid("not there"))))
        }

        fn turn(&self) -> Future<'_, Turn> {
            Box::pin(Turn::at(&self.0))
        }

        fn address(&self) -> String {
            String::new()
        }

        fn last_words(&self) -> Vec<String> {
            Vec::new()
        }

        fn figures(&self) -> Option<Raw> {
            Some(Raw::default())
        }
    }

    #[tokio::test]
    async fn a_dial_that_is_shared_out_takes_turns_and_tells_figures_as_before() {
        let dear = Arc::new(Dear(Arc::new(Semaphore::new(1))));
        let dial = SharedDial::around(dear, Share::Session, 4, Duration::from_secs(60));
        let first = dial.turn().await;
        assert!(dial.turn().now_or_never().is_none(), "one at a time");
        drop(first);
        assert!(dial.turn().now_or_never().is_some());
        assert!(dial.figures().is_some());
    }
}
