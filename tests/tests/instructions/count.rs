//! Counting with valgrind's tool callgrind.
//!
//! Owns: the token that the calls work on, callgrind's command line and its files, the names of the tools that a figure
//! depends on. Does not know: what a right figure is.

use crate::golden::Figure;
use perilune_tests::{Place, host, module, outside};
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A prepared token and the program that uses it.
pub struct Counter {
    place: Place,
    program: PathBuf,
    runs: usize,
}

impl Counter {
    /// Makes the token.
    pub fn new() -> Self {
        let place = Place::new();
        let program = host::compiled(&place, "cost", &[]);
        host::host(&place, &program, &["prepare"], &[]);
        Self { place, program, runs: 0 }
    }

    /// Counts each row so many times and returns the median for one call.
    pub fn run(&mut self, how: &str, batches: usize) -> Vec<Figure> {
        self.runs += 1;
        let dumps = self.place.text(&format!("counted-{}", self.runs));
        let mut command = self.place.command("valgrind");
        command.args(["--quiet", "--tool=callgrind", "--toggle-collect=counted", "--dump-after=counted"]);
        command.arg(format!("--callgrind-out-file={dumps}"));
        command.arg(&self.program).arg(module::path()).args([how, &batches.to_string()]);
        let said = outside::output(command);

        let rows = said.lines().filter_map(|line| line.strip_prefix("row ")?.split_once(' '));
        let figures: Vec<Figure> = rows
            .enumerate()
            .map(|(row, (calls, name))| {
                let calls: u64 = calls.parse().expect("a number of calls");
                // The dumps are numbered from 1 on, `batches` of them for each row.
                let numbers = row * batches + 1..=(row + 1) * batches;
                let mut counts: Vec<u64> = numbers.map(|number| summary(&format!("{dumps}.{number}"))).collect();
                counts.sort_unstable();
                Figure { name: name.to_owned(), instructions: counts[batches / 2] / calls }
            })
            .collect();
        assert!(!figures.is_empty(), "no row: {said}");
        figures
    }
}

/// What was counted in one of callgrind's files.
fn summary(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = text.lines().find_map(|line| line.strip_prefix("summary: "));
    line.expect("a summary").trim().parse().expect("a number of instructions")
}

/// What a figure depends on beside our code: the compilers that made the module, the C library, valgrind.
pub fn tools(module: &Path) -> String {
    let bytes = std::fs::read(module).expect("the module");
    // Compilers leave their names in the module's section of comments.
    let after = |mark: &str| {
        let start = bytes.windows(mark.len()).position(|part| part == mark.as_bytes());
        let rest = start.map_or(&[][..], |start| &bytes[start + mark.len()..]);
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len()).min(100);
        String::from_utf8_lossy(&rest[..end]).into_owned()
    };
    let first = |text: String| text.split_whitespace().next().unwrap_or("?").to_owned();
    let last = |text: String| text.split_whitespace().last().unwrap_or("?").to_owned();
    // SAFETY: has no preconditions.
    let library = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: it is a constant string of the C library.
    let library = unsafe { CStr::from_ptr(library) };
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version");
    format!(
        "rustc {}, GCC {}, glibc {}, {}",
        first(after("rustc version ")),
        last(after("GCC: (")),
        library.to_string_lossy(),
        outside::output(valgrind).trim().replace('-', " "),
    )
}
