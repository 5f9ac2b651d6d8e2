//! The files of the store's folder: missing, closed to this user, open to others.
//!
//! Owns: what a person does to modes, owners and single files behind the back of a running process. Rule source:
//! docs/format.md, "Files in the folder".

use crate::witness::{Witness, chmod, rename};
use perilune_tests::ck::*;
use perilune_tests::{Place, outside};
use std::os::unix::fs::{MetadataExt, chown};

#[test]
fn a_missing_file_of_the_store_is_an_error_or_made_again_but_never_a_silent_loss() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let store = place.store();
        let names: Vec<_> =
            std::fs::read_dir(&store).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
        assert!(names.len() > 3, "{names:?}");
        for name in names {
            let (there, away) = (store.join(&name), place.file("away"));
            rename(&there, &away);
            let written = witness.write();
            let seen = witness.labels();
            assert!(matches!(written, Ok(()) | Err(CKR_DEVICE_ERROR)), "{name:?}: {written:x?}");
            if written.is_err() {
                let log = witness.log();
                let last = log.lines().rfind(|line| line.contains("C_CreateObject")).expect("a line of the log");
                assert!(last.contains(store.to_str().expect("text")), "{name:?}: {last}");
            }
            assert!(matches!(seen, Ok(_) | Err(CKR_DEVICE_ERROR)), "{name:?}: {seen:x?}");
            if seen.is_ok() {
                witness.sees_everything();
            }
            if written.is_err() || !there.exists() {
                // What was refused made nothing in its place, so that the file can be put back.
                assert!(!there.exists() || name == "map", "{name:?} was made anew by a call that failed");
                if there.is_dir() {
                    std::fs::remove_dir_all(&there).expect("removed");
                }
                rename(&away, &there);
            } else if away.is_dir() {
                std::fs::remove_dir_all(&away).expect("removed");
            } else {
                std::fs::remove_file(&away).expect("removed");
            }
            witness.recovers();
        }
    });
}

#[test]
fn a_folder_that_others_may_enter_is_refused_until_its_mode_is_right_again() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        for mode in [0o755, 0o750, 0o701] {
            chmod(&place.store(), mode);
            let named = format!("has mode {mode:04o}");
            witness.refuses(CKR_DEVICE_ERROR, &[place.store().to_str().expect("text"), &named, "chmod 700"]);
            chmod(&place.store(), 0o700);
            witness.recovers();
        }
    });
}

#[test]
fn a_folder_that_this_user_may_not_write_is_write_protected_and_one_he_may_not_enter_an_error() {
    fault!(|place: &Place| {
        become_nobody(place);
        let mut witness = Witness::start(place);
        chmod(&place.store(), 0o500);
        witness.refuses(CKR_TOKEN_WRITE_PROTECTED, &[place.store().to_str().expect("text"), "read-only"]);
        witness.sees_everything();
        chmod(&place.store(), 0o700);
        witness.recovers();
        chmod(&place.store(), 0o000);
        assert!(witness.write().is_err());
        chmod(&place.store(), 0o700);
        witness.recovers();
    });
}

#[test]
fn a_folder_that_was_given_to_another_user_is_write_protected_for_root_until_it_is_given_back() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let owner = place.store().metadata().expect("a folder").uid();
        if chown(place.store(), Some(NOBODY), None).is_err() {
            return outside::skip("given_to_another_user", "only root can give a folder away");
        }
        witness.refuses(CKR_TOKEN_WRITE_PROTECTED, &[place.store().to_str().expect("text"), "belongs to another user"]);
        chown(place.store(), Some(owner), None).expect("given back");
        witness.recovers();
    });
}

/// Leaves root's rights behind, which no mode binds; for an ordinary user nothing needs to be done.
fn become_nobody(place: &Place) {
    // SAFETY: asks a number.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let mut command = std::process::Command::new("chown");
    command.arg("-R").arg(NOBODY.to_string()).arg(place.folder());
    outside::output(command);
    // SAFETY: changes this process only, which has one purpose.
    assert_eq!(unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
}

const NOBODY: u32 = 65534;
