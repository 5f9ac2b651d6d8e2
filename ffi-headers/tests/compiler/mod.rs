//! Compiles and runs C programs against the installed headers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, outside of test functions")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a program, with every warning an error, and returns what it prints.
#[allow(dead_code, reason = "not every test runs what it compiles")]
pub fn output_of(name: &str, program: &str) -> String {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.c"));
    std::fs::write(&source, program).unwrap();
    let run = Command::new(compiled(&source, &["-std=c99"])).output().unwrap();
    assert!(run.status.success(), "{name} ended with {}", run.status);
    String::from_utf8(run.stdout).unwrap()
}

/// Compiles a source file and returns the program's path.
pub fn compiled(source: &Path, options: &[&str]) -> PathBuf {
    let name = source.file_stem().unwrap().to_string_lossy().into_owned();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}{}", options.concat()));
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let made = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-I", include])
        .args(options)
        .arg("-o")
        .args([&program, source])
        .output()
        .expect("a C compiler is needed: install the package build-essential");
    assert!(made.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&made.stderr));
    program
}
