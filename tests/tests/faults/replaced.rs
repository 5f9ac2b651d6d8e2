//! The store's folder: gone, moved away, replaced by another one.
//!
//! Owns: what a person does to the folder as a whole behind the back of a running process, and how soon a process that
//! only reads notices it. Rule source: docs/format.md, "Files in the folder".

use crate::witness::{Witness, chmod, fresh_labels, rename};
use perilune_tests::ck::*;
use perilune_tests::{Place, Raw, child, outside};
use std::path::Path;
use std::time::{Duration, Instant};

/// By when a process that only reads must have noticed that its store is another one.
const NOTICED: Duration = Duration::from_secs(60);

/// A copy with modes and owners, as `cp -a` makes it.
fn copy(from: &Path, to: &Path) {
    let mut cp = std::process::Command::new("cp");
    cp.arg("-a").arg(from).arg(to);
    outside::output(cp);
}

/// Expects that a search is refused with this answer before long.
fn soon_refuses_to_look(witness: &Witness<'_>, code: CK_RV) {
    let begin = Instant::now();
    loop {
        match witness.labels() {
            Err(found) => return assert_eq!(found, code),
            Ok(_) => assert!(begin.elapsed() < NOTICED, "a search is still answered from a store that is gone"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Expects that a search shows this before long.
fn soon_sees(witness: &Witness<'_>, expected: &[String]) {
    let begin = Instant::now();
    loop {
        let found = witness.labels();
        if found.as_deref() == Ok(expected) {
            return;
        }
        // An object that was found may be gone when it is asked for its label: that is the moment of noticing.
        assert!(matches!(found, Ok(_) | Err(CKR_OBJECT_HANDLE_INVALID)), "{found:x?}");
        assert!(begin.elapsed() < NOTICED, "{found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_folder_that_was_moved_away_is_named_and_used_again_when_it_is_back() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let (store, away) = (place.store(), place.file("away"));
        rename(&store, &away);
        witness.refuses(CKR_DEVICE_ERROR, &[store.to_str().expect("text"), "No such file"]);
        soon_refuses_to_look(&witness, CKR_DEVICE_ERROR);
        assert!(!store.exists(), "no store is made behind the back of whoever moved it");
        rename(&away, &store);
        witness.recovers();
    });
}

#[test]
fn a_folder_that_was_removed_is_named_and_the_next_start_makes_a_new_store() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        std::fs::remove_dir_all(place.store()).expect("removed");
        witness.refuses(CKR_DEVICE_ERROR, &[place.store().to_str().expect("text"), "No such file"]);
        soon_refuses_to_look(&witness, CKR_DEVICE_ERROR);
        assert!(!place.store().exists());
        let raw = Raw::load();
        witness.raw.finalize();
        assert_eq!(perilune_tests::ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        let session = raw.user_session();
        raw.create(session, crate::witness::data("new")).expect("an object");
    });
}

#[test]
fn an_empty_folder_in_the_place_of_the_store_is_refused_and_left_empty() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let (store, away) = (place.store(), place.file("away"));
        rename(&store, &away);
        std::fs::create_dir(&store).expect("a folder");
        chmod(&store, 0o700);
        witness.refuses(CKR_DEVICE_ERROR, &[store.to_str().expect("text")]);
        soon_refuses_to_look(&witness, CKR_DEVICE_ERROR);
        let left = std::fs::read_dir(&store).expect("a folder").count();
        assert_eq!(left, 0, "a running process must not begin another store");
        std::fs::remove_dir(&store).expect("still empty");
        rename(&away, &store);
        witness.recovers();
    });
}

#[test]
fn another_store_in_the_place_is_refused_with_its_own_and_with_the_same_device_key() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let (store, away) = (place.store(), place.file("away"));
        for same_key in [false, true] {
            let other = place.file(&format!("other-{same_key}"));
            rename(&store, &away);
            if same_key {
                std::fs::create_dir(&store).expect("a folder");
                chmod(&store, 0o700);
                copy(&away.join("device.key"), &store.join("device.key"));
            }
            child::role(place, "maker", "").succeed();
            let before = place.store_content();
            witness.refuses(CKR_DEVICE_ERROR, &["replaced"]);
            soon_refuses_to_look(&witness, CKR_DEVICE_ERROR);
            rename(&store, &other);
            rename(&away, &store);
            witness.recovers();
            // What was refused was not written to either: all its own objects are there.
            assert!(before.len() > 3);
            rename(&store, &away);
            rename(&other, &store);
            assert_eq!(fresh_labels(place), ["theirs"]);
            rename(&store, &other);
            rename(&away, &store);
        }
    });
}

#[test]
fn an_older_copy_in_the_place_is_seen_as_it_is() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let (store, away, older) = (place.store(), place.file("away"), place.file("older"));
        copy(&store, &older);
        let then = witness.labels().expect("a search");
        assert_eq!(witness.write(), Ok(()));
        let written = witness.last();
        assert_eq!(witness.write(), Ok(()));
        rename(&store, &away);
        rename(&older, &store);
        soon_sees(&witness, &then);
        witness.forget(&written);
        witness.forget(&witness.last());
        witness.recovers();
    });
}

#[test]
fn a_copy_that_went_another_way_is_told_apart_though_it_counts_the_same() {
    fault!(|place: &Place| {
        let mut witness = Witness::start(place);
        let (store, away, older) = (place.store(), place.file("away"), place.file("older"));
        copy(&store, &older);
        assert_eq!(witness.write(), Ok(()));
        let written = witness.last();
        rename(&store, &away);
        rename(&older, &store);
        // One change on either way: both stores are at the same generation now.
        child::role(place, "adder", "on the other way").succeed();
        witness.forget(&written);
        witness.note(true, "on the other way".to_owned());
        soon_sees(&witness, &fresh_labels(place));
        witness.recovers();
    });
}
