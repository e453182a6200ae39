//! A warden whose gateway is gone before it could say that it started the child.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use harness::apart::program;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::Place;

/// Deaf to SIGTERM, and with a process of its own below it.
const CHILD: &str = "trap '' TERM; sleep 1000 & while :; do wait; done";

/// Passes the child's ends of its pipes to the warden, as a gateway does.
fn hand_over(line: &UnixStream) {
    let (stdin, _to_child) = std::io::pipe().expect("a pipe");
    let (_from_child, stdout) = std::io::pipe().expect("a pipe");
    let (_complaints, stderr) = std::io::pipe().expect("a pipe");
    let pipes: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
    let files = [pipes[0].as_fd(), pipes[1].as_fd(), pipes[2].as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut carried = SendAncillaryBuffer::new(&mut space);
    assert!(carried.push(SendAncillaryMessage::ScmRights(&files)));
    sendmsg(line, &[IoSlice::new(b"p")], &mut carried, SendFlags::NOSIGNAL).expect("it is sent");
}

#[tokio::test]
async fn a_gateway_that_is_gone_before_its_warden_started_the_child_leaves_no_survivor() {
    let place = Place::new();
    let (near, far) = UnixStream::pair().expect("a line");
    hand_over(&near);
    // Gone before the warden has read a byte.
    drop(near);
    let mut warden = Command::new(program())
        .args(["--warden-of-one-child", "sh", "-c", CHILD])
        .env("MARK", place.path())
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a warden");
    let ended = tokio::task::spawn_blocking(move || warden.wait());
    let ended = harness::start::soon("the warden's end", ended).await.expect("a thread");
    assert!(ended.expect("a status").success(), "it has seen to its child");
    place.assert_empty().await;
}
