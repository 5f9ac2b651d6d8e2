//! The commands, one file each; those of a few lines are here.

pub mod backup;
pub mod delete;
pub mod import;
pub mod init;
pub mod migrate;
pub mod objects;
pub mod pin;
pub mod policy;
pub mod restore;
pub mod slots;

use crate::cli::{Cli, Completions};
use crate::failure::Failure;
use crate::output;
use clap::CommandFactory;

/// Prints the completions of a shell.
///
/// # Errors
/// When the output cannot be written.
pub fn completions(args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "perilune", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
