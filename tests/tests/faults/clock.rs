//! The wall clock, moved.
//!
//! Owns: a preloaded `clock_gettime` (tests/c/clock_shim.c) whose wall clock this process moves as it likes. Nothing
//! in the module may depend on that clock: order comes from the generation, waits from the monotonic clock.

use crate::witness::{WAIT_MS, Witness};
use perilune_tests::ck::*;
use perilune_tests::{Place, child, module, outside};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

const YEAR: i64 = 365 * 24 * 3600;

/// The shim, built once in this program; its process is not the one that it is loaded into.
fn shim() -> &'static str {
    static SHIM: OnceLock<String> = OnceLock::new();
    SHIM.get_or_init(|| {
        if std::env::var_os("LD_PRELOAD").is_some() {
            return String::new();
        }
        let library = module::target().join("debug/clock_shim.so");
        let draft = library.with_extension(format!("so.{}", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
        cc.arg(&draft).arg(module::workspace().join("tests/c/clock_shim.c"));
        outside::output(cc);
        // Whoever loads it meanwhile finds it whole.
        std::fs::rename(draft, &library).expect("a name");
        library.to_str().expect("text").to_owned()
    })
}

/// Moves the wall clock of this process, and of those that it starts.
fn move_clock(seconds: i64) {
    // SAFETY: a name with its zero byte.
    let entry = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"clock_shim_move".as_ptr()) };
    assert!(!entry.is_null(), "the shim is not preloaded");
    // SAFETY: the shim's function has this prototype.
    let entry = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(i64)>(entry) };
    let (wall, steady) = (SystemTime::now(), Instant::now());
    entry(seconds);
    let moved = match SystemTime::now().duration_since(wall) {
        Ok(on) => on.as_secs() as i64,
        Err(back) => -(back.duration().as_secs() as i64),
    };
    assert!((moved - seconds).abs() < 60, "the wall clock moved by {moved} s and not by {seconds}");
    assert!(steady.elapsed() < Duration::from_secs(60), "the monotonic clock stays what it is");
}

#[test]
fn moving_the_clock_back_and_forth_changes_nothing_that_was_written_or_is_seen() {
    fault!(&[("LD_PRELOAD", shim())], |place: &Place| {
        let mut witness = Witness::start(place);
        for seconds in [-20 * YEAR, 45 * YEAR, -100 * YEAR] {
            move_clock(seconds);
            witness.recovers();
            child::role(place, "adder", &format!("moved by {seconds}")).succeed();
            witness.note(true, format!("moved by {seconds}"));
            witness.agrees();
        }
    });
}

#[test]
fn a_wait_for_the_lock_ends_by_the_monotonic_clock_whatever_the_wall_clock_does() {
    fault!(&[("LD_PRELOAD", shim())], |place: &Place| {
        let mut witness = Witness::start(place);
        for seconds in [-10 * YEAR, 20 * YEAR] {
            let lock = File::open(place.store().join("lock")).expect("the lock file");
            // SAFETY: a call on an open descriptor.
            assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
            let begin = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(WAIT_MS / 3));
                    move_clock(seconds);
                });
                witness.refuses(CKR_FUNCTION_FAILED, &["busy"]);
            });
            let waited = begin.elapsed();
            assert!(waited >= Duration::from_millis(WAIT_MS), "gave up after {waited:?}");
            assert!(waited < Duration::from_secs(60), "waited {waited:?}");
            drop(lock);
            witness.recovers();
        }
    });
}
