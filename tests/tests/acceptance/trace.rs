//! The tables "What clients bring along", "The catalogue" and "Faults" of docs/testing.md name tests that exist.
//!
//! Owns: only that; whether a test shows what its row says is for its reader.

use perilune_tests::module;
use std::path::{Path, PathBuf};

/// Where the first word of a name points to.
const ROOMS: [(&str, &str); 10] = [
    ("acceptance", "tests/tests/acceptance"),
    ("clients", "tests/tests/clients"),
    ("command", "admin/tests/command"),
    ("disk", "tests/tests/disk"),
    ("faults", "tests/tests/faults"),
    ("fuzz-targets", "fuzz-targets"),
    ("hsm-core", "hsm-core"),
    ("pkcs11-module", "pkcs11-module"),
    ("timing", "tests/tests/timing"),
    ("token-store", "token-store"),
];

/// Every file of this name under the folder.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, name));
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(path);
        }
    }
    found
}

/// Whether `room/file::test` is a test.
fn exists(name: &str) -> bool {
    let (room, rest) = name.split_once('/').expect("a room");
    let (file, test) = rest.split_once("::").expect("a file and a test");
    let folder = ROOMS.into_iter().find(|(word, _)| *word == room).expect("a known room").1;
    let wanted = format!("#[test] fn {test}()");
    files(&module::workspace().join(folder), &format!("{file}.rs")).iter().any(|path| {
        let text = std::fs::read_to_string(path).expect("a source file");
        text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&wanted)
    })
}

/// Checks the names in the table of a section, which has at least so many.
fn check(section: &str, least: usize) {
    let text = std::fs::read_to_string(module::workspace().join("docs/testing.md")).expect("docs/testing.md");
    let section = text.split(&format!("# {section}\n")).nth(1).expect("the section");
    let section = section.split("\n#").next().expect("its end");
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let names: Vec<&str> = rows.flat_map(|row| row.split('`')).filter(|part| part.contains("::")).collect();
    assert!(names.len() > least, "only {} names were found", names.len());
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(!exists("acceptance/trace::a_test_that_nobody_wrote"));
}

#[test]
fn every_test_that_the_table_of_client_habits_names_exists() {
    check("What clients bring along", 50);
}

#[test]
fn every_test_that_the_table_of_faults_names_exists() {
    check("Faults", 30);
}

#[test]
fn every_test_that_the_catalogue_of_others_failures_names_exists() {
    check("The catalogue", 30);
}
