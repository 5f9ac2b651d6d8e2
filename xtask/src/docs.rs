//! `cargo xtask docs`: writes the generated documents and headers again.
//!
//! Owns: which test holds which golden file. The files themselves are made by the rooms that own the
//! tables; their tests compare, and with `UPDATE_GOLDEN=1` they write instead.

use crate::dependencies;
use crate::metadata::cargo;
use std::path::Path;
use std::process::Command;

/// Room, target of cargo, the test that holds the file, the file.
const GOLDEN: [(&str, &[&str], &str, &str); 5] = [
    ("ffi-headers", &["--lib"], "header", "ffi-headers/include/perilune.h"),
    ("pkcs11-module", &["--lib"], "the_document_is_up_to_date", "docs/functions.md"),
    ("hsm-core", &["--test", "mechanisms"], "golden", "docs/mechanisms.md"),
    ("hsm-core", &["--lib"], "the_printed_document_is_the_checked_in_one", "docs/attributes.md"),
    ("perilune", &["--test", "command"], "the_manual_page_is_the_one_in_docs", "docs/man/perilune.1"),
];

/// Runs the golden tests in writing mode.
///
/// # Errors
/// The room whose tests failed, or the file that no test wrote.
pub fn run(root: &Path) -> Result<(), String> {
    println!("==> {}", dependencies::DOCUMENT);
    let text = dependencies::document(root)?;
    std::fs::write(root.join(dependencies::DOCUMENT), text)
        .map_err(|error| format!("{}: {error}", dependencies::DOCUMENT))?;
    for (room, target, test, file) in GOLDEN {
        println!("==> {file}");
        let before = std::time::SystemTime::now();
        let status = Command::new(cargo())
            .args(["test", "--quiet", "--locked", "-p", room])
            .args(target)
            .arg(test)
            .env("UPDATE_GOLDEN", "1")
            .current_dir(root)
            .status()
            .map_err(|error| format!("{room}: {error}"))?;
        if !status.success() {
            return Err(format!("{file} could not be written: {status}"));
        }
        // A test that was renamed runs no more, and cargo calls that a success.
        let written = std::fs::metadata(root.join(file)).and_then(|about| about.modified());
        if written.map_err(|error| format!("{file}: {error}"))? < before {
            return Err(format!("{file} was not written: is there still a test {test} in {room}?"));
        }
    }
    println!("Look at the difference with: git diff docs ffi-headers/include");
    Ok(())
}
