//! The module under tools that watch memory, and what it costs to begin and end it a thousand times.
//!
//! Owns: valgrind's memory checker, AddressSanitizer with its search for lost memory, ThreadSanitizer, the counts of /proc. The programs are
//! `tests/c/work.c` (something of everything) and `tests/c/rounds.c`. Each tool has a control: a fault that it must find.

use crate::exits::{leave_openssl, with_engine_key};
use perilune_tests::ck::*;
use perilune_tests::host::{ASAN, compiled, host, under_valgrind, valgrind};
use perilune_tests::{Place, Raw, child, ck, isolated, module, outside};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Whether the test can use valgrind; notes it as skipped where not.
fn has_valgrind(test: &str) -> bool {
    let has = outside::has("valgrind");
    if !has {
        outside::skip(test, "valgrind is not here");
    }
    has
}

#[test]
fn a_thousand_beginnings_and_ends_cost_nothing_for_good() {
    let place = Place::new();
    let program = compiled(&place, "rounds", &[]);
    let full = std::env::var("PERILUNE_ROUNDS").unwrap_or_else(|_absent| "150".into());
    for (count, what) in [("1000", "empty"), (&*full, "full")] {
        let said = host(&place, &program, &["150", count, what], &[]);
        assert!(said.contains("cost nothing for good"), "{what}: {said}");
    }
}

#[test]
fn a_hundred_loadings_cost_nothing_for_good_with_and_without_finalise() {
    let place = Place::new();
    let program = compiled(&place, "rounds", &[]);
    for what in ["reload", "reload-open"] {
        let said = host(&place, &program, &["50", "100", what], &[]);
        assert!(said.contains("cost nothing for good"), "{what}: {said}");
    }
}

#[test]
fn valgrind_finds_nothing_in_work_of_every_kind() {
    if !has_valgrind("valgrind") {
        return;
    }
    let place = Place::new();
    let said = under_valgrind(&place, &compiled(&place, "work", &[]), &["2"]);
    assert!(said.contains("worked"), "{said}");
}

#[test]
fn valgrind_finds_a_write_beyond_a_buffer() {
    if !has_valgrind("valgrind (control)") {
        return;
    }
    let place = Place::new();
    let program = compiled(&place, "work", &[]);
    let mut command = valgrind(&place, module::path(), &program);
    command.arg("overrun");
    let said = outside::failure(command);
    assert!(said.contains("Invalid write") && said.contains("C_GenerateRandom"), "{said}");
}

/// The module as it is, in a host with AddressSanitizer: its allocations, its copies of memory and what it loses are
/// watched, single loads and stores of it are not.
#[test]
fn address_sanitizer_finds_nothing_in_work_of_every_kind() {
    let place = Place::new();
    let program = compiled(&place, "work", &ASAN);
    let said = host(&place, &program, &["3"], &[]);
    assert!(said.contains("worked") && !said.contains("Sanitizer"), "{said}");
}

#[test]
fn address_sanitizer_finds_a_write_beyond_a_buffer_and_lost_memory() {
    let place = Place::new();
    let program = compiled(&place, "work", &ASAN);
    for (fault, finding) in [("overrun", "heap-buffer-overflow"), ("lose", "LeakSanitizer: detected memory leaks")] {
        let mut command = perilune_tests::host::command(&place, &program, &[fault]);
        command.env("ASAN_OPTIONS", "detect_leaks=1");
        let said = outside::failure(command);
        assert!(said.contains(finding), "{fault}: {said}");
    }
}

/// Every load and store of the module is watched, that of AWS-LC's C too; the standard library and assembly are not.
/// It takes minutes to build, so it waits for `PERILUNE_ASAN`.
#[test]
fn address_sanitizer_finds_nothing_in_a_module_built_for_it() {
    if std::env::var_os("PERILUNE_ASAN").is_none() {
        return outside::skip("address sanitizer", "PERILUNE_ASAN is not set (docs/testing.md)");
    }
    let place = Place::new();
    let module = instrumented();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = place.command(compiled(&place, name, &ASAN));
        command.arg(&module).args(arguments);
        let said = outside::output(command);
        assert!(!said.contains("Sanitizer"), "{name} {arguments:?}: {said}");
    };
    run("work", &["8"]);
    run("fork", &[]);
    for way in ["return", "exit", "thread", "atexit-early", "atexit-late", "destructor"] {
        run("exit", &[way]);
    }
    for way in ["exit-sign", "exit-write", "quick", "handlers", "finalise-handler", "thread-ends"] {
        run("leave", &[way]);
    }
    let (place, uri) = with_engine_key();
    let program = compiled(&place, "openssl", &[&ASAN[..], &["-lcrypto"]].concat());
    leave_openssl(&uri, 1, |arguments| {
        let mut command = place.command(&program);
        command.arg(&module).args(arguments);
        let said = outside::output(command);
        assert!(!said.contains("Sanitizer"), "openssl {arguments:?}: {said}");
        said
    });
}

/// Whether `make sanitize-thread` has put the tool into this process, and with it into each that it starts.
fn has_thread_sanitizer(test: &str) -> bool {
    let has = std::env::var("LD_PRELOAD").is_ok_and(|tools| tools.contains("libtsan"));
    if !has {
        outside::skip(test, "only make sanitize-thread has a module for it");
    }
    has
}

#[test]
fn thread_sanitizer_finds_nothing_in_work_of_every_kind() {
    if has_thread_sanitizer("thread sanitizer") {
        let place = Place::new();
        let said = host(&place, &compiled(&place, "work", &[]), &["3"], &[]);
        assert!(said.contains("worked"), "{said}");
    }
}

#[test]
fn thread_sanitizer_finds_two_threads_that_write_to_one_place() {
    if !has_thread_sanitizer("thread sanitizer (control)") {
        return;
    }
    let place = Place::new();
    let mut command = perilune_tests::host::command(&place, &compiled(&place, "work", &[]), &["race"]);
    // Without the options of the run: what is found here is no finding.
    command.env_remove("TSAN_OPTIONS");
    let said = outside::failure(command);
    assert!(said.contains("data race") && said.contains("C_GetInfo"), "{said}");
}

/// The same in the test program, of which `tests/sanitizers/thread.supp` says that its own calls of memcpy are no findings.
#[test]
fn thread_sanitizer_finds_two_threads_of_the_test_program_that_have_the_module_write_to_one_place() {
    if !has_thread_sanitizer("thread sanitizer (control in the test program)") {
        return;
    }
    isolated!(|place, role| {
        if role == "race" {
            let raw = Raw::start();
            let mut info = CK_INFO::default();
            let room = (&raw mut info).addr();
            // What the calls do one after the other is ordered by the module's own locks, so there must be time for two at once.
            let (begin, end) = (std::sync::Barrier::new(2), Duration::from_secs(1));
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        begin.wait();
                        let since = Instant::now();
                        while since.elapsed() < end {
                            assert_eq!(ck!(raw, C_GetInfo, room as *mut CK_INFO), CKR_OK);
                        }
                    });
                }
            });
            return;
        }
        // Told on standard error and not in a file: what is found here is no finding.
        let options = format!("{}:log_path=stderr", std::env::var("TSAN_OPTIONS").unwrap_or_default());
        let report = child::role_with(place, "race", "", &[("TSAN_OPTIONS", options.into())]).finish();
        assert!(!report.success(), "{}", report.text);
        assert!(report.text.contains("data race") && report.text.contains("C_GetInfo"), "{}", report.text);
    });
}

/// Builds the module with AddressSanitizer. Stable Rust brings the runtime but keeps the option for the compiler's own
/// builds, which is what RUSTC_BOOTSTRAP says this is; nothing of it is delivered.
fn instrumented() -> PathBuf {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let folder = module::target().join("asan");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_absent| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "pkcs11-module", "--target", TARGET, "--target-dir"])
        .arg(&folder);
    cargo.current_dir(module::workspace()).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("RUSTFLAGS", "-Zsanitizer=address -Cforce-frame-pointers=yes");
    cargo.env("CC_x86_64_unknown_linux_gnu", "clang");
    cargo.env("CFLAGS_x86_64_unknown_linux_gnu", "-fsanitize=address -fno-omit-frame-pointer");
    outside::output(cargo);
    folder.join(TARGET).join("debug/libperilune_pkcs11.so")
}
