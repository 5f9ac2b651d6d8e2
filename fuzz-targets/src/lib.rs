//! What the fuzzers call: eight targets, each a function that takes any bytes.
//!
//! Owns: how bytes become calls, files and records, and what must hold whatever they are. A target panics when it does not
//! hold. Does not know: who makes the bytes: libFuzzer (`fuzz/`, nightly), or stable tests, which replay the kept corpora and
//! their own mutations of them. A room of its own because both need it, and nothing else does.
#![allow(missing_docs, reason = "nothing outside this workspace uses the parts of a target")]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a panic is how a target says that something does not hold"
)]

pub mod abi;
pub mod backup;
pub mod bytes;
pub mod calls;
pub mod configuration;
pub mod der;
pub mod mutation;
pub mod parameters;
pub mod records;
pub mod templates;
pub mod words;

/// A target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    Target { name: "calls", run: calls::run },
    Target { name: "templates", run: templates::run },
    Target { name: "parameters", run: parameters::run },
    Target { name: "der", run: der::run },
    Target { name: "records", run: records::run },
    Target { name: "configuration", run: configuration::run },
    Target { name: "backup", run: backup::run },
    Target { name: "words", run: words::run },
];
