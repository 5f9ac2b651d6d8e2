//! The system calls of a process between two marks, as strace writes them down.
//!
//! Owns: how a mark looks in the trace (a look for a file that is not there) and reading the trace. Does not know: which
//! calls are too many.

use std::ffi::CString;
use std::path::Path;

/// The command line that starts a program under strace, with the trace in `file`.
#[must_use]
pub fn strace(file: &str) -> Vec<String> {
    // -f: threads; -e signal=none: no lines that are no calls; -s 0: no data, which would be the store's.
    ["strace", "-f", "-qq", "-e", "signal=none", "-s", "0", "-o", file].map(Into::into).into()
}

/// Leaves a mark in the trace of this process.
pub fn mark(name: &str) {
    let path = CString::new(format!("{MARK}{name}")).expect("a name");
    // SAFETY: a string that outlives the call.
    let code = unsafe { libc::access(path.as_ptr(), libc::F_OK) };
    assert_eq!(code, -1, "nobody has made {MARK}");
}

/// One system call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// What it answered; a length for calls that read and write.
    pub answer: i64,
    /// The line of the trace.
    pub line: String,
}

/// The calls between the marks `from` and `to`.
///
/// # Panics
/// When the trace cannot be read or has no such marks.
#[must_use]
pub fn between(trace: &Path, from: &str, to: &str) -> Vec<Call> {
    let text = std::fs::read_to_string(trace).unwrap_or_else(|error| panic!("{}: {error}", trace.display()));
    let mark = |name: &str| format!("\"{MARK}{name}\"");
    let inside = text.split_once(&mark(from)).and_then(|(_, rest)| rest.split_once(&mark(to)));
    let inside = inside.unwrap_or_else(|| panic!("no marks {from} and {to} in:\n{text}")).0;
    let mut lines = inside.lines();
    // The rest of the first mark's line; the last line is the beginning of the second mark's.
    lines.next();
    let mut calls: Vec<Call> = lines.filter_map(call).collect();
    calls.pop();
    calls
}

/// How many of the calls have this name.
#[must_use]
pub fn count(calls: &[Call], name: &str) -> usize {
    calls.iter().filter(|call| call.name == name).count()
}

/// How many bytes the calls read.
#[must_use]
pub fn bytes_read(calls: &[Call]) -> i64 {
    const READING: [&str; 5] = ["read", "pread64", "readv", "preadv", "getdents64"];
    calls.iter().filter(|call| READING.contains(&call.name.as_str())).map(|call| call.answer.max(0)).sum()
}

/// The calls that touch no file: memory, threads, time, random numbers.
#[must_use]
pub fn without_files(calls: &[Call]) -> Vec<&Call> {
    const HARMLESS: [&str; 14] = [
        "brk",
        "clock_gettime",
        "clock_nanosleep",
        "futex",
        "getpid",
        "getrandom",
        "gettid",
        "madvise",
        "mlock",
        "mprotect",
        "mremap",
        "munmap",
        "restart_syscall",
        "sched_yield",
    ];
    let anonymous = |call: &Call| call.name == "mmap" && call.line.contains("MAP_ANONYMOUS");
    calls.iter().filter(|call| HARMLESS.contains(&call.name.as_str()) || anonymous(call)).collect()
}

fn call(line: &str) -> Option<Call> {
    // `1234  pread64(5, ""..., 17, 0) = 17`; the second half of an interrupted call starts with `<... `.
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let name = match rest.strip_prefix("<... ") {
        Some(resumed) => resumed.split(' ').next()?,
        None if rest.ends_with("<unfinished ...>") => return None,
        None => rest.split('(').next()?,
    };
    let answer = rest.rsplit_once(" = ").and_then(|(_, answer)| answer.split(' ').next()?.parse().ok()).unwrap_or(0);
    Some(Call { name: name.to_owned(), answer, line: line.to_owned() })
}

const MARK: &str = "/perilune-mark/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_marks_are_read_and_others_are_not() {
        let place = crate::Place::new();
        place.write(
            "trace",
            "7 openat(AT_FDCWD, \"/x\", O_RDONLY) = 3\n\
             7 access(\"/perilune-mark/a\", F_OK) = -1 ENOENT (No such file or directory)\n\
             7 pread64(5, \"\"..., 17, 0) = 17\n\
             8 futex(0x7f, FUTEX_WAIT_PRIVATE, 2, NULL <unfinished ...>\n\
             7 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f00\n\
             8 <... futex resumed>) = 0\n\
             7 access(\"/perilune-mark/b\", F_OK) = -1 ENOENT (No such file or directory)\n\
             7 write(1, \"\"..., 3) = 3\n",
        );
        let calls = between(&place.file("trace"), "a", "b");
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["pread64", "mmap", "futex"]);
        assert_eq!(bytes_read(&calls), 17);
        assert_eq!(without_files(&calls).len(), 2);
    }
}
