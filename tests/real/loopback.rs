//! The HTTP servers of these tests are reachable from this machine only.
#![cfg(target_os = "linux")]

use std::fs;

use crate::fixture::Fixture;
use crate::programs::{Venv, everything_http, tiny};
use crate::served::Served;

/// `127.0.0.1`, as the kernel's tables of sockets write it.
const LOOPBACK: &str = "0100007F";
/// The state of a socket that listens, in the same tables.
const LISTENING: &str = "0A";

/// The local addresses on which this machine listens at a port.
fn listening(port: &str) -> Vec<String> {
    let port = format!("{:04X}", port.parse::<u16>().expect("a port"));
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let text: String = tables.into_iter().flatten().collect();
    let sockets = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = sockets.filter(|socket| socket.get(3) == Some(&LISTENING));
    let locals = listening.filter_map(|socket| socket.get(1)?.split_once(':'));
    locals.filter(|(_, at)| *at == port).map(|(address, _)| address.to_owned()).collect()
}

fn assert_loopback_only(server: &Served) {
    let (_, rest) = server.url.rsplit_once(':').expect("a port");
    let (port, _) = rest.split_once('/').expect("a path");
    assert_eq!(listening(port), [LOOPBACK], "{}", server.url);
}

#[tokio::test]
async fn server_everything_listens_on_loopback_only() {
    let fixture = Fixture::new();
    let errors = fixture.path().join("errors.txt");
    assert_loopback_only(&Served::start(&everything_http(), &errors).await);
}

#[tokio::test]
async fn python_servers_listen_on_loopback_only() {
    let fixture = Fixture::new();
    let errors = fixture.path().join("errors.txt");
    for venv in [Venv::Mcp1, Venv::Mcp2] {
        assert_loopback_only(&Served::start(&tiny(venv, "http"), &errors).await);
    }
}
