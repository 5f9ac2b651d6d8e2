//! The C programs of `tests/c`: hosts that no Rust test program can be.
//!
//! Owns: compiling them against the installed headers and running them on the module under test. Does not know: what
//! they do. Called from the scenarios of the process's end, of memory, and of two instances.

use crate::child::Running;
use crate::{Place, module, outside};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What [`compiled`] takes to build a program with AddressSanitizer in it.
pub const ASAN: [&str; 2] = ["-fsanitize=address", "-fno-omit-frame-pointer"];

/// Compiles a C program of `tests/c` into the place; `more` are further arguments of the compiler.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn compiled(place: &Place, name: &str, more: &[&str]) -> PathBuf {
    let program = place.file(name);
    let source = module::workspace().join(format!("tests/c/{name}.c"));
    let mut cc = place.command("cc");
    cc.args(["-std=c11", "-D_GNU_SOURCE", "-DCRYPTOKI_COMPAT", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-o"])
        .arg(&program)
        .arg(source);
    let include = module::workspace().join("ffi-headers/include");
    let include = if include.exists() { include } else { PathBuf::from("/usr/include/p11-kit-1/p11-kit") };
    cc.arg("-I").arg(include).args(more).args(["-ldl", "-lpthread"]);
    outside::output(cc);
    program
}

/// The command that runs a compiled program on the module under test.
#[must_use]
pub fn command(place: &Place, program: &Path, arguments: &[&str]) -> Command {
    let mut command = place.command(program);
    command.arg(module::path()).args(arguments);
    command
}

/// Runs a compiled program on the module under test; it must succeed. Returns what it printed.
pub fn host(place: &Place, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = command(place, program, arguments);
    command.envs(environment.iter().copied());
    succeed(place, command)
}

/// Runs a program to its end, which must be a success within the limit; a failure shows its status and all it printed.
fn succeed(place: &Place, command: Command) -> String {
    let shown = outside::shown(&command);
    let report = Running::spawn(place, command).finish();
    assert!(report.status.success(), "{shown}: {}\n{}", report.status, report.text);
    report.text
}

/// Runs a compiled program on the module under test under valgrind's memory checker, which must find nothing.
pub fn under_valgrind(place: &Place, program: &Path, arguments: &[&str]) -> String {
    let mut command = valgrind(place, module::path(), program);
    command.args(arguments);
    succeed(place, command)
}

/// The command that runs a program on a module under valgrind and fails when it finds something.
///
/// Lost memory counts when no pointer to it is left. What hangs on the module's one global is meant to stay, and a
/// pointer into the middle of a block is what every shared pointer of Rust is.
#[must_use]
pub fn valgrind(place: &Place, module: &Path, program: &Path) -> Command {
    let mut command = place.command("valgrind");
    command.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--num-callers=40"]);
    command.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    command.arg(format!("--suppressions={}", module::workspace().join("tests/c/valgrind.supp").display()));
    command.arg(program).arg(module);
    command
}
