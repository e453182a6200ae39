//! What is left of a legacy session when its gateway is started again, however it ended.

use std::path::PathBuf;

use harness::apart::Apart;
use harness::client::{Ask, Session, shown};
use harness::echo::Echo;
use harness::scripted::{Director, HttpChild, Script, Step, What};
use harness::start::{start_echo_with, until};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::children::Wire;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const UPDATED: &str = "notifications/resources/updated";
const CALL: &str = r#"{"name":"m_t","arguments":{}}"#;

/// A program with one remote child, which lives on when the program ends.
struct Place {
    folder: TempDir,
    director: Director,
    _child: HttpChild,
}

impl Place {
    async fn new(wire: Wire) -> Self {
        let log = r#"{"level":"debug","logger":"m","data":"a detail"}"#.to_owned();
        let steps = [Step::Notify("notifications/message".to_owned(), log), Step::Usual];
        let script = Script::modern().resource("demo://a").resource("demo://b").tool("t");
        let script = wire.dressed(script.on("tools/call t", &steps));
        let offered = r#"{"tools":{},"resources":{"subscribe":true},"logging":{}}"#;
        let script = Script { capabilities: Some(offered.to_owned()), ..script };
        let (child, director) = HttpChild::new(script).await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\nkey = \"{KEY}\"\n\n\
             [mounts.m]\n{}",
            child.mount()
        );
        std::fs::write(folder.path().join("routing.toml"), text).expect("a file");
        Self { folder, director, _child: child }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("routing.toml")
    }

    async fn start(&self) -> Apart {
        Apart::start(&self.file()).await
    }

    /// Ends the program in this way and starts it again.
    async fn restarted(&self, mut apart: Apart, signal: Signal) -> Apart {
        apart.signal(signal);
        apart.ended().await;
        self.start().await
    }

    /// Which requests to be told of a resource the child got.
    async fn wanted(&self, uri: &str) -> usize {
        let seen = self.director.seen().await;
        let asks = |method: &str| matches!(method, "resources/subscribe" | "subscriptions/listen");
        let uri = format!("\"{uri}\"");
        let wants = seen.iter().filter(|seen| seen.what == What::Request && asks(&seen.method));
        wants.filter(|seen| seen.params.contains(&uri)).count()
    }
}

fn subscribe(session: &Session, verb: &str, uri: &str) -> Ask {
    session.ask(&format!("resources/{verb}"), &format!(r#"{{"uri":"{uri}"}}"#))
}

#[tokio::test]
async fn c085_an_ended_session_stays_ended_however_its_gateway_ends() {
    let place = Place::new(Wire::ModernHttp).await;
    let mut apart = place.start().await;
    for signal in [Signal::TERM, Signal::KILL] {
        let session = apart.http().session("2025-11-25").await;
        let other = apart.http().session("2025-11-25").await;
        assert_eq!(session.delete().await, 204);
        for _ in 0..2 {
            apart = place.restarted(apart, signal).await;
            let shown = session.at(apart.http()).shown("ping", "{}").await;
            assert!(shown.starts_with("404 "), "{signal:?}: {shown}");
            let shown = other.at(apart.http()).shown("ping", "{}").await;
            assert!(shown.starts_with("200 "), "{signal:?}: {shown}");
        }
    }
}

#[tokio::test]
async fn c095_c096_a_session_has_what_it_asked_for_however_its_gateway_ends() {
    for wire in [Wire::ModernHttp, Wire::LegacyEvents] {
        for signal in [Signal::TERM, Signal::KILL] {
            let place = Place::new(wire).await;
            let apart = place.start().await;
            let session = apart.http().session("2025-11-25").await;
            let stream = session.stream().await;
            for (verb, uri) in [
                ("subscribe", "demo://m/a"),
                ("subscribe", "demo://m/b"),
                ("unsubscribe", "demo://m/b"),
            ] {
                let answer = apart.http().shown(&subscribe(&session, verb, uri)).await;
                assert!(answer.contains(r#""result":{}"#), "{answer}");
            }
            let answer = session.shown("logging/setLevel", r#"{"level":"debug"}"#).await;
            assert!(answer.contains(r#""result":{}"#), "{answer}");
            let before = place.wanted("demo://a").await;
            drop(stream);

            let apart = place.restarted(apart, signal).await;
            let session = session.at(apart.http());
            let mut stream = session.stream().await;
            let mut told = Vec::new();
            let updated = |uri: &str| {
                format!(r#"{{"jsonrpc":"2.0","method":"{UPDATED}","params":{{"uri":"{uri}"}}}}"#)
            };
            // What was missed is told: each list, and what it had subscribed to.
            let lists = ["tools", "prompts", "resources"].map(|list| {
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/{list}/list_changed"}}"#)
            });
            while !lists.iter().chain([&updated("demo://m/a")]).all(|one| told.contains(one)) {
                told.push(shown(stream.message().await));
            }
            until("the child to be asked again", async || place.wanted("demo://a").await > before)
                .await;
            place.director.tell(UPDATED, r#"{"uri":"demo://b"}"#);
            place.director.tell(UPDATED, r#"{"uri":"demo://a/part"}"#);
            while told.last() != Some(&updated("demo://m/a/part")) {
                told.push(shown(stream.message().await));
            }
            assert!(!told.contains(&updated("demo://m/b")), "{wire:?}: {told:#?}");
            let answer = session.shown("tools/call", CALL).await;
            assert!(answer.contains("a detail"), "{wire:?}, {signal:?}: {answer}");
            let fresh = apart.http().session("2025-11-25").await;
            let answer = fresh.shown("tools/call", CALL).await;
            assert!(!answer.contains("a detail"), "{wire:?}, {signal:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn c085_ended_ids_do_not_give_way_and_one_too_many_is_not_said_to_be_ended() {
    let flags = [("gateway.limits.sessions_ended_max", "2")];
    let gateway = start_echo_with(&Echo::new(), &flags).await;
    let mut sessions = Vec::new();
    for expected in [204, 204, 405] {
        let session = gateway.http().session("2025-11-25").await;
        let mut stream = session.stream().await;
        assert_eq!(session.delete().await, expected);
        assert_eq!(stream.message().await, None, "what it had open is ended in any case");
        sessions.push(session);
    }
    for (session, expected) in sessions.iter().zip(["404 ", "404 ", "200 "]) {
        let shown = session.shown("ping", "{}").await;
        assert!(shown.starts_with(expected), "{shown}");
    }
}
