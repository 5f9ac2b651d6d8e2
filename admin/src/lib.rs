//! `perilune`, the command with which a person sets up and looks after tokens.
//!
//! Owns: the words on the command line, what is printed, exit codes. Does not know: how anything is
//! stored or computed; it asks the same [`hsm_core::Hsm`] that applications reach through the module,
//! started the same way, so it sees what they see and obeys the same rules.
//!
//! It is a library with a program of two lines around it, so that fuzz targets reach what takes foreign bytes
//! ([`fuzzing`]).
#![forbid(unsafe_code)]

mod archive;
mod bench;
mod cli;
mod commands;
mod doctor;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod import;
mod man;
mod objects;
mod output;
mod secret;
mod softhsm;
mod token;
mod uri;

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command with the words of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and a usage error to standard error; a closed pipe is nobody's fault.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { failure::EXIT_USAGE } else { 0 });
        }
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "perilune: {failure}");
            ExitCode::from(failure.exit())
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => commands::init::run(&args),
        Command::Slots(args) => commands::slots::run(&args),
        Command::Objects(args) => commands::objects::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Migrate(args) => commands::migrate::run(&args),
        Command::Delete(args) => commands::delete::run(&args),
        Command::Pin(args) => commands::pin::run(&args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Backup(args) => commands::backup::run(&args),
        Command::Restore(args) => commands::restore::run(&args),
        Command::Doctor(args) => return doctor::run(&args),
        Command::Bench(args) => return bench::run(&args),
        Command::Completions(args) => commands::completions(&args),
        Command::Man => output::print(&man::page()?),
    }
    .map(|()| ExitCode::SUCCESS)
}
