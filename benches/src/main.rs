//! The program `benches`: a floor, a child that answers at once, a load generator, and their
//! comparison with the gateway.

mod args;
mod fault;
mod interrupt;
mod wire;
mod serve;
mod child;
mod embed;
mod floor;
mod load;
mod kernel;
mod compare;
mod soak;
mod custody;
mod first_list;
mod beside;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::args::{Args, What};
use crate::fault::Fault;
use crate::interrupt::unless_interrupted;

fn main() -> ExitCode {
    match run(Args::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say_aside(&format!("benches: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<(), Fault> {
    match what {
        What::Floor(args) => on_all_cores()?.block_on(floor::run(args)),
        What::Child(args) if args.stdio => child::stdio::run(&args),
        What::Child(args) => on_all_cores()?.block_on(child::http::run(args)),
        What::Embed(args) => on_all_cores()?.block_on(embed::run(args)),
        What::Load(args) => on_one_core()?.block_on(load::run(args)),
        What::Sick(args) => child::sick::run(&args),
        What::Fugitive { .. } => custody::fugitive(),
        What::Custody(args) => measure(custody::run(args)),
        What::FirstList(args) => measure(first_list::run(args)),
        What::Beside(args) => measure(beside::run(args)),
        What::Soak(args) => measure(soak::run(args)),
        What::Compare(args) => measure(compare::run(args)),
    }
}

/// What is measured is in other processes, which end with it.
fn measure(measuring: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    on_one_core()?.block_on(unless_interrupted(measuring))
}

/// What stands on the path of a call may use the whole machine, as the gateway does.
fn on_all_cores() -> Result<Runtime, Fault> {
    Builder::new_multi_thread().enable_all().build().map_err(Fault::during("starting the runtime"))
}

/// The load comes from one thread, so that it takes no more than one core from what it measures.
fn on_one_core() -> Result<Runtime, Fault> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::during("starting the runtime"))
}

/// Prints one line for whoever reads the result; a reader that has gone away is no fault.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints one line for whoever watches.
pub(crate) fn say_aside(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}
