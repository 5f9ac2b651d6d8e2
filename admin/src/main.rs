//! `perilune`, the program: what it does is in the library of this room.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    perilune_admin::main()
}
