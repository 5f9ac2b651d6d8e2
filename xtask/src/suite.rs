//! `cargo xtask test`: every check and every test, one closing line that counts them.
//!
//! Owns: the order of the steps, the counting, what is printed when one fails. Checks come first and
//! stop the run; tests run to the end, so that one run shows all that is broken. Called by `make test`,
//! which CI calls.

use crate::metadata::cargo;
use crate::tidy;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs everything.
///
/// # Errors
/// The step that failed.
pub fn run(root: &Path) -> Result<(), String> {
    let mut count = Count::default();
    let outcome = steps(root, &mut count);
    if outcome.is_err() && count.failed == 0 {
        // A check that failed, or a test program that died, has no closing line of its own.
        count.failed = 1;
    }
    println!();
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    outcome
}

/// What the test programs said in their closing lines.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// Takes in one line of output; counts it when it is a closing line of libtest.
    fn take(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Moves the tests that passed only because their tool is not on this machine to the skipped ones.
    fn settle(&mut self, notes: &Path) {
        let Ok(text) = std::fs::read_to_string(notes) else { return };
        for note in text.lines() {
            println!("skipped: {note}");
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        }
    }
}

const NO_AWS_LC: [&str; 5] = ["hsm-crypto", "hsm-core", "hsm-platform", "pkcs11-module", "perilune"];

fn steps(root: &Path, count: &mut Count) -> Result<(), String> {
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_absent| root.join("target"), |dir| root.join(dir));
    let notes = target.join("skipped-tests.txt");
    let module = target.join("debug/libperilune_pkcs11.so");
    let portable = target.join("portable/libperilune_pkcs11.so");

    check(root, "format", &["fmt", "--all", "--check"])?;
    check(root, "clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    let mut clippy = vec!["clippy", "--locked", "--all-targets", "--no-default-features"];
    clippy.extend(NO_AWS_LC.iter().flat_map(|room| ["-p", room]));
    clippy.extend(["--", "-D", "warnings"]);
    check(root, "clippy without AWS-LC", &clippy)?;
    deny(root)?;
    step("tidy");
    tidy::run(root)?;

    // The portable module is built first and set aside, so that the default one is what target/debug holds at the end.
    check(root, "build without AWS-LC", &["build", "--locked", "-p", "pkcs11-module", "--no-default-features"])?;
    set_aside(&module, &portable)?;
    check(root, "build", &["build", "--locked", "--workspace"])?;

    remove(&notes)?;
    let mut broken = Vec::new();
    let mut test = |name: &str, module: &Path, arguments: &[&str]| {
        let environment = [("PERILUNE_MODULE", module), ("PERILUNE_SKIPPED", &notes)];
        if let Err(problem) = counted(root, name, &environment, arguments, count) {
            broken.push(problem);
        }
    };
    test("tests", &module, &["test", "--locked", "--workspace", "--no-fail-fast"]);
    test(
        "tests without AWS-LC",
        &portable,
        &["test", "--locked", "-p", "hsm-crypto", "-p", "hsm-core", "--no-default-features", "--no-fail-fast"],
    );
    test(
        "acceptance of the module without AWS-LC",
        &portable,
        &["test", "--locked", "-p", "perilune-tests", "--test", "acceptance", "--no-fail-fast"],
    );
    // Once: what stands between caller and module is the same for both.
    test(
        "hostile cases on the module without AWS-LC",
        &portable,
        &["test", "--locked", "-p", "perilune-tests", "--test", "hostile", "--", "--direct"],
    );
    count.settle(&notes);
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }

    let mut doc = cargo_command(root, &["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    finish("documentation", &mut doc)
}

/// Says which step begins.
fn step(name: &str) {
    println!("==> {name}");
}

fn cargo_command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

fn check(root: &Path, name: &str, arguments: &[&str]) -> Result<(), String> {
    finish(name, &mut cargo_command(root, arguments))
}

/// Runs a command to its end with its output shown.
fn finish(name: &str, command: &mut Command) -> Result<(), String> {
    step(name);
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    println!("    {name}: {} s", start.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(format!("{name} failed: {status}; see above")) }
}

/// Runs tests with their output shown, and counts them.
fn counted(
    root: &Path,
    name: &str,
    environment: &[(&str, &Path)],
    arguments: &[&str],
    count: &mut Count,
) -> Result<(), String> {
    step(name);
    let start = Instant::now();
    let mut command = cargo_command(root, arguments);
    command.envs(environment.iter().copied()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    if let Some(output) = child.stdout.take() {
        let mut screen = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("{name}: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            count.take(&line);
            writeln!(screen, "{line}").map_err(|error| format!("{name}: {error}"))?;
        }
    }
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    println!("    {name}: {} s", start.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(format!("{name} failed: {status}; see above")) }
}

/// Licences, sources, duplicates and, where its database can be had, advisories.
fn deny(root: &Path) -> Result<(), String> {
    let present = cargo_command(root, &["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !present {
        check(root, "install cargo-deny", &["install", "cargo-deny", "--locked", "--quiet"])?;
    }
    check(root, "deny", &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    step("advisories");
    let output = cargo_command(root, &["deny", "--log-level", "error", "check", "advisories"])
        .output()
        .map_err(|error| format!("cargo deny: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("failed to fetch advisory database") || said.contains("failed to load advisory database") {
        println!("    advisories skipped: database not reachable");
        return Ok(());
    }
    Err(format!("{said}\nadvisories failed; see above"))
}

fn set_aside(from: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().ok_or("no folder to set the portable module aside in")?;
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    std::fs::copy(from, to).map(|_bytes| ()).map_err(|error| format!("{}: {error}", from.display()))
}

fn remove(file: &Path) -> Result<(), String> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", file.display())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn closing_lines_are_counted_and_nothing_else() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "5 passed, 5 failed",
        ] {
            count.take(line);
        }
        assert_eq!((count.passed, count.failed, count.skipped), (14, 3, 1));
    }
}
