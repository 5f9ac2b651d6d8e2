//! Slot events: what is one, who hears of it, and how a wait ends.

use crate::bench::*;
use hsm_core::*;
use std::time::{Duration, Instant};

#[test]
fn what_was_there_at_the_start_is_no_event() {
    let (_, medium) = ready();
    let hsm = start(&medium, Config::default()).unwrap();
    check(hsm.wait_for_slot_event(false), CKR_NO_EVENT);
    let (fresh, _) = fresh();
    check(fresh.wait_for_slot_event(false), CKR_NO_EVENT);
}

#[test]
fn a_token_that_is_made_anew_and_the_slot_that_comes_with_it_are_events_for_every_process() {
    let (here, medium) = fresh();
    let there = start(&medium, Config::default()).unwrap();
    here.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    for hsm in [&here, &there] {
        assert_eq!(hsm.wait_for_slot_event(false).unwrap(), SLOT);
        assert_eq!(hsm.wait_for_slot_event(true).unwrap(), SlotId(1), "the spare slot");
        check(hsm.wait_for_slot_event(false), CKR_NO_EVENT);
    }
    there.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    there.remove_token(SLOT).unwrap();
    for hsm in [&here, &there] {
        assert_eq!(hsm.wait_for_slot_event(false).unwrap(), SLOT, "initialised anew, then emptied: one mark");
        check(hsm.wait_for_slot_event(false), CKR_NO_EVENT);
    }
}

#[test]
fn logins_pins_and_objects_are_no_events() {
    let (hsm, medium, session) = logged_in();
    let there = start(&medium, Config::default()).unwrap();
    while hsm.wait_for_slot_event(false).is_ok() {}
    hsm.create_object(session, &data("a", true, true)).unwrap();
    hsm.set_pin(session, &pin(USER_PIN), &pin("another-pin")).unwrap();
    check(there.login(there.open_session(SLOT, true).unwrap(), CKU_USER, &pin("wrong-pin")), CKR_PIN_INCORRECT);
    for hsm in [&hsm, &there] {
        check(hsm.wait_for_slot_event(false), CKR_NO_EVENT);
    }
}

#[test]
fn a_wait_ends_with_an_event_of_this_process_or_of_another() {
    let (here, medium) = ready();
    let there = start(&medium, Config::default()).unwrap();
    while here.wait_for_slot_event(false).is_ok() {}
    for maker in [&here, &there] {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| here.wait_for_slot_event(true));
            std::thread::sleep(Duration::from_millis(50));
            maker.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
            assert_eq!(waiting.join().unwrap().unwrap(), SLOT);
        });
    }
}

#[test]
fn whoever_waits_leaves_at_once_when_the_hsm_is_out_of_use() {
    let (hsm, _) = ready();
    while hsm.wait_for_slot_event(false).is_ok() {}
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| hsm.wait_for_slot_event(true))).collect();
        // Long enough for the pause between two looks to have reached its length.
        std::thread::sleep(Duration::from_millis(600));
        let closed = Instant::now();
        hsm.close();
        for waiting in waiting {
            check(waiting.join().unwrap(), CKR_CRYPTOKI_NOT_INITIALIZED);
        }
        assert!(closed.elapsed() < Duration::from_secs(60), "seconds on a busy machine, never until an event");
    });
    check(hsm.wait_for_slot_event(false), CKR_CRYPTOKI_NOT_INITIALIZED);
}
