//! The gateway is killed at each point of a call: what comes back after it does nothing twice.

use harness::apart::Apart;
use harness::client::{ALL_ABILITIES, Able, Ask, Http, response};
use harness::scripted::{Cast, Step, What, at, member};
use harness::start::{soon, until};
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::ledger::{APART, Ledgers, done, labelled};
use super::{Child, FORM, LEGACY, ask, does, willing};

/// Messages of one call that nobody has read yet.
const MESSAGES_MAX: usize = 16;
/// So that nothing but the tests' own patience ends a wait, and sessions outlive the process.
const GATEWAY: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
    key = \"a key of at least thirty-two letters\"\n";

/// Where a call is when the gateway is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    BeforeWrite,
    AfterWrite,
    MidAnswer,
    Parked,
}

use Point::{AfterWrite, BeforeWrite, MidAnswer, Parked};

impl Point {
    /// What the child does for the call that will be lost.
    fn steps(self) -> Vec<Step> {
        match self {
            BeforeWrite => vec![done(), Step::Told],
            AfterWrite => vec![done(), Step::Hang],
            MidAnswer => vec![done(), Step::Progress(1), Step::Half],
            Parked => calm(),
        }
    }
}

/// What the child does for the calls after it.
fn calm() -> Vec<Step> {
    vec![ask("elicitation/create", FORM), Step::OrFail, done(), Step::Told]
}

/// One call, from a client of one era to a child of its own.
struct Lost {
    mount: String,
    child: Child,
    client: Able,
    label: String,
    heard: mpsc::Receiver<String>,
    /// The id of the last event that came.
    ended: AbortOnDropHandle<Option<String>>,
    /// What came before the end, where the point is told by it.
    first: String,
}

/// Sends a request, and hands on all that comes until the connection ends.
fn sent(http: Http, ask: Ask) -> (mpsc::Receiver<String>, AbortOnDropHandle<Option<String>>) {
    let (told, heard) = mpsc::channel(MESSAGES_MAX);
    let ended = tokio::spawn(async move {
        let mut answer = http.attempt(&ask).await?;
        while let Some(message) = answer.whenever().await {
            told.send(message.replace("{gateway}", "{}")).await.expect("a listener");
        }
        answer.last_event
    });
    (heard, AbortOnDropHandle::new(ended))
}

impl Lost {
    /// Calls, and comes back once the call is at its point.
    async fn begin(
        point: Point,
        (apart, cast): (&Apart, &Cast),
        child: Child,
        modern: bool,
    ) -> Self {
        let mount = mount(child, modern);
        let mut client = match modern {
            true => Able::modern_at(apart.http(), ALL_ABILITIES),
            false => Able::legacy_at(apart.http(), "2025-11-25", ALL_ABILITIES).await,
        };
        if point == BeforeWrite {
            let mut other = Able::modern_at(apart.http(), ALL_ABILITIES);
            let filler = other.request("tools/call", &labelled(&format!("{mount}_hold"), "filler"));
            let (_heard, held) = sent(apart.http(), filler);
            cast.director(&mount).saw(What::Executed, "tools/call").await;
            // It ends with the gateway.
            tokio::spawn(held);
        }
        let label = format!("{point:?}, {child:?}, {}", client.kind());
        let call = client.request("tools/call", &labelled(&format!("{mount}_t"), &label));
        let (heard, ended) = sent(apart.http(), call.meta("progressToken", "\"p\""));
        let mut lost = Self { mount, child, client, label, heard, ended, first: String::new() };
        lost.is_there(point, apart, cast).await;
        lost
    }

    async fn is_there(&mut self, point: Point, apart: &Apart, cast: &Cast) {
        match point {
            BeforeWrite => {
                let admin = Http::new(apart.admin.expect("the admin endpoints"));
                let waits = async || {
                    let shown = admin.shown(&Ask::bare("GET").at("/mounts")).await;
                    is_queued(&shown, &self.mount)
                };
                until(&format!("a call that waits: {}", self.label), waits).await;
            }
            AfterWrite => drop(cast.director(&self.mount).saw(What::Executed, "done").await),
            MidAnswer | Parked => {
                let first = soon("the first of an answer", self.heard.recv()).await;
                self.first = first.expect("a message");
                let word = if point == Parked { "elicitation/create" } else { "\"progress\":1" };
                assert!(self.first.contains(word), "{}: {}", self.label, self.first);
            }
        }
    }

    /// What the child has done for the lost call, now and for good.
    fn expected(&self, point: Point) -> [usize; 2] {
        match point {
            BeforeWrite => [0, 0],
            AfterWrite | MidAnswer => [1, 1],
            // The client of the one pair in which a state holds all comes back with it.
            Parked if self.client.is_modern() && !LEGACY.contains(&self.child) => [2, 1],
            Parked => [1, 0],
        }
    }

    /// Does what a client does that lost its gateway, and calls again.
    async fn come_back(mut self, point: Point, http: Http) -> (String, [String; 2], [usize; 2]) {
        let expected = self.expected(point);
        while self.heard.recv().await.is_some() {}
        let last_event = soon("the end of the lost call", self.ended).await.expect("no panic");
        let mut client = self.client.at(http);
        if client.is_modern() {
            if point == Parked {
                retry(&mut client, self.child, &self.first, (&self.mount, &self.label)).await;
            }
        } else {
            if let Some(event) = last_event {
                let resume = client.session().of(Ask::bare("GET")).header("last-event-id", event);
                drop(http.send(&resume).await);
            }
            if point == Parked {
                let id = member(&self.first, "id").expect("the id of a question");
                let said = response(&id, &willing("elicitation/create", "{}"));
                let late = client.session().of(harness::client::posted(said));
                let status = http.send(&late).await.status;
                assert!(status < 500, "{}: {status}", self.label);
            }
        }
        let again = format!("again: {}", self.label);
        let call = labelled(&format!("{}_t", self.mount), &again);
        let talked = client.talk("tools/call", &call, willing).await;
        assert_eq!(talked.asked.len(), 1, "{again}: {talked:?}");
        assert!(talked.text().contains("said"), "{again}: {talked:?}");
        (self.mount, [self.label, again], expected)
    }
}

/// A modern client comes back with the answer and its state.
async fn retry(client: &mut Able, child: Child, asked: &str, (mount, label): (&str, &str)) {
    let state = at(asked, &["result", "requestState"]).expect("a state");
    let requests = at(asked, &["result", "inputRequests"]).expect("questions");
    let key = requests.split('"').nth(1).expect("a key").to_owned();
    let said = willing("elicitation/create", "{}");
    let call = labelled(&format!("{mount}_t"), label);
    let call = call.strip_suffix('}').expect("an object");
    let back = format!(r#"{call},"inputResponses":{{"{key}":{said}}},"requestState":{state}}}"#);
    let talked = client.talk("tools/call", &back, willing).await;
    if LEGACY.contains(&child) {
        assert!(talked.answer.contains("-32602"), "{label}: {talked:?}");
        assert!(talked.answer.contains("look before"), "{label}: {talked:?}");
    } else {
        assert!(talked.text().contains("said"), "{label}: {talked:?}");
    }
}

fn mount(child: Child, modern: bool) -> String {
    format!("{child:?}{}", if modern { "Modern" } else { "Legacy" }).to_lowercase()
}

fn is_queued(shown: &str, mount: &str) -> bool {
    let (_, body) = shown.split_once('\n').unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(body).expect("JSON of /mounts");
    let all = report["mounts"].as_array().cloned().unwrap_or_default();
    all.iter().any(|one| one["name"] == mount && one["callsQueued"] == 1)
}

async fn started(cast: &Cast, folder: &std::path::Path) -> Apart {
    let file = folder.join("routing.toml");
    std::fs::write(&file, cast.text()).expect("a file");
    let apart = Apart::start(&file).await;
    let admin = Http::new(apart.admin.expect("the admin endpoints"));
    let ready = async || admin.shown(&Ask::bare("GET").at("/ready")).await.starts_with("200");
    until("the gateway to be ready", ready).await;
    apart
}

/// Calls of both eras to children of all four kinds are at `point` when the gateway is killed.
async fn killed(point: Point) {
    let (ledgers, folder) = (Ledgers::new(), tempfile::tempdir().expect("a folder"));
    let keys = match point {
        BeforeWrite => "calls_in_flight_max = 1\nqueue_wait = \"10m\"\n",
        _ => "",
    };
    let pairs = APART.into_iter().flat_map(|child| [(child, true), (child, false)]);
    let mut cast = Cast::new(GATEWAY);
    for (child, modern) in pairs.clone() {
        let name = mount(child, modern);
        let script = does(&point.steps()).tool("hold").on("tools/call hold", &[Step::Hang]);
        cast = child.join(cast, &name, keys, ledgers.kept(&name, script)).await;
    }
    let mut apart = started(&cast, folder.path()).await;
    let calls = pairs.map(|(child, modern)| Lost::begin(point, (&apart, &cast), child, modern));
    let lost = futures_util::future::join_all(calls).await;
    apart.signal(Signal::KILL);
    assert!(!apart.ended().await.success());
    for one in &lost {
        if matches!(one.child, Child::ModernProcess | Child::LegacyProcess) {
            cast.director(&one.mount).saw(What::Ended, "").await;
        }
        let calm = one.child.scripted(does(&calm()));
        cast.director(&one.mount).script(ledgers.kept(&one.mount, calm));
    }
    let mut apart = started(&cast, folder.path()).await;
    let http = apart.http();
    let back = lost.into_iter().map(|one| one.come_back(point, http));
    let back = futures_util::future::join_all(back).await;
    apart.signal(Signal::TERM);
    assert!(apart.ended().await.success(), "{}", apart.errors());
    for (mount, [lost, again], expected) in back {
        assert_eq!(ledgers.counts(&mount, &lost), expected, "{lost}");
        let rounds = if mount.starts_with("legacy") { 1 } else { 2 };
        assert_eq!(ledgers.counts(&mount, &again), [rounds, 1], "{again}");
    }
}

#[tokio::test]
async fn a_call_that_was_not_written_when_the_gateway_was_killed_is_not_carried_out() {
    killed(BeforeWrite).await;
}

#[tokio::test]
async fn a_call_that_was_written_when_the_gateway_was_killed_is_carried_out_once() {
    killed(AfterWrite).await;
}

#[tokio::test]
async fn a_call_whose_answer_had_begun_when_the_gateway_was_killed_is_carried_out_once() {
    killed(MidAnswer).await;
}

#[tokio::test]
async fn c114_a_call_that_was_parked_when_the_gateway_was_killed_is_not_begun_again() {
    killed(Parked).await;
}
