//! Faults that last: the mount is named as sick until they end.

use futures_util::future::join_all;
use harness::scripted::{Plug, Script, Step};

use super::{Cell, keys, well};
use crate::children::Wire;
use crate::children::{ALL, OVER_HTTP};

/// All that a child is asked.
const EVERYTHING: [&str; 5] = ["tools/call", "tools/list", "server/discover", "initialize", "ping"];

/// A child that does this whatever it is asked.
fn always(steps: &[Step]) -> Script {
    EVERYTHING.into_iter().fold(well(), |script, method| script.on(method, steps))
}

/// Plays a script, waits until the mount is named as sick, and until it is back.
async fn strikes(wires: &[Wire], sick: &Script, states: &[&str]) {
    let cells = wires.iter().map(|wire| async move {
        let cell = Cell::new(*wire, keys(*wire), well()).await;
        cell.play.director("m").script(wire.dressed(sick.clone()));
        cell.until_named(states).await;
        cell.until_back().await;
    });
    join_all(cells).await;
}

const SICK: &[&str] = &["degraded", "down"];

#[tokio::test]
async fn killed() {
    let wires: Vec<Wire> = ALL.into_iter().filter(|wire| *wire != Wire::InProcess).collect();
    strikes(&wires, &always(&[Step::Exit(9)]), SICK).await;
}

#[tokio::test]
async fn hung() {
    strikes(&ALL, &always(&[Step::Hang]), SICK).await;
}

#[tokio::test]
async fn garbage() {
    let steps = [Step::Garbage("<html>502</html>".to_owned()), Step::Hang];
    let wires: Vec<Wire> = ALL.into_iter().filter(|wire| *wire != Wire::InProcess).collect();
    strikes(&wires, &always(&steps), SICK).await;
}

#[tokio::test]
async fn crash_loop() {
    let wires = [Wire::ModernProcess, Wire::LegacyProcess];
    let cells = wires.map(|wire| async move {
        let cell = Cell::new(wire, keys(wire), well()).await;
        let crashing = well().on("tools/list", &[Step::Exit(1)]);
        cell.play.director("m").script(wire.dressed(crashing));
        cell.play.director("m").exit(1);
        cell.until_named(SICK).await;
        cell.until_back().await;
    });
    join_all(cells).await;
}

#[tokio::test]
async fn slow_start() {
    let wires: Vec<Wire> = ALL.into_iter().filter(|wire| *wire != Wire::InProcess).collect();
    let cells = wires.into_iter().map(|wire| async move {
        let gate = Step::Wait("started".to_owned());
        let slow = well().on("server/discover", std::slice::from_ref(&gate));
        let slow = slow.on("initialize", &[gate]);
        let quick = "timeout_start = \"8s\"\nprobe_wait = \"2s\"\n";
        let cell = match wire {
            Wire::ModernProcess | Wire::LegacyProcess => {
                let keys = keys(wire).replace("timeout_start = \"15s\"\n", "");
                Cell::new(wire, &format!("{quick}{keys}"), slow).await
            }
            _ => Cell::new(wire, keys(wire), slow).await,
        };
        cell.until_named(&["down"]).await;
        (cell, wire)
    });
    for (cell, wire) in join_all(cells).await {
        // A remote child comes up at last; a process that took too long was started anew.
        if !matches!(wire, Wire::ModernProcess | Wire::LegacyProcess) {
            cell.play.director("m").open("started");
        }
        cell.until_back().await;
    }
}

#[tokio::test]
async fn status_500() {
    strikes(&OVER_HTTP, &always(&[Step::Status(500, "oops".to_owned())]), SICK).await;
}

#[tokio::test]
async fn status_405() {
    strikes(&OVER_HTTP, &always(&[Step::Status(405, String::new())]), SICK).await;
}

#[tokio::test]
async fn status_401() {
    strikes(&OVER_HTTP, &always(&[Step::Status(401, String::new())]), &["unauthorized"]).await;
}

/// The child's host refuses connections, or makes them and falls silent.
async fn unplugged(plug: Plug) {
    let started = [Wire::InProcess, Wire::ModernProcess, Wire::LegacyProcess];
    let listening = ALL.into_iter().filter(|wire| !started.contains(wire));
    let cells = listening.map(|wire| async move {
        let cell = Cell::new(wire, keys(wire), well()).await;
        cell.play.director("m").plug(plug);
        cell.until_named(SICK).await;
        cell.play.director("m").plug(Plug::In);
        cell.until_back().await;
    });
    join_all(cells).await;
}

#[tokio::test]
async fn refuses_connections() {
    unplugged(Plug::Out).await;
}

#[tokio::test]
async fn half_open_connections() {
    unplugged(Plug::Deaf).await;
}
