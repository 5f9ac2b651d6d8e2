//! The built library as a host process meets it: its symbols, its link, and its life in C programs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, outside of test functions")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use perilune_pkcs11::FUNCTIONS;

/// The library, which cargo builds beside this test.
fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libperilune_pkcs11.so");
    assert!(library.exists(), "{} is missing", library.display());
    library
}

/// Compiles a C program of the tests against the installed headers.
fn compiled(source: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    // Tests run side by side, so each has a program of its own.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("main").replace("::", "-");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let made = Command::new(std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc")))
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pthread"])
        .args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/../ffi-headers/include"), "-o"])
        .args([&program, &source])
        .arg("-ldl")
        .output()
        .expect("a C compiler is needed: install the package build-essential");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    program
}

/// Runs a program with a store of its own.
fn run(program: &Path, arguments: &[&str]) -> Output {
    let name = program.file_name().unwrap().to_string_lossy().into_owned();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.home"));
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).unwrap();
    Command::new(program)
        .arg(library())
        .args(arguments)
        .env_clear()
        .env("HOME", &home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .output()
        .unwrap()
}

/// Plays a scene of `tests/c/lifecycle.c`; nothing may be printed, neither by the scene nor by the library.
fn play(scene: &str) {
    let output = run(&compiled("tests/c/lifecycle.c"), &[scene]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{scene} ended with {}: {printed}", output.status);
}

#[test]
fn the_library_exports_the_symbols_of_the_table_and_nothing_else() {
    let listed = Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let mut symbols: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let mut expected: Vec<_> = FUNCTIONS.iter().filter(|row| row.exported).map(|row| row.name).collect();
    symbols.sort_unstable();
    expected.sort_unstable();
    assert_eq!(symbols, expected);
}

#[test]
fn the_library_needs_the_c_library_only_and_stays_loaded() {
    let listed = Command::new("readelf").arg("-dW").arg(library()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let needed = text.lines().filter(|line| line.contains("(NEEDED)"));
    let known = ["libc.so", "libgcc_s.so", "ld-linux", "libm.so"];
    let foreign: Vec<_> = needed.filter(|line| !known.iter().any(|name| line.contains(name))).collect();
    assert_eq!(foreign, Vec::<&str>::new());
    assert!(text.contains("NODELETE") && text.contains("BIND_NOW"), "{text}");
    assert!(!text.contains("TEXTREL"), "{text}");
}

#[test]
fn a_c_program_finds_the_lists_and_the_library_answers() {
    let output = run(&compiled("../ffi-headers/tests/c/info.c"), &[]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "list 2.40",
            "interface PKCS 11 3.2",
            "interface PKCS 11 3.0",
            "interface PKCS 11 2.40",
            "before C_Initialize 0x190",
        ]
    );
    assert!(lines[5].starts_with("info 3.2 "), "{printed}");
}

#[test]
fn every_form_of_initialisation_is_served() {
    play("forms");
}

#[test]
fn of_racing_initialisations_one_wins_and_all_can_go_on() {
    play("race");
}

#[test]
fn finalising_under_load_refuses_and_breaks_nothing() {
    play("finalize_under_load");
}

#[test]
fn a_forked_child_is_not_initialised_and_can_begin_anew() {
    play("forks");
}

#[test]
fn a_fork_in_the_middle_of_initialisation_is_harmless() {
    play("fork_during_initialize");
}

#[test]
fn a_fork_in_the_middle_of_the_first_initialisation_is_harmless() {
    let program = compiled("tests/c/lifecycle.c");
    for _ in 0..10 {
        let output = run(&program, &["fork_during_first_initialize"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && printed.is_empty(), "{}: {printed}", output.status);
    }
}

#[test]
fn a_program_started_by_vfork_and_exec_loads_the_library_anew() {
    play("vfork_and_exec");
}

/// A lock of the C library's that a thread holds during a fork stays held in the child for ever.
#[test]
fn no_lock_of_the_c_library_is_used() {
    let listed = Command::new("nm").args(["-D", "--undefined-only", "--format=posix"]).arg(library()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let locks = ["rwlock", "mutex", "spin", "cond", "sem_", "mtx_"];
    let found: Vec<_> = text.lines().filter(|line| locks.iter().any(|lock| line.contains(lock))).collect();
    assert_eq!(found, Vec::<&str>::new());
}

/// It takes 40 ms in each process, and aborts when it is asked after its destructor; see `.cargo/config.toml`.
#[cfg(feature = "aws-lc")]
#[test]
fn the_jitter_of_the_clock_is_no_source_of_seeds() {
    let listed = Command::new("nm").args(["--format=posix"]).arg(library()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.contains("rand_thread_local_state_clear_all"), "no names of AWS-LC's at all");
    assert!(!text.contains("tree_jitter_free_global_drbg"), "AWS-LC was not built as .cargo/config.toml says");
}

#[test]
fn calls_from_exit_handlers_are_answered() {
    play("at_exit");
}

#[test]
fn the_library_can_be_closed_and_loaded_again() {
    play("reload");
}

#[test]
fn a_thread_may_end_after_the_library_was_closed() {
    play("close_before_thread_ends");
}

#[test]
fn exit_without_finalise_is_clean() {
    play("without_finalize");
}

#[test]
fn the_library_works_when_bound_deeply() {
    play("deep_bind");
}
