//! Mounts whose child is a few lines of the test, on a clock that the test moves.

mod idle;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use protocol::question::Abilities;
use protocol::{Method, Raw};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Mount, MountSettings, State};
use crate::call::{
    About, Call, Caller, Dial, Event, Fault, Future, Kind, Link, List, Offer, Reply, Serve,
};
use crate::config::{LinkConfig, MountConfig};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A child that answers a call after so long, and gives signs of life or not.
#[derive(Default)]
struct Child {
    takes: Duration,
    silent: AtomicBool,
    busy: AtomicBool,
    refuses: AtomicBool,
    dials: AtomicUsize,
    closes: AtomicUsize,
    /// The calls that it serves now.
    serves: AtomicUsize,
}

/// A call that is served now.
struct Serving<'a>(&'a AtomicUsize);

impl<'a> Serving<'a> {
    fn new(serves: &'a AtomicUsize) -> Self {
        serves.fetch_add(1, Ordering::Relaxed);
        Self(serves)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection(Arc<Child>, About);

impl Dial for Arc<Child> {
    fn dial_for(
        &self,
        _able: Abilities,
        _events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async {
            self.dials.fetch_add(1, Ordering::Relaxed);
            if self.refuses.load(Ordering::Relaxed) {
                let mount = "m".into();
                let kind = Kind::Unreachable {
                    mount,
                    state: "down",
                    since: 0,
                    retry_after: None,
                    unauthorized: false,
                };
                return Err(Fault::new(kind, "it refuses"));
            }
            Ok(Arc::new(Connection(Arc::clone(self), About::default())) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        "a child of the test".to_owned()
    }

    fn last_words(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Link for Connection {
    fn serve(&self, _call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async {
            let _serving = Serving::new(&self.0.serves);
            sleep(self.0.takes).await;
            Ok(Reply::complete(Raw::default()))
        })
    }

    fn about(&self) -> &About {
        &self.1
    }

    fn tells_changes(&self, _list: List) -> bool {
        true
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(std::future::pending())
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(async {
            if self.0.silent.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn is_busy(&self) -> bool {
        self.0.busy.load(Ordering::Relaxed)
    }

    fn close(&self) -> Future<'_, ()> {
        assert_eq!(self.0.serves.load(Ordering::Relaxed), 0, "closed under a call");
        self.0.closes.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

struct Stage {
    child: Arc<Child>,
    mount: Arc<Mount>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn settings() -> MountSettings {
    let nowhere =
        LinkConfig::InProcess { child: "m".to_owned(), options: protocol::Options::default() };
    let config = MountConfig::new("m", nowhere);
    let mut health = config.health.clone();
    health.pause_max = 15 * MINUTE;
    MountSettings {
        name: "m".into(),
        timeout: config.timeout,
        timeout_max: config.timeout_max,
        timeout_dial: config.timeout_connect,
        calls_in_flight_max: config.calls_in_flight_max,
        calls_queued_max: config.calls_queued_max,
        queue_wait: config.queue_wait,
        bytes_in_flight_max: config.bytes_in_flight_max,
        answer_bytes_max: config.answer_bytes_max,
        retries: 0,
        retries_percent: config.retries_percent,
        retries_floor: config.retries_floor,
        trust_annotations: false,
        pages_max: config.pages_max,
        entries_max: config.entries_max,
        remote: false,
        tells_caller: false,
        running: config.running,
        health,
    }
}

impl Stage {
    async fn new(child: Child, timeout: Duration, timeout_max: Duration) -> Self {
        let vendor = MountSettings { timeout, timeout_max, remote: true, ..settings() };
        let stage = Self::with(child, vendor, None);
        let mut status = stage.mount.status();
        status.wait_for(|status| status.settled).await.unwrap();
        stage
    }

    /// The same with `settings`, and with what the child offered in an earlier run.
    fn with(child: Child, settings: MountSettings, offered: Option<Offer>) -> Self {
        let child = Arc::new(child);
        let mount = Mount::new(settings, vec![Arc::new(Arc::clone(&child)) as Arc<dyn Dial>]);
        if let Some(offer) = offered {
            mount.recall(Arc::new(offer));
        }
        let stop = CancellationToken::new();
        let running = tokio::spawn(Arc::clone(&mount).run(stop.clone()));
        Self { child, mount, stop, running }
    }

    async fn call(&self) -> Result<Reply, Fault> {
        let params = Raw::parse(r#"{"name":"t"}"#.to_owned().into()).unwrap();
        self.mount.serve(Call::own(Method::ToolsCall, params, Caller::gateway())).await
    }

    fn state(&self) -> State {
        self.mount.status().borrow().state
    }

    fn dials(&self) -> usize {
        self.child.dials.load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_may_take_as_long_as_the_mount_says_and_no_longer() {
    let minutes = |count: u32| count * MINUTE;
    let child = Child { takes: minutes(119), ..Child::default() };
    let stage = Stage::new(child, minutes(120), minutes(180)).await;
    assert!(stage.call().await.is_ok(), "two hours without a word are two hours");
    stage.stop().await;
    let child = Child { takes: minutes(121), ..Child::default() };
    let stage = Stage::new(child, minutes(120), minutes(180)).await;
    let began = Instant::now();
    let fault = stage.call().await.unwrap_err();
    assert!(matches!(fault.kind, Kind::Timeout { .. }), "{fault:?}");
    assert_eq!(began.elapsed().as_secs(), 120 * 60);
    assert_eq!(stage.state(), State::Ready, "slowness is no death");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_owes_signs_of_life_keeps_the_call_under_way_and_gets_no_other() {
    let child = Child { takes: 20 * MINUTE, ..Child::default() };
    let stage = Stage::new(child, 30 * MINUTE, HOUR).await;
    let first = async {
        let outcome = stage.call().await;
        assert!(outcome.is_ok(), "it was under way: {outcome:?}");
    };
    let meanwhile = async {
        sleep(MINUTE).await;
        stage.child.silent.store(true, Ordering::Relaxed);
        let mut status = stage.mount.status();
        status.wait_for(|status| status.state == State::Degraded).await.unwrap();
        let fault = stage.call().await.unwrap_err();
        assert!(matches!(fault.kind, Kind::Unreachable { .. }), "{fault:?}");
        assert_eq!(stage.dials(), 1, "the connection is kept");
    };
    tokio::join!(first, meanwhile);
    let mut status = stage.mount.status();
    status.wait_for(|status| status.state == State::Down).await.unwrap();
    stage.child.silent.store(false, Ordering::Relaxed);
    status.wait_for(|status| status.state == State::Ready).await.unwrap();
    assert_eq!(stage.dials(), 2, "given up once nothing was under way");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_vendor_is_asked_a_few_times_an_hour_whoever_calls_and_is_back_soon_after() {
    let child = Child::default();
    child.refuses.store(true, Ordering::Relaxed);
    let stage = Stage::new(child, MINUTE, HOUR).await;
    for _ in 0..24 * 60 {
        sleep(MINUTE).await;
        assert!(stage.call().await.is_err());
    }
    let dials = stage.dials();
    assert!(dials <= 24 * 30, "{dials} in a day in which somebody called every minute");
    assert!(dials >= 24, "{dials}");
    stage.child.refuses.store(false, Ordering::Relaxed);
    let began = Instant::now();
    while stage.call().await.is_err() {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() <= 5 * MINUTE, "{:?}", began.elapsed());
    stage.stop().await;
}
