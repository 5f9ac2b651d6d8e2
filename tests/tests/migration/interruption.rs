//! Large tokens, migrations that end in the middle, and an old token in use meanwhile.

use crate::old::*;
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, isolated, outside};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many objects the large token has; `PERILUNE_MIGRATION_OBJECTS` says another number.
fn objects() -> usize {
    std::env::var("PERILUNE_MIGRATION_OBJECTS").map_or(600, |text| text.parse().expect("a number"))
}

/// A token in which there are copies of the objects of a small one.
fn large_token(place: &Place, objects: usize) {
    small_token();
    let files = object_files(place);
    for number in files.len()..objects {
        let copy = files[0].with_file_name(format!("{number:08x}-0000-0000-0000-000000000000.object"));
        std::fs::copy(&files[number % files.len()], copy).expect("a copy");
    }
}

#[test]
fn a_large_token_comes_over_whole() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        let objects = objects();
        large_token(place, objects);
        let begin = Instant::now();
        let report = migrated(place, &[]);
        println!("{objects} objects in {} ms", begin.elapsed().as_millis());
        assert_eq!(count(&report[0], "taken"), objects);
        let new = Raw::start();
        let session = user(&new, TOKEN_LABEL);
        assert_eq!(new.find(session, Template::new(), 1024).len(), objects);
    });
}

/// At whatever moment the command is killed: there is no token yet, or all of it, and the next run ends well.
#[test]
fn a_killed_migration_leaves_no_part_of_a_token_and_can_be_run_again() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        let objects = objects();
        large_token(place, objects);
        let mut whole = Duration::MAX;
        for kill in 0..12 {
            let mut command = migrate(place, &[]);
            command.stdout(std::process::Stdio::null());
            let begin = Instant::now();
            let mut child = command.spawn().expect("the command");
            if kill > 0 {
                // Moments spread over the time that the first, undisturbed run took.
                std::thread::sleep(whole * kill / 12);
                child.kill().expect("killed, or over");
            }
            let status = child.wait().expect("its end");
            whole = if kill == 0 { begin.elapsed() } else { whole };
            let there = tokens(place);
            assert!(there.len() <= 1, "{there:?}");
            assert!(!status.success() || there.len() == 1, "a migration that ended well has made the token");
            if there.len() == 1 {
                let listed = outside::output(perilune(place, &["objects", "--json", "--token", TOKEN_LABEL]));
                let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
                let public = listed["objects"].as_array().expect("objects").len();
                assert_eq!(public, objects.div_ceil(4) * 2, "public objects, after {kill}");
            } else {
                assert_eq!(count(&migrated(place, &[])[0], "taken"), objects, "the next run after {kill}");
            }
            outside::output(perilune(place, &["delete", "--whole-token", "--token", TOKEN_LABEL, "--yes"]));
            std::fs::remove_dir_all(place.store()).expect("the store");
        }
    });
}

/// SoftHSM2 empties an object's file and writes it again under an exclusive lock.
#[test]
fn a_file_that_is_being_written_is_waited_for() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        small_token();
        let path = object_files(place).remove(0);
        let content = std::fs::read(&path).expect("the object");
        let file = locked(&path);
        file.set_len(0).expect("emptied");
        let child = migrate(place, &["--json"]).stdout(std::process::Stdio::piped()).spawn().expect("the command");
        // Long enough for the command to come to the file; were it not to wait, it would find it empty.
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(&path, content).expect("written again");
        drop(file);
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(count(&report["migrated"][0], "taken"), 4);
    });
}

/// Opens a file under the lock that SoftHSM2 writes under.
fn locked(path: &Path) -> File {
    let file = File::options().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path).expect("the object");
    // SAFETY: a structure of integers, for which zero is a value of each.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // SAFETY: the descriptor is open and the structure outlives the call.
    let code = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &lock) };
    assert_eq!(code, 0, "the lock");
    file
}
