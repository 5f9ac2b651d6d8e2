//! Counting with valgrind's tool callgrind.
//!
//! Owns: the token that the calls work on, callgrind's command line and its files, the names of the tools that a figure
//! depends on. Does not know: what a right figure is.

use crate::golden::Figure;
use perilune_tests::{Place, host, module, outside};
use std::collections::HashMap;
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
                let dumps = numbers.map(|number| read(&format!("{dumps}.{number}")));
                let (mut counts, mut allocations): (Vec<u64>, Vec<u64>) =
                    dumps.map(|dump| (summary(&dump), calls_of(&dump, &ALLOCATORS))).unzip();
                counts.sort_unstable();
                allocations.sort_unstable();
                let of_one = |all: Vec<u64>| all[batches / 2] / calls;
                Figure { name: name.to_owned(), instructions: of_one(counts), allocations: of_one(allocations) }
            })
            .collect();
        assert!(!figures.is_empty(), "no row: {said}");
        figures
    }
}

/// The functions by which memory is taken: the C library's, and that of secret pages.
const ALLOCATORS: [&str; 7] =
    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "secret_memory::pages::take"];

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// How often one of callgrind's files has these functions called, by others than each other.
fn calls_of(text: &str, names: &[&str]) -> u64 {
    // A name is written out once, as "fn=(7) name", and is "(7)" from then on.
    let mut known = HashMap::new();
    let mut is_one_of = |cell: &str| {
        let (number, name) = cell.split_once(' ').unwrap_or((cell, ""));
        if !name.is_empty() {
            known.insert(number.to_owned(), names.contains(&name));
        }
        known.get(number).copied().unwrap_or(false)
    };
    let (mut from_one, mut to_one, mut calls) = (false, false, 0);
    for line in text.lines() {
        if let Some(cell) = line.strip_prefix("fn=") {
            from_one = is_one_of(cell);
        } else if let Some(cell) = line.strip_prefix("cfn=") {
            to_one = is_one_of(cell);
        } else if let Some(numbers) = line.strip_prefix("calls=")
            && to_one
            && !from_one
        {
            calls += numbers.split(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a number of calls");
        }
    }
    calls
}

/// What was counted in one of callgrind's files.
fn summary(text: &str) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_allocator_are_counted_by_whatever_name_they_are_written_and_not_those_among_themselves() {
        let text = "fn=(1) work\ncfn=(2) malloc\ncalls=3 10\n1 30\ncfn=(3) other\ncalls=7 1\n1 9\n\n\
                    fn=(2)\ncfn=(4) calloc\ncalls=2 1\n\nfn=(3)\ncfn=(2)\ncalls=1 4\ncfn=(4)\ncalls=5 4\n";
        assert_eq!(calls_of(text, &ALLOCATORS), 9);
    }
}
