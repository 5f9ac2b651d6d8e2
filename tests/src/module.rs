//! Where the built module and the `perilune` command are.
//!
//! Owns: building them once per test program. Called from every test. `PERILUNE_MODULE` names a module
//! that is already built, and then nothing is built here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The module under test, built if need be.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("PERILUNE_MODULE") {
        Some(path) => PathBuf::from(path),
        None => {
            build("pkcs11-module");
            target().join("debug/libperilune_pkcs11.so")
        }
    })
}

/// The `perilune` command, built if need be.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn admin() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if std::env::var_os("PERILUNE_MODULE").is_none() {
            build("perilune");
        }
        target().join("debug/perilune")
    })
}

/// An example program of a room, built if need be.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn example(package: &str, name: &str) -> PathBuf {
    let path = target().join("debug/examples").join(name);
    if std::env::var_os("PERILUNE_MODULE").is_none() || !path.exists() {
        cargo(&["build", "--quiet", "--locked", "-p", package, "--example", name]);
    }
    path
}

/// Whether the module under test is ours and not the one that proves the suite.
#[must_use]
pub fn is_perilune() -> bool {
    path().to_string_lossy().contains("perilune")
}

/// Whether the module under test computes with AWS-LC; where it does not, notes the test as skipped.
#[must_use]
pub fn has_aws_lc(test: &str, reason: &str) -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    const SIGN: &[u8] = b"aws_lc_";
    let found = *FOUND.get_or_init(|| {
        let bytes = std::fs::read(path()).expect("the module");
        bytes.windows(SIGN.len()).any(|window| window == SIGN)
    });
    if !found {
        crate::outside::skip(test, reason);
    }
    found
}

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target folder.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}

fn build(package: &str) {
    cargo(&["build", "--quiet", "--locked", "-p", package]);
}

fn cargo(arguments: &[&str]) {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_absent| "cargo".into());
    let status = Command::new(cargo).args(arguments).current_dir(workspace()).status().expect("cargo starts");
    assert!(status.success(), "cargo {arguments:?}");
}
