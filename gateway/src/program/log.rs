//! The log on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};

/// Starts logging.
pub(super) fn start(args: &LogArgs, default: &str) -> Result<(), String> {
    let directives = args.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(directives)
        .map_err(|fault| format!("--log: `{directives}` is no filter: {fault}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|fault| format!("the log cannot be started: {fault}"))
}
