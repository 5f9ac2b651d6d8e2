//! Every kept input of every target, and inputs that dice make of them: the same ones each time.
//!
//! `PERILUNE_FUZZ_TIMES` multiplies their number, `PERILUNE_SEED` chooses other ones.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use fuzz_targets::mutation::Dice;
use fuzz_targets::{TARGETS, Target};
use std::path::Path;

/// The kept inputs of a target, in the order of their names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target.name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs a target over its corpus and `mutations` inputs made of it; an input that fails is kept in a file.
fn check(name: &str, mutations: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target);
    assert!(corpus.len() >= 10, "{name} has a corpus");
    let setting = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let times = setting("PERILUNE_FUZZ_TIMES").unwrap_or(1);
    let mut dice = Dice::new(setting("PERILUNE_SEED").unwrap_or(0x5045_5249));
    let made = (0..mutations as u64 * times).map(|_| dice.mutation(&corpus));
    for input in corpus.iter().cloned().chain(made) {
        if std::panic::catch_unwind(|| (target.run)(&input)).is_err() {
            let file = std::env::temp_dir().join(format!("perilune-{name}-input"));
            std::fs::write(&file, &input).unwrap();
            panic!("{name} does not hold for the input in {}", file.display());
        }
    }
}

#[test]
fn programs_of_calls_keep_the_rules_of_the_interface() {
    check("calls", 2000);
}

#[test]
fn templates_are_refused_or_make_objects_that_tell_what_they_are() {
    check("templates", 1000);
}

#[test]
fn parameters_of_every_shape_are_refused_or_work() {
    check("parameters", 2000);
}

#[test]
fn encodings_are_refused_or_mean_one_thing() {
    check("der", 3000);
}

#[test]
fn records_of_any_content_are_refused_or_mean_one_thing() {
    check("records", 3000);
}

#[test]
fn configurations_are_refused_in_one_line_or_in_bounds() {
    check("configuration", 3000);
}

#[test]
fn backups_are_refused_or_restored_whole() {
    check("backup", 1000);
}

#[test]
fn words_files_and_uris_of_the_command_are_refused_or_mean_one_thing() {
    check("words", 2000);
}
