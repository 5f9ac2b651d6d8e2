//! The last moments of a process and of its threads: exit while others work, handlers and destructors that call.
//!
//! Owns: `tests/c/leave.c` and `tests/c/openssl.c`. After each way of leaving, the store opens, what was acknowledged is there, and a signature works. Rule source:
//! facts about OPENSSL_cleanup (C_Finalize from exit handlers) and libp11 (no C_Finalize at all).

use perilune_tests::Place;
use perilune_tests::host::{ASAN, compiled, host, under_valgrind};
use perilune_tests::outside;
use std::path::Path;

/// The number behind the last `word` in what a program printed.
fn number(said: &str, word: &str) -> Option<u64> {
    said.lines().rev().find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}

/// Leaves in one way again and again; afterwards nothing that was acknowledged is missing.
fn leave(way: &str, rounds: usize) {
    let place = Place::new();
    let program = compiled(&place, "leave", &[]);
    leave_in(&place, &program, way, rounds, |arguments| host(&place, &program, arguments, &[]));
}

fn leave_in(place: &Place, program: &Path, way: &str, rounds: usize, run: impl Fn(&[&str]) -> String) {
    let mut acknowledged = 0;
    for round in 0..rounds {
        let said = run(&[way]);
        acknowledged += number(&said, "acknowledged").unwrap_or_else(|| panic!("{way}, round {round}: {said}"));
        let said = host(place, program, &["count"], &[]);
        let there = number(&said, "there").unwrap_or_else(|| panic!("{way}, round {round}: {said}"));
        assert!(there >= acknowledged, "{way}, round {round}: {acknowledged} were acknowledged, {there} are there");
    }
}

#[test]
fn exit_from_another_thread_while_others_sign_is_clean() {
    leave("exit-sign", 20);
}

#[test]
fn exit_in_the_middle_of_a_write_loses_nothing_acknowledged() {
    leave("exit-write", 10);
}

#[test]
fn threads_go_on_after_the_main_one_has_ended() {
    leave("main-gone", 3);
}

#[test]
fn a_handler_of_quick_exit_signs_and_writes() {
    leave("quick", 3);
}

#[test]
fn exit_handlers_from_before_and_after_the_loading_sign_and_write() {
    leave("handlers", 3);
}

#[test]
fn finalise_in_an_exit_handler_ends_while_others_sign() {
    leave("finalise-handler", 5);
}

#[test]
fn destructors_of_thread_local_values_sign_and_write() {
    leave("thread-ends", 3);
}

/// Has the program of `exit.c` leave without C_Finalize in each of its ways.
fn leave_unfinished(run: impl Fn(&str) -> String) {
    for way in ["return", "exit", "thread", "atexit-early", "atexit-late", "destructor"] {
        let said = run(way);
        let late = !["return", "exit", "thread"].contains(&way);
        assert!(said.contains("used") && said.contains("late calls done") == late, "{way}: {said}");
    }
}

#[test]
fn valgrind_finds_nothing_in_the_last_moments() {
    if !outside::has("valgrind") {
        return outside::skip("valgrind", "valgrind is not here");
    }
    let place = Place::new();
    let program = compiled(&place, "leave", &[]);
    for way in ["exit-sign", "exit-write", "handlers", "thread-ends"] {
        leave_in(&place, &program, way, 1, |arguments| under_valgrind(&place, &program, arguments));
    }
    let program = compiled(&place, "exit", &[]);
    leave_unfinished(|way| under_valgrind(&place, &program, &[way]));
}

#[test]
fn address_sanitizer_finds_nothing_in_the_last_moments() {
    let place = Place::new();
    let watched = |program: &Path, arguments: &[&str]| {
        let said = host(&place, program, arguments, &[]);
        assert!(!said.contains("Sanitizer"), "{arguments:?}: {said}");
        said
    };
    let program = compiled(&place, "leave", &ASAN);
    for way in ["exit-sign", "exit-write", "quick", "handlers", "finalise-handler", "thread-ends"] {
        leave_in(&place, &program, way, 1, |arguments| watched(&program, arguments));
    }
    let program = compiled(&place, "exit", &ASAN);
    leave_unfinished(|way| watched(&program, &[way]));
}

/// Has a program sign through OpenSSL's engine and leave in each of its ways.
pub fn leave_openssl(uri: &str, rounds: usize, run: impl Fn(&[&str]) -> String) {
    for way in ["return", "exit-thread", "cleanup", "finish", "handlers", "direct-first", "direct-after"] {
        for _ in 0..rounds {
            let said = run(&[uri, way]);
            let late = said.matches("late calls done").count();
            assert!(said.contains("signed") && late == if way == "handlers" { 2 } else { 0 }, "{way}: {said}");
        }
    }
}

/// A place with a key for OpenSSL's engine, and the key's name.
pub fn with_engine_key() -> (Place, String) {
    let place = Place::new().with_token();
    place.key_pair("EC:prime256v1", "01", "ec");
    let uri = Place::engine_key("ec");
    (place, uri)
}

#[test]
fn openssl_and_its_engine_leave_in_any_order() {
    let (place, uri) = with_engine_key();
    let program = compiled(&place, "openssl", &["-lcrypto"]);
    leave_openssl(&uri, 3, |arguments| host(&place, &program, arguments, &[]));
}

#[test]
fn valgrind_finds_nothing_when_openssl_and_its_engine_leave() {
    if !outside::has("valgrind") {
        return outside::skip("valgrind (openssl)", "valgrind is not here");
    }
    let (place, uri) = with_engine_key();
    let program = compiled(&place, "openssl", &["-lcrypto"]);
    leave_openssl(&uri, 1, |arguments| under_valgrind(&place, &program, arguments));
}

#[test]
fn address_sanitizer_finds_nothing_when_openssl_and_its_engine_leave() {
    let (place, uri) = with_engine_key();
    let program = compiled(&place, "openssl", &[&ASAN[..], &["-lcrypto"]].concat());
    leave_openssl(&uri, 1, |arguments| {
        let said = host(&place, &program, arguments, &[]);
        assert!(!said.contains("Sanitizer"), "{arguments:?}: {said}");
        said
    });
}
