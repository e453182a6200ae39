//! What each command of the program does.

mod output;
mod load;
mod log;
mod run;
mod check;
mod plan;
mod whom;
mod list;
mod arguments;
mod call;
mod new_child;

use std::process::ExitCode;

use crate::args::{Cli, Command, New, RunArgs};

/// Why a command ends, and with which exit code.
pub(crate) enum End {
    /// All went well.
    Well,
    /// What was asked for failed; the text says why, and is empty where that was said already.
    Failed(String),
    /// The command line or the configuration is wrong.
    Wrong(String),
}

/// Runs the command.
pub(crate) fn main(cli: Cli) -> ExitCode {
    let command = cli.command.unwrap_or_else(|| Command::Run(RunArgs::default()));
    let serves = matches!(command, Command::Run(_));
    // The SDK of the compiled-in children tells each step of its own.
    let default = if serves { "info,rmcp=warn" } else { "error" };
    if let Err(text) = log::start(&cli.log, default) {
        return end(End::Wrong(text));
    }
    if let Err(fault) = gateway::connect::adopt_orphans() {
        tracing::warn!("this program cannot adopt what a killed warden leaves behind: {fault}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(fault) => return end(End::Failed(format!("no runtime: {fault}"))),
    };
    let ended = runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(&args).await,
            Command::Check(args) => check::check(&args).await,
            Command::Plan(args) => plan::plan(&args).await,
            Command::List(args) => list::list(&args).await,
            Command::Call(args) => call::call(&args).await,
            Command::Read(args) => call::read(&args).await,
            Command::New(New::Child(args)) => new_child::new_child(&args),
        }
    });
    // Reading standard input cannot be cancelled; it must not keep the program.
    runtime.shutdown_background();
    end(ended)
}

fn end(end: End) -> ExitCode {
    match end {
        End::Well => ExitCode::SUCCESS,
        End::Failed(text) => {
            output::complain(&text);
            ExitCode::from(1)
        }
        End::Wrong(text) => {
            output::complain(&text);
            ExitCode::from(2)
        }
    }
}
