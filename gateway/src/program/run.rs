//! `gateway run`: serves until a signal, then drains.

use std::path::PathBuf;
use std::sync::Arc;

use gateway::config::{Config, Source, State};
use gateway::control::MountReport;
use gateway::{Gateway, Listening};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::{lines, note, say, short, table};
use super::{End, load};
use crate::args::RunArgs;

/// The exit code of a program that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(super) async fn run(args: &RunArgs) -> End {
    let mut flags = match load::flags(&args.set) {
        Ok(flags) => flags,
        Err(end) => return end,
    };
    for (key, value) in [("gateway.listen", &args.listen), ("gateway.admin", &args.admin)] {
        if let Some(value) = value {
            flags.push((key.to_owned(), value.clone()));
        }
    }
    let mut loaded = match load::load_or_end(args.file.as_ref(), flags.clone()) {
        Ok(loaded) => loaded,
        Err(end) => return end,
    };
    say_state(&mut loaded.config);
    let (stop, hangup) = match signals().and_then(|stop| Ok((stop, signal(SignalKind::hangup())?)))
    {
        Ok(signals) => signals,
        Err(fault) => return End::Failed(format!("no signals: {fault}")),
    };
    let gateway = match Gateway::start(loaded.config, &load::children()) {
        Ok(gateway) => gateway,
        Err(text) => return End::Wrong(text),
    };
    keep_up(&gateway, flags);
    if args.stdio {
        tokio::select! {
            _ended = tokio::spawn(gateway.serve_stdio(CancellationToken::new())) => {}
            () = until_stopped(&gateway, hangup, &stop) => {}
        }
        tracing::info!("draining");
        gateway.stop().await;
        return End::Well;
    }
    let listening = match gateway.listen().await {
        Ok(listening) => listening,
        Err(text) => {
            gateway.stop().await;
            return End::Failed(text);
        }
    };
    say(&endpoints(&gateway, &listening));
    let settle = gateway.config().gateway.limits.settle;
    tokio::select! {
        () = stop.cancelled() => {}
        _settled = gateway.settled(settle) => {
            say(&format!("\n{}\n", mounts(&gateway.mounts())));
            let example = listening.mcp.tcp().map(|at| {
                format!(
                    "connect a client, for example:\n  claude mcp add --transport http gateway \
                     http://{at}/mcp\n"
                )
            });
            say(&format!("{}Ctrl-C stops.", example.unwrap_or_default()));
        }
    }
    until_stopped(&gateway, hangup, &stop).await;
    tracing::info!("draining");
    gateway.stop().await;
    End::Well
}

/// Has the gateway reload from where it was loaded, by itself when the file changes.
///
/// What began with a file stays with it: one that is away for a moment, as while an editor saves,
/// must not give way to the built-in one.
fn keep_up(gateway: &Gateway, flags: Vec<(String, String)>) {
    let file = match &gateway.config().source {
        Source::File(path) => Some(path.clone()),
        Source::Embedded => None,
    };
    let watched = file.clone().filter(|_| gateway.config().gateway.watch);
    gateway.reload_from(Arc::new(move || {
        let mut loaded = load::load(file.as_ref(), flags.clone())?;
        say_state(&mut loaded.config);
        Ok(loaded)
    }));
    if let Some(file) = watched {
        gateway.reload_on_change(file);
    }
}

/// Reloads at each SIGHUP until `stop`.
async fn until_stopped(gateway: &Gateway, mut hangup: Signal, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = hangup.recv() => {
                gateway.reload().await;
            }
        }
    }
}

/// Where nobody said where the state is kept, it is in the user's own folder for that.
fn say_state(config: &mut Config) {
    if config.gateway.state == State::Unsaid {
        config.gateway.state = state_folder().map_or(State::Off, State::Folder);
    }
}

/// Where the user's programs keep what outlives them, by the XDG base directory specification.
fn state_folder() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("gateway"))
}

fn endpoints(gateway: &Gateway, listening: &Listening) -> String {
    let from = match &gateway.config().source {
        Source::File(path) => path.display().to_string(),
        Source::Embedded => "the built-in routing.toml".to_owned(),
    };
    let mut text = format!(
        "gateway {} with {from}\nendpoint   {}/mcp",
        env!("CARGO_PKG_VERSION"),
        listening.mcp
    );
    if let Some(admin) = &listening.admin {
        text.push_str(&format!("\nadmin      {admin}/mounts"));
    }
    text
}

/// What each mount offers, as a table.
pub(super) fn mounts(reports: &[MountReport]) -> String {
    const REASON_MAX: usize = 100;
    let mut table = table(&[
        "mount",
        "prefix",
        "state",
        "speaks",
        "tools",
        "resources",
        "templates",
        "prompts",
        "",
    ]);
    for report in reports {
        let count = |count: usize| count.to_string();
        let prefix = if report.prefix.is_empty() { "(none)" } else { &report.prefix };
        table.add_row([
            report.name.clone(),
            prefix.to_owned(),
            report.state.to_owned(),
            report.speaks.clone().unwrap_or_default(),
            count(report.tools),
            count(report.resources),
            count(report.templates),
            count(report.prompts),
            short(&report.reason, REASON_MAX),
        ]);
    }
    lines(&table)
}

/// A token that SIGINT or SIGTERM cancels; a second signal ends the program at once.
fn signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if second {
                note("gateway: stopped at once; children end as their input closes");
                std::process::exit(INTERRUPTED);
            }
            told.cancel();
        }
    });
    Ok(stop)
}
