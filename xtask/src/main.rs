//! Tasks of the house that cargo itself does not know: `cargo xtask tidy|test|docs`.
//!
//! Owns: the order of the checks and what they print. Does not know: anything inside a room; it reads
//! the sources as text and runs cargo as a person would, so that it builds in seconds.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to a person")]

mod dependencies;
mod docs;
mod metadata;
mod suite;
mod tidy;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Tasks of the house that cargo itself does not know")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the rules of the house: arrows between rooms, unsafe code, sizes, documentation.
    Tidy,
    /// Check and test everything, and count the tests.
    Test,
    /// Write the generated documents and headers again.
    Docs,
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Arguments::parse().task {
        Task::Tidy => tidy::run(&root),
        Task::Test => suite::run(&root),
        Task::Docs => docs::run(&root),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
