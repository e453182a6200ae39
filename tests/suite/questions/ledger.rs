//! What a child did is counted per call: whatever is lost, and when, none is carried out twice.

use std::net::TcpStream;
use std::path::PathBuf;

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Play, Plug, Script, Step, What};
use harness::start::{Running, until};
use tempfile::TempDir;

use super::{
    Child, FORM, LEGACY, LegacyHttp, LegacyProcess, ModernHttp, ModernProcess, ask, does, willing,
};

/// Children that can be lost apart from the gateway.
pub(super) const APART: [Child; 4] = [ModernProcess, LegacyProcess, ModernHttp, LegacyHttp];

/// Where children write down what they did; the files outlive them.
pub(super) struct Ledgers(TempDir);

impl Ledgers {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The script of a child that keeps the ledger `name`.
    pub(super) fn kept(&self, name: &str, script: Script) -> Script {
        Script { ledger: Some(self.path(name)), ..script }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.ledger"))
    }

    /// How often the child was called with this label, and how often it then did what cannot be
    /// undone.
    pub(super) fn counts(&self, name: &str, label: &str) -> [usize; 2] {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        let count = |what: &str| {
            let wanted = format!("{what} {}", arguments(label));
            text.lines().filter(|line| *line == wanted).count()
        };
        ["tools/call", "done"].map(count)
    }
}

fn arguments(label: &str) -> String {
    format!(r#"{{"call":"{label}"}}"#)
}

/// The params of a call of this tool that is known by its label.
pub(super) fn labelled(tool: &str, label: &str) -> String {
    format!(r#"{{"name":"{tool}","arguments":{}}}"#, arguments(label))
}

/// Something that cannot be undone.
pub(super) fn done() -> Step {
    Step::Act("done".to_owned())
}

async fn clients(gateway: &Running) -> [Able; 2] {
    let legacy = Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await;
    [Able::modern_http(gateway, ALL_ABILITIES), legacy]
}

#[tokio::test]
async fn a_call_that_is_lost_on_its_way_is_never_carried_out_twice() {
    let after_write = vec![done(), Step::Exit(1)];
    let mid_answer = vec![done(), Step::Break];
    let parked = vec![ask("elicitation/create", FORM), done(), Step::Exit(1)];
    for (point, steps) in
        [("after write", after_write), ("mid-answer", mid_answer), ("parked", parked)]
    {
        for child in APART {
            let ledgers = Ledgers::new();
            let play = child.play("", ledgers.kept("m", does(&steps))).await;
            // A modern child that asks is called again with the answers, as the era has it.
            let rounds = if point == "parked" && !LEGACY.contains(&child) { 2 } else { 1 };
            for mut client in clients(&play.running).await {
                // The child may still be on its way back from the call before.
                play.until_state("m", "ready").await;
                let label = format!("{point}, {child:?}, {}", client.kind());
                let talked = client.talk("tools/call", &labelled("m_t", &label), willing).await;
                assert!(talked.answer.contains("error"), "{label}: {talked:?}");
                let counts = ledgers.counts("m", &label);
                let never = talked.asked.is_empty() && counts == [0, 0];
                assert!(counts == [rounds, 1] || never, "{label}: {counts:?}, {talked:?}");
                if client.is_modern() {
                    assert_eq!(counts, [rounds, 1], "{label}: it was the first");
                }
            }
        }
    }
}

/// Loses the child before it is called, so that nothing of a call can leave.
async fn lose(child: Child, play: &Play) {
    let director = play.director("m");
    if matches!(child, ModernProcess | LegacyProcess) {
        director.exit(1);
        director.saw(What::Ended, "").await;
        return;
    }
    director.plug(Plug::Out);
    let address = play.report("m").address;
    let place = address.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    until("the child's door to shut", async || TcpStream::connect(&place).is_err()).await;
}

#[tokio::test]
async fn a_call_that_never_left_is_carried_out_once_or_not_at_all() {
    for child in APART {
        let ledgers = Ledgers::new();
        let play = child.play("", ledgers.kept("m", does(&[done(), Step::Told]))).await;
        lose(child, &play).await;
        let mut clients = clients(&play.running).await;
        let mut calls = 0;
        let mut call = async |client: &mut Able| {
            calls += 1;
            let label = format!("call {calls} of {child:?}, {}", client.kind());
            let talked = client.talk("tools/call", &labelled("m_t", &label), willing).await;
            let was_done = talked.text().contains(&label) && !talked.answer.contains("error");
            let expected = if was_done { [1, 1] } else { [0, 0] };
            assert_eq!(ledgers.counts("m", &label), expected, "{label}: {talked:?}");
            was_done
        };
        for client in &mut clients {
            let was_done = call(client).await;
            let refuses = matches!(child, ModernHttp | LegacyHttp);
            assert!(!(refuses && was_done), "{child:?}: nobody was there");
        }
        play.director("m").plug(Plug::In);
        for client in &mut clients {
            until("a call that goes through", async || call(client).await).await;
        }
    }
}
