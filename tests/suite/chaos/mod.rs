//! Every fault on every kind of wire in both eras: the others answer, the sick one is named with
//! its reason, and it is back after the fault without a client that connects anew.

mod lasting;
mod passing;

use harness::client::{ALL_ABILITIES, Session};
use harness::scripted::{Play, Script};
use harness::start::until;

use crate::children::Wire;

/// Signs of life and pauses as short as they go: what is waited for is a state, not a time.
const KEYS: &str = "timeout = \"2s\"\ntimeout_connect = \"5s\"\n\
    health = { probe_every = \"20ms\", probe_timeout = \"1s\", failures_max = 2, \
    pause = \"10ms\", pause_max = \"50ms\", unauthorized_every = \"20ms\", \
    dials_per_hour = 100000 }\n";
/// The same for a process, which starts instead of being connected to.
const PROCESS_KEYS: &str = "timeout = \"2s\"\ntimeout_start = \"15s\"\n\
    health = { probe_timeout = \"1s\", failures_max = 2, pause = \"10ms\", \
    pause_max = \"50ms\" }\n";
const LEGACY: &str = "2025-11-25";

/// A child that is well.
fn well() -> Script {
    Script::modern().tool("t")
}

fn keys(wire: Wire) -> &'static str {
    match wire {
        Wire::ModernProcess | Wire::LegacyProcess => PROCESS_KEYS,
        Wire::InProcess => {
            "timeout = \"2s\"\nhealth = { probe_timeout = \"1s\", \
            failures_max = 2, pause = \"10ms\", pause_max = \"50ms\" }\n"
        }
        _ => KEYS,
    }
}

/// One child behind a gateway, and a client that connects once.
struct Cell {
    wire: Wire,
    play: Play,
    session: Session,
}

impl Cell {
    async fn new(wire: Wire, keys: &str, script: Script) -> Self {
        let play = wire.play(keys, script).await;
        // Its calls go on the connection that the mount is listed and looked after on.
        let session = Session::open(play.running.http(), LEGACY, ALL_ABILITIES).await;
        Self { wire, play, session }
    }

    /// The answer to a call within the session.
    async fn call(&self, tool: &str) -> String {
        self.session.shown("tools/call", &format!(r#"{{"name":"{tool}"}}"#)).await
    }

    /// The other mount answers a modern client.
    async fn others_answer(&self) {
        let answer = self.play.call("other_t").await;
        assert!(answer.contains("t {}"), "{:?}: the healthy mount: {answer}", self.wire);
    }

    /// Calls until the mount is named as sick with a reason; the healthy one answers all the while.
    async fn until_named(&self, states: &[&str]) {
        let what = format!("{:?} to be named as one of {states:?}", self.wire);
        until(&what, async || {
            let (_sick, ()) = tokio::join!(self.call("m_t"), self.others_answer());
            let report = self.play.report("m");
            states.contains(&report.state) && !report.reason.is_empty()
        })
        .await;
    }

    /// Plays a script with a new tool `back`, and waits until that is listed and called within the
    /// session that was open all the time.
    async fn until_back(&self) {
        self.play.director("m").script(self.wire.dressed(well().tool("back")));
        let what = format!("{:?} to be back", self.wire);
        until(&what, async || {
            let (answer, ()) = tokio::join!(self.call("m_back"), self.others_answer());
            let listed = self.session.shown("tools/list", "{}").await;
            let report = self.play.report("m");
            let is_well = (report.state, report.gate, &*report.reason) == ("ready", "open", "");
            is_well && answer.contains("back {}") && listed.contains("m_back")
        })
        .await;
    }
}
