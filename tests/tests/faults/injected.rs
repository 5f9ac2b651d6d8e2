//! Every single call on the disk fails once: the first, the second, and so on to the last, then every call from there on.
//!
//! Owns: the sweep over the calls of a small scenario, and which answer belongs to which error of the system. Stands
//! on the preloaded shim of `perilune_tests::disk`. Short by default; with `PERILUNE_FAULTS=all` every call and every
//! error has its turn (some minutes).

use crate::witness::Witness;
use perilune_tests::ck::*;
use perilune_tests::disk::Disk;
use perilune_tests::raw::{Answer, answer};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, child, ck};
use std::ptr::null_mut;

/// An error of the system and the answer that the application gets.
struct Fault {
    error: &'static str,
    /// The calls that it can come from.
    calls: &'static str,
    answer: CK_RV,
}

const fn fault(error: &'static str, calls: &'static str, answer: CK_RV) -> Fault {
    Fault { error, calls, answer }
}

const CHANGES: &str = "create,write,truncate,rename,mkdir,sync";
const ANY: &str = "open,open-write,create,read,write,truncate,rename,unlink,mkdir,sync,access,lock";

const FULL: Fault = fault("ENOSPC", CHANGES, CKR_DEVICE_MEMORY);
const QUOTA: Fault = fault("EDQUOT", CHANGES, CKR_DEVICE_MEMORY);
const BROKEN: Fault = fault("EIO", ANY, CKR_DEVICE_ERROR);
const READ_ONLY: Fault =
    fault("EROFS", "create,open-write,write,truncate,rename,unlink,mkdir,access", CKR_TOKEN_WRITE_PROTECTED);
const DENIED: Fault = fault("EACCES", "open,open-write,create,rename,unlink,mkdir", CKR_DEVICE_ERROR);
const DESCRIPTORS: Fault = fault("EMFILE", "open,open-write,create", CKR_DEVICE_ERROR);

/// Whether every call has its turn, or each third.
fn all() -> bool {
    std::env::var("PERILUNE_FAULTS").is_ok_and(|value| value == "all")
}

/// The writes of one round: a small and a large object, and the end of both.
fn work(witness: &mut Witness<'_>) -> Vec<Answer<()>> {
    vec![witness.write(), witness.write_of(150_000), witness.destroy(), witness.destroy()]
}

/// The distance between two calls that fail: one, or so that a round has about twenty.
fn step(disk: &Disk, fault: &Fault, witness: &mut Witness<'_>) -> u64 {
    // Lets every call go as usual, and counts them.
    disk.plan(&[&format!("{} * sleep:0", fault.calls)]);
    let answers = work(witness);
    assert!(answers.iter().all(Answer::is_ok), "{answers:x?}");
    let calls = disk.fired(0);
    disk.heal();
    if all() { PARTS } else { (calls / 20).max(1) }
}

/// In how many processes a whole sweep is done: no process of a scenario may take too long.
const PARTS: u64 = 6;

/// A sweep with a process under the shim for each part of it; `sweep` finds the part in the process's word.
macro_rules! swept {
    ($fault:expr, $count:expr) => {
        perilune_tests::isolated!(|place, role| {
            let disk = Disk::of(place);
            if role == "victim" {
                return sweep(place, &disk, $fault, $count);
            }
            for part in 0..if all() { PARTS } else { 1 } {
                let _gone = std::fs::remove_dir_all(place.store());
                child::role_with(place, "victim", &part.to_string(), &disk.failing()).succeed();
            }
        })
    };
}

/// Lets the calls of one round fail, one after the other: `count` says for how many calls from there on.
fn sweep(place: &Place, disk: &Disk, fault: &Fault, count: &str) {
    let mut witness = Witness::start_under_shim(place);
    let (mut after, mut refused, step) = (child::word().parse().unwrap_or(0), 0, step(disk, fault, &mut witness));
    loop {
        disk.plan(&[&format!("{} * {} after {after} {count}", fault.calls, fault.error)]);
        let answers = work(&mut witness);
        if disk.fired(0) == 0 {
            break disk.heal();
        }
        let context = format!("{} {count} after {after} calls: {answers:x?}", fault.error);
        for answer in &answers {
            assert!(answer.is_ok() || *answer == Err(fault.answer), "{context}\n{}", witness.last_words());
        }
        refused += answers.iter().filter(|answer| answer.is_err()).count();
        // While the fault lasts, a look is answered or refused, and never with less than there is.
        match witness.labels() {
            Ok(_) => witness.sees_everything(),
            Err(code) => assert_eq!(code, fault.answer, "{context}, a search"),
        }
        disk.heal();
        witness.sees_everything();
        witness.restock();
        if after / step % 10 == 0 {
            witness.tidies_up();
        }
        witness.agrees();
        after += step;
    }
    assert!(after > 3 * step || all(), "the scenario makes {after} calls only");
    assert!(refused > 0, "no call failed: the fault was not felt");
    witness.recovers();
    witness.raw.finalize();
}

#[test]
fn a_disk_that_is_full_at_any_one_call_costs_that_call_only() {
    swept!(&FULL, "count 1");
}

#[test]
fn a_disk_that_stays_full_from_any_call_on_is_named_until_there_is_room() {
    swept!(&FULL, "");
}

#[test]
fn an_input_output_error_at_any_one_call_costs_that_call_only() {
    swept!(&BROKEN, "count 1");
}

#[test]
fn input_output_errors_from_any_call_on_are_named_until_they_end() {
    swept!(&BROKEN, "");
}

#[test]
fn a_disk_that_turns_read_only_at_any_call_is_write_protected_until_it_turns_back() {
    swept!(&READ_ONLY, "");
}

#[test]
fn the_rarer_errors_are_answered_in_their_own_words() {
    if !all() {
        return perilune_tests::outside::skip("the_rarer_errors", "PERILUNE_FAULTS=all runs it");
    }
    injected!(|place: &Place, disk: &Disk| {
        for fault in [&QUOTA, &DENIED, &DESCRIPTORS] {
            for count in ["count 1", ""] {
                let _gone = std::fs::remove_dir_all(place.store());
                sweep(place, disk, fault, count);
            }
        }
    });
}

#[test]
fn calls_that_are_interrupted_or_write_less_than_asked_are_simply_continued() {
    injected!(|place: &Place, disk: &Disk| {
        let mut witness = Witness::start_under_shim(place);
        for rule in
            ["write * short:1 count 40", "write * short:7", "read,write,open,open-write,lock,truncate * EINTR count 1"]
        {
            let mut after = 0;
            loop {
                disk.plan(&[&format!("{rule} after {after}")]);
                let answers = work(&mut witness);
                assert!(
                    answers.iter().all(Answer::is_ok),
                    "{rule} after {after}: {answers:x?}\n{}",
                    witness.last_words()
                );
                if disk.fired(0) == 0 || after > 200 {
                    break;
                }
                after += 7;
            }
            assert!(after > 7, "{rule} was not felt");
        }
        disk.heal();
        witness.recovers();
    });
}

#[test]
fn a_failed_start_leaves_the_store_as_it_was_and_the_next_one_succeeds() {
    injected!(|place: &Place, disk: &Disk| {
        let witness = Witness::start_under_shim(place);
        for fault in [&FULL, &BROKEN] {
            let mut after = 0_u64;
            loop {
                disk.plan(&[&format!("{} * {} after {after}", fault.calls, fault.error)]);
                let code = child::forked(|| match crate::witness::join_with(&witness.raw) {
                    Ok(_) => 0,
                    Err(code) if code == fault.answer => 1,
                    Err(code) => panic!("{code:#x}"),
                });
                let fired = disk.fired(0);
                assert!(code < 2, "{} after {after}", fault.error);
                disk.heal();
                if fired == 0 {
                    assert_eq!(code, 0);
                    break;
                }
                witness.agrees();
                after += if all() { 1 } else { 2 };
            }
        }
    });
}

/// The engine under the map once took such an error for the end of its log, and overwrote what came behind it.
#[test]
fn an_error_while_the_map_is_read_is_not_taken_for_its_end() {
    injected!(|place: &Place, disk: &Disk| {
        let mut witness = Witness::start_under_shim(place);
        // More than the journal takes before it goes into the map.
        for _ in 0..40 {
            assert_eq!(witness.write_of(150_000), Ok(()));
        }
        assert!(
            std::fs::read_dir(place.store().join("mirror/blobs")).expect("a folder").count() > 5,
            "nothing was folded"
        );
        let (mut felt, mut refused) = (0, 0);
        let errors = ["read map/* EIO", "open map/* EIO", "open map/* EMFILE", "open,open-write map/* EACCES"];
        // Alone, and with nothing to be read of the other map either, which is copied before it is read.
        for (rule, other) in errors.into_iter().flat_map(|rule| [(rule, "read none EIO"), (rule, "open mirror/* EIO")])
        {
            let (mut after, step) = (0, if all() { 1 } else { 6 });
            // A start reads the map from its beginning to its end; the first calls are of every kind.
            while all() || after < 40 {
                disk.plan(&[&format!("{rule} after {after} count 1"), other]);
                let code = child::forked(|| {
                    let seen = crate::witness::join_with(&witness.raw);
                    match seen.and_then(|session| crate::witness::labels(&witness.raw, session)) {
                        Ok(_) => 0,
                        Err(CKR_DEVICE_ERROR) => 1,
                        Err(code) => panic!("{code:#x}"),
                    }
                });
                let fired = disk.fired(0);
                disk.heal();
                assert!(code <= i32::from(other.contains("mirror")), "{rule} after {after}, {other}: {code}");
                felt += i32::from(fired > 0);
                refused += code;
                witness.agrees();
                // A map that was found to be bad is made anew, and so read again by the next start.
                assert_eq!(witness.write(), Ok(()));
                if fired == 0 {
                    break;
                }
                after += step;
            }
        }
        assert!(felt > 20 && refused > 10, "the faults were not felt: {felt}, {refused}");
        witness.recovers();
    });
}

#[test]
fn the_making_of_a_store_that_failed_at_any_call_is_finished_by_the_next_start() {
    injected!(|place: &Place, disk: &Disk| {
        crate::witness::configure(place, crate::witness::WAIT_MS);
        let raw = Raw::load();
        let mut after = 0;
        let mut refused = 0;
        loop {
            let _gone = std::fs::remove_dir_all(place.store());
            disk.plan(&[&format!("{} * ENOSPC after {after}", FULL.calls)]);
            let begun = child::forked(|| match answer(ck!(raw, C_Initialize, null_mut())) {
                Ok(()) => 0,
                Err(CKR_DEVICE_MEMORY) => 1,
                Err(code) => panic!("{code:#x}: {}", std::fs::read_to_string(place.file("log")).unwrap_or_default()),
            });
            let fired = disk.fired(0);
            disk.heal();
            assert!(begun < 2, "after {after}");
            refused += begun;
            let finished = child::forked(|| {
                assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
                let slot = raw.new_token();
                let session = raw.session(slot);
                assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
                i32::from(raw.slot_of(TOKEN_LABEL).is_none())
            });
            assert_eq!(
                finished,
                0,
                "after {after}: {}",
                std::fs::read_to_string(place.file("log")).unwrap_or_default()
            );
            if fired == 0 {
                break;
            }
            after += if all() { 1 } else { 3 };
        }
        assert!(refused > 3, "the fault was not felt");
    });
}
