//! `cargo xtask docs`: writes the generated documents and headers again.
//!
//! Owns: which tests hold which golden file. The files themselves are made by the rooms that own the
//! tables; their tests compare, and with `UPDATE_GOLDEN=1` they write instead.

use crate::metadata::cargo;
use std::path::Path;
use std::process::Command;

/// The rooms that have golden files.
const ROOMS: [&str; 4] = ["ffi-headers", "hsm-core", "pkcs11-module", "perilune"];

/// Runs the golden tests of every room in writing mode.
///
/// # Errors
/// The room whose tests failed.
pub fn run(root: &Path) -> Result<(), String> {
    for room in ROOMS {
        println!("==> {room}");
        let status = Command::new(cargo())
            .args(["test", "--quiet", "-p", room, "golden"])
            .env("UPDATE_GOLDEN", "1")
            .current_dir(root)
            .status()
            .map_err(|error| format!("{room}: {error}"))?;
        if !status.success() {
            return Err(format!("the documents of {room} could not be written: {status}"));
        }
    }
    println!("Look at the difference with: git diff docs ffi-headers/include");
    Ok(())
}
