//! C_WaitForSlotEvent: what it hears of, how it ends, and that neither C_Finalize nor a fork has to wait for it.
//!
//! Rule source: PKCS#11 v2.40, 5.5 (C_WaitForSlotEvent).

use perilune_tests::child::forked;
use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer};
use perilune_tests::{Raw, SO_PIN, TOKEN_LABEL, child, ck, isolated};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

fn wait(raw: &Raw, flags: CK_FLAGS) -> Answer<CK_SLOT_ID> {
    let mut slot = CK_SLOT_ID::MAX;
    answer(ck!(raw, C_WaitForSlotEvent, flags, &mut slot, null_mut()))?;
    Ok(slot)
}

/// Hears of all that has happened.
fn calm(raw: &Raw) {
    while wait(raw, CKF_DONT_BLOCK).is_ok() {}
}

/// Time for a thread to begin its wait, and for its looks at the store to have become seldom.
fn settle() {
    std::thread::sleep(Duration::from_millis(700));
}

#[test]
fn a_new_token_is_an_event_of_its_slot_and_is_told_once() {
    isolated!(|_, _| {
        let raw = Raw::start();
        assert_eq!(wait(&raw, CKF_DONT_BLOCK), Err(CKR_NO_EVENT));
        let slot = raw.new_token();
        assert_eq!(wait(&raw, 0), Ok(slot), "what has happened is told without waiting");
        let spare = wait(&raw, CKF_DONT_BLOCK).expect("the spare slot that came with it");
        assert!(spare != slot && raw.slots(true).contains(&spare));
        assert_eq!(wait(&raw, CKF_DONT_BLOCK), Err(CKR_NO_EVENT));
        raw.finalize();
        assert_eq!(wait(&raw, CKF_DONT_BLOCK), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        assert_eq!(wait(&raw, CKF_DONT_BLOCK), Err(CKR_NO_EVENT), "C_Initialize begins anew");
    });
}

#[test]
fn arguments_that_are_not_understood_are_refused_before_any_wait() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let mut slot = 0;
        let mut reserved = 0_u8;
        let place = std::ptr::from_mut(&mut reserved).cast();
        for flags in [0, CKF_DONT_BLOCK] {
            assert_eq!(ck!(raw, C_WaitForSlotEvent, flags, null_mut(), null_mut()), CKR_ARGUMENTS_BAD);
            assert_eq!(ck!(raw, C_WaitForSlotEvent, flags, &mut slot, place), CKR_ARGUMENTS_BAD);
        }
        for flags in [2, 3, CK_FLAGS::MAX] {
            assert_eq!(ck!(raw, C_WaitForSlotEvent, flags, &mut slot, null_mut()), CKR_ARGUMENTS_BAD);
        }
    });
}

#[test]
fn a_wait_hears_of_what_another_process_does() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "initialise" {
            let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
            return assert_eq!(raw.init_token(slot, SO_PIN, TOKEN_LABEL), Ok(()));
        }
        let slot = raw.new_token();
        calm(&raw);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(&raw, 0));
            settle();
            assert!(!waiting.is_finished(), "nothing has happened");
            child::role(place, "initialise", "").succeed();
            assert_eq!(waiting.join().unwrap(), Ok(slot));
        });
    });
}

#[test]
fn c_finalize_sends_whoever_waits_away_and_does_not_wait_for_him() {
    isolated!(|_, _| {
        let raw = Raw::start();
        raw.new_token();
        calm(&raw);
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| wait(&raw, 0))).collect();
            settle();
            assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "nothing has happened");
            let begin = Instant::now();
            raw.finalize();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "seconds on a busy machine, never until an event");
        });
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
    });
}

#[test]
fn a_fork_while_a_thread_waits_is_harmless_to_parent_and_child() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        calm(&raw);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(&raw, 0));
            for _ in 0..20 {
                let code = forked(|| {
                    let inherited = wait(&raw, CKF_DONT_BLOCK) == Err(CKR_CRYPTOKI_NOT_INITIALIZED);
                    let begun = ck!(raw, C_Initialize, null_mut()) == CKR_OK;
                    let calm = wait(&raw, CKF_DONT_BLOCK) == Err(CKR_NO_EVENT);
                    let ended = ck!(raw, C_Finalize, null_mut()) == CKR_OK;
                    i32::from(!(inherited && begun && calm && ended))
                });
                assert_eq!(code, 0);
            }
            assert!(!waiting.is_finished(), "nothing has happened in the parent");
            assert_eq!(raw.init_token(slot, SO_PIN, TOKEN_LABEL), Ok(()));
            assert_eq!(waiting.join().unwrap(), Ok(slot));
        });
    });
}
