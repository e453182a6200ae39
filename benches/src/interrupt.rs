//! A measurement that is interrupted ends all that it started, and keeps nothing.

use crate::fault::Fault;

/// Measures until it is done, or until SIGTERM or Ctrl-C: then what it started is killed with it.
///
/// # Errors
/// Those of `measuring`, and the interruption.
pub(crate) async fn unless_interrupted(
    measuring: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    tokio::select! {
        done = measuring => done,
        signal = interrupted() => Err(Fault(format!("ended by {signal}: nothing was kept"))),
    }
}

/// Waits for the person or the system that wants the run to end.
async fn interrupted() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _asked = terminate.recv() => "SIGTERM",
                _asked = tokio::signal::ctrl_c() => "an interrupt",
            };
        }
    }
    let _asked = tokio::signal::ctrl_c().await;
    "an interrupt"
}
