//! Limits of the process: file descriptors, sizes of files.
//!
//! Owns: reaching them and lifting them again. A service manager sets the same ones.

use crate::witness::Witness;
use perilune_tests::Place;
use perilune_tests::ck::*;

fn limit(what: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `found` outlives the call.
    assert_eq!(unsafe { libc::getrlimit(what, &mut found) }, 0);
    found
}

fn set_limit(what: libc::__rlimit_resource_t, now: libc::rlim_t) {
    let wanted = libc::rlimit { rlim_cur: now, ..limit(what) };
    // SAFETY: `wanted` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(what, &wanted) }, 0);
}

#[test]
fn without_a_free_file_descriptor_writing_is_refused_and_goes_on_when_one_is_free() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let before = limit(libc::RLIMIT_NOFILE).rlim_cur;
        // Each number below the limit is taken; those that are open stay open.
        set_limit(libc::RLIMIT_NOFILE, 64);
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }
        let written = witness.write();
        let seen = witness.labels();
        drop(taken);
        set_limit(libc::RLIMIT_NOFILE, before);
        // A medium that keeps its files open needs no new one.
        if written.is_err() {
            assert_eq!(written, Err(CKR_DEVICE_ERROR));
            witness.log_says(0, &[place.store().to_str().expect("text"), "Too many open files"]);
        }
        assert!(seen.expect("a search needs no new file").iter().any(|label| label == "private half"));
        witness.recovers();
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_no_space_left_and_lifted_all_goes_on() {
    fault!(|place: &Place| {
        // SAFETY: a process that lives under such a limit ignores the signal, or is ended by it.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let mut witness = Witness::start(place);
        let before = limit(libc::RLIMIT_FSIZE).rlim_cur;
        // The log is a file, too, and much smaller than this.
        set_limit(libc::RLIMIT_FSIZE, 3 << 20);
        // Small enough for a file that all objects share, so that one file reaches the limit.
        assert_eq!(witness.write_until_refused(100_000, 500), CKR_DEVICE_MEMORY);
        witness.log_says(0, &["CKR_DEVICE_MEMORY", "no space left", place.store().to_str().expect("text")]);
        witness.sees_everything();
        set_limit(libc::RLIMIT_FSIZE, before);
        witness.recovers();
    });
}
