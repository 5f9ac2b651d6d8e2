//! What single calls cost in instructions, held against docs/instructions.md: a regression fails here, however busy the
//! machine is.
//!
//! Owns: when figures of this machine can be compared with those of another, and what is said where they cannot. Counted is
//! the module as the tests build it; `tests/c/cost.c` makes the calls.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

mod count;
mod golden;

use count::{Counter, tools};
use golden::{Figure, Golden};
use perilune_tests::{module, outside};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How often each row is counted; its figure is the median.
const BATCHES: usize = 3;
const DOCUMENT: &str = "docs/instructions.md";

/// Why nothing can be counted here.
fn obstacle() -> Option<&'static str> {
    if !outside::has("valgrind") {
        return Some("valgrind is not here");
    }
    // valgrind shows a program the processor that it emulates: the same one on each that has these two.
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |feature: &str| processor.split_whitespace().any(|word| word == feature);
    if !(cfg!(target_arch = "x86_64") && has("avx2") && has("rdrand")) {
        return Some("the figures are those of x86-64 with AVX2 and RDRAND");
    }
    None
}

/// Whether the module under test is the one that the figures are of, or why not.
fn other_build() -> Option<&'static str> {
    let file = |path: &Path| std::fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    let usual = module::target().join("debug/libperilune_pkcs11.so");
    (file(module::path()) != file(&usual)).then_some("the figures are those of the build that the tests make")
}

fn recorded() -> Golden {
    let path = module::workspace().join(DOCUMENT);
    Golden::parse(&std::fs::read_to_string(path).expect(DOCUMENT))
}

fn shown(figures: &[Figure]) {
    for figure in figures {
        println!("{:>9} {:>4}  {}", figure.instructions, figure.allocations, figure.name);
    }
}

#[test]
fn each_call_takes_as_many_instructions_as_the_document_says() {
    let module = module::path();
    if let Some(reason) = obstacle() {
        return outside::skip("instructions", reason);
    }
    let figures = Counter::new().run("count", BATCHES);
    shown(&figures);
    if let Some(reason) = other_build() {
        return outside::skip("instructions", reason);
    }
    let (golden, tools) = (recorded(), tools(module));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let written = golden.renewed(&figures, &tools);
        return std::fs::write(module::workspace().join(DOCUMENT), written.to_string()).expect(DOCUMENT);
    }
    if golden.tools != tools {
        println!("{DOCUMENT} is of {}, this is {tools}: only large differences count", golden.tools);
    }
    let differences = golden.differences(&figures, &tools);
    assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), golden::ADVICE);
}

/// The control: one block of 64 bytes more in one call, two thousand instructions, is told apart; nothing else is.
#[test]
fn a_call_that_does_a_little_more_work_is_noticed() {
    let module = module::path();
    if let Some(reason) = obstacle().or_else(other_build) {
        return outside::skip("instructions (control)", reason);
    }
    let mut counter = Counter::new();
    let golden = recorded().renewed(&counter.run("count", 1), &tools(module));
    let differences = golden.differences(&counter.run("more", 1), &tools(module));
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("C_Digest") && differences[0].contains("more"), "{differences:?}");
}
