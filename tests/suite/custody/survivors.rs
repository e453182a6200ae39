//! However the gateway, a child or its warden ends: no survivor.

use std::path::Path;

use harness::apart::Apart;
use harness::start::until;
use harness::stray::Stray;
use rustix::process::Signal;

use super::Place;

/// What the wrapped server makes: the warden, the shell, the server, and the one that got away.
fn assert_all_there(processes: &[Stray]) {
    for part in ["--warden", "python3 server.py; true", "server.py", "signal.pause"] {
        let found = processes.iter().any(|process| process.command().contains(part));
        assert!(found, "no {part:?} among {processes:#?}");
    }
}

/// The wardens below a gateway.
fn wardens(gateway: u32) -> Vec<Stray> {
    let mut below = Stray::below(gateway);
    below.retain(|process| process.name() == "mcp-warden");
    below
}

/// Ends the program by `signal` with a wrapper and a fugitive under it.
async fn ended_by(signal: Signal) -> std::process::ExitStatus {
    let place = Place::new();
    let mut apart = place.start().await;
    assert_all_there(&place.processes());
    apart.signal(signal);
    let status = apart.ended().await;
    place.assert_empty().await;
    status
}

#[tokio::test]
async fn sigterm_ends_the_gateway_well_and_all_its_children() {
    assert!(ended_by(Signal::TERM).await.success());
}

#[tokio::test]
async fn sigkill_of_the_gateway_leaves_no_survivor() {
    assert!(!ended_by(Signal::KILL).await.success());
}

#[tokio::test]
async fn an_abort_of_the_gateway_leaves_no_survivor() {
    assert!(!ended_by(Signal::ABORT).await.success());
}

#[tokio::test]
async fn a_panic_of_a_program_with_a_gateway_in_it_leaves_no_survivor() {
    let place = Place::new();
    let file = place.file(&place.wrapped("w"));
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.replace("admin = \"127.0.0.1:0\"", "admin = \"off\"")).expect("it");
    let embedder = Path::new(env!("CARGO_BIN_EXE_embedder"));
    let mut apart = Apart::run(embedder, &[&file.display().to_string()], &file).await;
    place.fugitives(1).await;
    assert_all_there(&place.processes());
    apart.say("panic").await;
    assert!(!apart.ended().await.success());
    assert!(apart.errors().contains("a panic was asked for"), "{}", apart.errors());
    place.assert_empty().await;
}

#[tokio::test]
async fn sigkill_of_a_warden_ends_its_child_and_the_gateway_starts_another() {
    let place = Place::new();
    let apart = place.start().await;
    let before = Stray::below(apart.id());
    assert_all_there(&before);
    for warden in wardens(apart.id()) {
        warden.signal(Signal::KILL);
    }
    for process in before {
        process.ended().await;
    }
    place.fugitives(2).await;
    assert!(!wardens(apart.id()).is_empty());
    apart.signal(Signal::KILL);
    place.assert_empty().await;
}

#[tokio::test]
async fn a_child_that_is_killed_takes_all_that_it_started_with_it() {
    let place = Place::new();
    let apart = place.start().await;
    let before = Stray::below(apart.id());
    let server =
        before.iter().find(|process| process.command().contains("python3 server.py; true"));
    server.expect("the shell").signal(Signal::KILL);
    for process in before {
        process.ended().await;
    }
    place.fugitives(2).await;
    apart.signal(Signal::KILL);
    place.assert_empty().await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_leaves_no_survivor() {
    let place = Place::new();
    let mut apart = place.start().await;
    apart.signal(Signal::TERM);
    let closed = async || std::net::TcpStream::connect(apart.mcp).is_err();
    until("the listener's end, when the first one has arrived", closed).await;
    apart.signal(Signal::TERM);
    // Either it was still waiting for the fugitive, or had just come to its own end.
    let code = apart.ended().await.code();
    assert!(matches!(code, Some(130 | 0)), "{code:?}\n{}", apart.errors());
    place.assert_empty().await;
}

/// A gateway that ends at some moment of its start, or once all are there.
async fn cycle(number: usize) {
    let place = Place::new();
    let mut apart = Apart::start(&place.file(&place.wrapped("w"))).await;
    let there = async || place.processes().len() > number % 5;
    until("so many of its processes", there).await;
    let signal = if number.is_multiple_of(2) { Signal::TERM } else { Signal::KILL };
    apart.signal(signal);
    let status = apart.ended().await;
    assert_eq!(status.success(), signal == Signal::TERM, "{status:?}\n{}", apart.errors());
    place.assert_empty().await;
}

#[tokio::test]
async fn gateways_that_end_again_and_again_at_any_moment_leave_no_survivor() {
    for round in 0..10 {
        let cycles = (0..3).map(|number| cycle(3 * round + number));
        futures_util::future::join_all(cycles).await;
    }
}

#[tokio::test]
async fn a_signal_to_the_whole_unit_does_not_end_a_warden_before_its_child() {
    let place = Place::new();
    let mut apart = place.start().await;
    for process in place.processes() {
        process.signal(Signal::TERM);
    }
    assert!(apart.ended().await.success(), "{}", apart.errors());
    place.assert_empty().await;
}
