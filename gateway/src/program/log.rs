//! The log on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Whether a directive is a word that would be read as a target's name, which mutes all others.
fn is_no_level(word: &str) -> bool {
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    plain && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Starts logging.
pub(super) fn start(args: &LogArgs, default: &str) -> Result<(), String> {
    let directives = args.log.as_deref().unwrap_or(default);
    let words = directives.split(',').map(str::trim).filter(|word| !word.is_empty());
    if let Some(word) = words.into_iter().find(|word| is_no_level(word)) {
        return Err(format!(
            "--log: `{word}` is no level: expected one of {}, or TARGET=LEVEL such as \
             gateway::mount=debug",
            LEVELS.join(", ")
        ));
    }
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
