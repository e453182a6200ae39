//! A child that runs only while it is needed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::{Method, Raw};
use tokio::time::sleep;

use super::{Child, HOUR, MINUTE, Stage, settings};
use crate::call::{Call, Caller, Offer, Serve};
use crate::config::{Running, Start};
use crate::mount::{MountSettings, State};

const IDLE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

fn running(start: Start, stop_idle: Option<Duration>) -> MountSettings {
    MountSettings { running: Running { start, stop_idle }, ..settings() }
}

async fn until(stage: &Stage, state: State) {
    let mut status = stage.mount.status();
    status.wait_for(|status| status.state == state).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lazy_child_whose_catalog_is_known_is_dialled_by_the_first_call() {
    let settings = running(Start::Lazy, None);
    let stage = Stage::with(Child::default(), settings, Some(Offer::default()));
    until(&stage, State::Idle).await;
    sleep(HOUR).await;
    assert_eq!((stage.state(), stage.dials()), (State::Idle, 0));
    stage.call().await.expect("it is dialled for the call");
    sleep(HOUR).await;
    assert_eq!((stage.state(), stage.dials()), (State::Ready, 1));
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lazy_child_whose_catalog_is_not_known_is_dialled_to_learn_it() {
    let stage = Stage::with(Child::default(), running(Start::Lazy, Some(IDLE)), None);
    until(&stage, State::Ready).await;
    assert!(stage.mount.offer().borrow().is_some());
    until(&stage, State::Idle).await;
    assert_eq!((stage.dials(), stage.child.closes.load(Ordering::Relaxed)), (1, 1));
    assert!(stage.mount.offer().borrow().is_some(), "the catalog stays");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_child_that_cannot_be_dialled_fails_the_call_with_the_reason() {
    let child = Child::default();
    child.refuses.store(true, Ordering::Relaxed);
    let stage = Stage::with(child, running(Start::Lazy, None), Some(Offer::default()));
    until(&stage, State::Idle).await;
    let fault = stage.call().await.unwrap_err();
    assert!(fault.text.contains("it refuses"), "{fault:?}");
    assert_eq!(stage.state(), State::Down, "that is a sickness");
    stage.child.refuses.store(false, Ordering::Relaxed);
    until(&stage, State::Ready).await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_in_use_is_not_idle_however_long_that_takes() {
    let child = Child { takes: 30 * MINUTE, ..Child::default() };
    let long =
        MountSettings { timeout: HOUR, timeout_max: HOUR, ..running(Start::Eager, Some(IDLE)) };
    let stage = Stage::with(child, long, None);
    until(&stage, State::Ready).await;
    stage.call().await.expect("it is not stopped under the call");
    assert_eq!(stage.dials(), 1);
    stage.child.busy.store(true, Ordering::Relaxed);
    sleep(HOUR).await;
    assert_eq!(stage.state(), State::Ready, "a call waits for its client");
    stage.child.busy.store(false, Ordering::Relaxed);
    until(&stage, State::Idle).await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_with_a_subscription_is_not_idle() {
    let child = Child { takes: 10 * HOUR, ..Child::default() };
    let stage = Stage::with(child, running(Start::Eager, Some(IDLE)), None);
    until(&stage, State::Ready).await;
    let mount = Arc::clone(&stage.mount);
    let listen = Call::own(Method::Listen, Raw::default(), Caller::gateway());
    let listening = tokio::spawn(async move { mount.serve(listen).await });
    sleep(9 * HOUR).await;
    assert_eq!((stage.state(), stage.dials()), (State::Ready, 1));
    listening.await.unwrap().expect("it ends by itself");
    until(&stage, State::Idle).await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_at_any_moment_of_a_child_that_falls_idle_is_served() {
    let stage = Stage::with(Child::default(), running(Start::Eager, Some(IDLE)), None);
    until(&stage, State::Ready).await;
    for step in 0..200_u32 {
        sleep(IDLE - 100 * Duration::from_millis(1) + step * Duration::from_millis(1)).await;
        let outcome = stage.call().await;
        assert!(outcome.is_ok(), "{outcome:?} after {step} steps");
    }
    let (dials, closes) = (stage.dials(), stage.child.closes.load(Ordering::Relaxed));
    assert!(dials > 10 && dials < 190, "some calls came in time, some did not: {dials}");
    assert_eq!(closes, dials - 1, "each one was closed before the next");
    sleep(SECOND).await;
    stage.stop().await;
}
