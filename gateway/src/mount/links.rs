//! Connections beside the first: one for each caller or session, where a child keeps what it was
//! told, and one for each kind of client, where a child is told once what its client can be asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use protocol::Raw;
use protocol::question::Abilities;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::link_key::{Key, Sharing, marked, unmarked};
use crate::call::{About, Call, Dial, Event, Fault, Future, Kind, Link, List, Reply, Turn};
use crate::config::Share;

/// Dials a child whose clients do not share one connection.
pub struct SharedDial {
    dial: Arc<dyn Dial>,
    sharing: Sharing,
}

impl SharedDial {
    /// Shares the connections as `sharing` says. Where there is but one, it is `dial` itself.
    pub fn around(dial: Arc<dyn Dial>, sharing: Sharing) -> Arc<dyn Dial> {
        if sharing.share == Share::All && sharing.only_one {
            return dial;
        }
        Arc::new(Self { dial, sharing })
    }
}

impl Dial for SharedDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let first = self.dial.dial_for(able, events.clone()).await?;
            let (dial, sharing) = (Arc::clone(&self.dial), self.sharing);
            let told_once = first.about().keeps_state;
            if sharing.share == Share::All && !told_once {
                return Ok(first);
            }
            let links = Arc::new_cyclic(|links: &Weak<Links>| {
                let reaping = tokio::spawn(reap(Weak::clone(links), sharing.link_idle));
                let _reaping = AbortOnDropHandle::new(reaping);
                let own = Mutex::default();
                Links { first, told_once, dial, sharing, events, own, _reaping }
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

/// The first connection, which lists and hears of changed lists, and those beside it.
struct Links {
    first: Arc<dyn Link>,
    /// Whether the child keeps what a handshake told it: no call tells it anything else.
    told_once: bool,
    dial: Arc<dyn Dial>,
    sharing: Sharing,
    events: mpsc::Sender<Event>,
    own: Mutex<HashMap<Key, Arc<Own>>>,
    _reaping: AbortOnDropHandle<()>,
}

/// The connection of one key.
struct Own {
    /// `None` where the child has no other beside the first, which then stands in.
    link: OnceCell<Option<Arc<dyn Link>>>,
    made: Instant,
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

    fn link(&self) -> Option<&Arc<dyn Link>> {
        self.link.get().and_then(Option::as_ref)
    }

    /// Whether nothing is under way, not even a call that waits for its client.
    fn is_idle(&self) -> bool {
        let open = self.link().is_some_and(|link| link.is_busy());
        !open && self.calls.load(Ordering::Relaxed) == 0
    }

    fn is_lost(&self) -> bool {
        self.link().is_some_and(|link| link.lost().now_or_never().is_some())
    }

    /// Whether the first connection has stood in for so long that another is tried for again.
    fn stood_in(&self, now: Instant, long: Duration) -> bool {
        matches!(self.link.get(), Some(None)) && now.duration_since(self.made) >= long
    }
}

impl Links {
    fn own(&self) -> MutexGuard<'_, HashMap<Key, Arc<Own>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of a key, dialled when it is first needed or was lost.
    async fn link(&self, key: Key) -> Result<(Arc<dyn Link>, Using), Fault> {
        let (able, shared) = (key.able, key.is_shared());
        let (using, gone) = self.place(key)?;
        for own in gone {
            close(own).await;
        }
        let dialling = || async {
            // Held while it is dialled: a link of its own is dear too.
            let _turn = self.dial.turn().await;
            match self.dial.dial_for(able, self.events.clone()).await {
                Ok(link) => Ok(Some(link)),
                // Some servers take one session, or a few, and are well.
                Err(fault) if shared && is_alive(&*self.first).await => {
                    let reason = fault.text;
                    let child = self.dial.address();
                    tracing::warn!(
                        child,
                        reason,
                        "no connection for clients of other capabilities"
                    );
                    Ok(None)
                }
                Err(fault) => Err(fault),
            }
        };
        let link = using.0.link.get_or_try_init(dialling).await?;
        Ok((Arc::clone(link.as_ref().unwrap_or(&self.first)), using))
    }

    /// The place of a key, and the connections that gave way to it.
    fn place(&self, key: Key) -> Result<(Using, Vec<Arc<Own>>), Fault> {
        let mut all = self.own();
        let mut gone = Vec::new();
        if all.get(&key).is_some_and(|own| own.is_lost()) {
            gone.extend(all.remove(&key));
        }
        if let Some(own) = all.get(&key) {
            return Ok((Using::new(own), gone));
        }
        let max = self.sharing.max();
        if all.len() >= max {
            let idle = all.iter().filter(|(_, own)| own.is_idle());
            let oldest = idle.min_by_key(|(_, own)| own.used()).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else {
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
        let (link, calls, now) = (OnceCell::new(), AtomicUsize::new(0), Instant::now());
        let own = Arc::new(Own { link, made: now, calls, used: Mutex::new(now) });
        all.insert(key, Arc::clone(&own));
        Ok((Using::new(&own), gone))
    }

    fn take_idle(&self) -> Vec<Arc<Own>> {
        let now = Instant::now();
        let mut all = self.own();
        let idle = self.sharing.link_idle;
        let old = |own: &Own| {
            let unused = own.is_idle() && now.duration_since(own.used()) >= idle;
            own.is_lost() || unused || own.stood_in(now, idle)
        };
        let keys: Vec<Key> =
            all.iter().filter(|(_, own)| old(own)).map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| all.remove(key)).collect()
    }
}

async fn close(own: Arc<Own>) {
    if let Some(link) = own.link() {
        link.close().await;
    }
}

/// Whether the child answers at all, be it by an error.
async fn is_alive(link: &dyn Link) -> bool {
    let answer = link.probe().await;
    answer.is_ok() || matches!(answer, Err(Fault { kind: Kind::Child(_), .. }))
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
            let call = if self.told_once { unmarked(call) } else { call };
            let Some(key) = self.sharing.key(&call, self.told_once) else {
                let reply = self.first.serve(call).await?;
                return Ok(if self.told_once { marked(reply, Abilities::ALL) } else { reply });
            };
            let able = key.able;
            let (link, _using) = self.link(key).await?;
            let reply = link.serve(call).await?;
            Ok(if self.told_once { marked(reply, able) } else { reply })
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
    use protocol::question::Abilities;
    use tokio::sync::{Semaphore, mpsc};

    use super::{Share, SharedDial, Sharing};
    use crate::call::{Dial, Event, Fault, Future, Link, Turn};

    /// Takes turns, and is never reached.
    struct Dear(Arc<Semaphore>);

    impl Dial for Dear {
        fn dial_for(
            &self,
            _: Abilities,
            _: mpsc::Sender<Event>,
        ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
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
        let sharing = Sharing {
            share: Share::Session,
            only_one: true,
            answered: Abilities::default(),
            links_max: 4,
            link_idle: Duration::from_secs(60),
        };
        let dial = SharedDial::around(dear, sharing);
        let first = dial.turn().await;
        assert!(dial.turn().now_or_never().is_none(), "one at a time");
        drop(first);
        assert!(dial.turn().now_or_never().is_some());
        assert!(dial.figures().is_some());
    }
}
