//! The program `gateway`: reads the command line and runs one command.

mod args;
mod program;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    gateway::connect::warden_if_asked();
    program::main(args::Cli::parse())
}
