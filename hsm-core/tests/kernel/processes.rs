//! Two processes on one store, as two HSMs on one medium.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;
use std::sync::atomic::Ordering;

struct Two {
    here: Hsm,
    there: Hsm,
    mine: SessionHandle,
    theirs: SessionHandle,
}

/// Both logged in as user.
fn two() -> Two {
    let (here, medium, mine) = logged_in();
    let there = start(&medium, Config::default()).unwrap();
    let theirs = user_session(&there);
    Two { here, there, mine, theirs }
}

#[test]
fn each_sees_what_the_other_creates_changes_and_destroys() {
    let it = two();
    for private in [true, false] {
        let object = it.here.create_object(it.mine, &data("new", true, private)).unwrap();
        let [seen] = found(&it.there, it.theirs, &labelled("new"))[..] else { panic!("not one") };
        it.there.set_attributes(it.theirs, seen, &labelled("changed")).unwrap();
        assert_eq!(found(&it.here, it.mine, &labelled("changed")), [object], "under its own handle");
        assert!(found(&it.here, it.mine, &labelled("new")).is_empty());
        it.there.destroy_object(it.theirs, seen).unwrap();
        check(it.here.attributes(it.mine, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
        check(it.here.destroy_object(it.mine, object), CKR_OBJECT_HANDLE_INVALID);
    }
}

#[test]
fn a_change_meets_what_the_other_made_of_the_object_meanwhile() {
    let it = two();
    let object = it.here.create_object(it.mine, &data("a", true, true)).unwrap();
    let [seen] = found(&it.there, it.theirs, &labelled("a"))[..] else { panic!("not one") };
    it.there.set_attributes(it.theirs, seen, &Template::default().with(CKA_APPLICATION, b"theirs")).unwrap();
    it.here.set_attributes(it.mine, object, &labelled("mine")).unwrap();
    for (hsm, session, object) in [(&it.here, it.mine, object), (&it.there, it.theirs, seen)] {
        let answers = hsm.attributes(session, object, &[CKA_LABEL, CKA_APPLICATION]).unwrap();
        assert_eq!(answers, [Answer::Bytes(pin("mine")), Answer::Bytes(pin("theirs"))]);
    }
}

#[test]
fn a_private_object_of_another_process_waits_for_the_login() {
    let it = two();
    it.there.logout(it.theirs).unwrap();
    let object = it.here.create_object(it.mine, &data("new", true, true)).unwrap();
    assert!(found(&it.there, it.theirs, &labelled("new")).is_empty());
    it.there.login(it.theirs, CKU_USER, &pin(USER_PIN)).unwrap();
    assert_eq!(found(&it.there, it.theirs, &labelled("new")).len(), 1);
    it.there.logout(it.theirs).unwrap();
    it.here.destroy_object(it.mine, object).unwrap();
    it.there.login(it.theirs, CKU_USER, &pin(USER_PIN)).unwrap();
    assert!(found(&it.there, it.theirs, &labelled("new")).is_empty());
}

#[test]
fn session_objects_stay_in_their_process() {
    let it = two();
    it.here.create_object(it.mine, &data("mine", false, false)).unwrap();
    assert!(found(&it.there, it.theirs, &labelled("mine")).is_empty());
}

#[test]
fn logins_are_each_processes_own() {
    let it = two();
    it.here.logout(it.mine).unwrap();
    assert_eq!(state(&it.there, it.theirs), CKS_RW_USER_FUNCTIONS);
}

#[test]
fn a_token_initialised_anew_by_another_process_is_another_token() {
    let it = two();
    let stored = it.here.create_object(it.mine, &data("stored", true, true)).unwrap();
    let in_memory = it.here.create_object(it.mine, &data("memory", false, false)).unwrap();
    it.here.find_init(it.mine, &Template::default()).unwrap();
    it.there.close_session(it.theirs).unwrap();
    it.there.init_token(SLOT, &pin(SO_PIN), b"new                             ").unwrap();

    assert_eq!(&it.here.token_info(SLOT).unwrap().label, b"new                             ");
    assert_eq!(state(&it.here, it.mine), CKS_RW_PUBLIC_SESSION);
    check(it.here.find(it.mine, 10), CKR_OPERATION_NOT_INITIALIZED);
    for object in [stored, in_memory] {
        check(it.here.attributes(it.mine, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
    }
    check(it.here.create_object(it.mine, &data("x", true, true)), CKR_USER_NOT_LOGGED_IN);
    check(it.here.login(it.mine, CKU_USER, &pin(USER_PIN)), CKR_USER_PIN_NOT_INITIALIZED);
    it.here.create_object(it.mine, &data("public", true, false)).unwrap();
}

#[test]
fn slots_that_another_process_makes_appear() {
    let it = two();
    it.there.init_token(SlotId(1), &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(it.here.slots(true).unwrap(), [SlotId(0), SlotId(1), SlotId(2)]);
    it.here.open_session(SlotId(1), true).unwrap();
}

#[test]
fn a_pin_changed_by_another_process_counts_at_once() {
    let it = two();
    it.there.set_pin(it.theirs, &pin(USER_PIN), &pin("changed pin")).unwrap();
    it.here.create_object(it.mine, &data("a", true, true)).unwrap();
    it.here.logout(it.mine).unwrap();
    check(it.here.login(it.mine, CKU_USER, &pin(USER_PIN)), CKR_PIN_INCORRECT);
    it.here.login(it.mine, CKU_USER, &pin("changed pin")).unwrap();
}

#[test]
fn more_changes_than_the_list_remembers_are_all_seen() {
    let it = two();
    let doomed = it.here.create_object(it.mine, &data("doomed", true, true)).unwrap();
    assert_eq!(found(&it.there, it.theirs, &labelled("doomed")).len(), 1);
    it.here.destroy_object(it.mine, doomed).unwrap();
    for _ in 0..1500 {
        it.here.create_object(it.mine, &data("many", true, true)).unwrap();
    }
    assert!(found(&it.there, it.theirs, &labelled("doomed")).is_empty());
    assert_eq!(found(&it.there, it.theirs, &labelled("many")).len(), 1500);
}

#[test]
fn processes_that_write_at_the_same_time_miss_nothing_of_each_other() {
    let it = two();
    std::thread::scope(|scope| {
        for (hsm, session) in [(&it.here, it.mine), (&it.there, it.theirs)] {
            scope.spawn(move || {
                for round in 0..200 {
                    let object = hsm.create_object(session, &data("together", true, round % 2 == 0)).unwrap();
                    if round % 4 == 0 {
                        hsm.destroy_object(session, object).unwrap();
                    }
                }
            });
        }
    });
    for (hsm, session) in [(&it.here, it.mine), (&it.there, it.theirs)] {
        assert_eq!(found(hsm, session, &labelled("together")).len(), 300);
    }
}

#[test]
fn two_first_starts_at_once_make_one_slot() {
    let medium = token_store::medium::Memory::new();
    let hsms: Vec<Hsm> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| start(&medium, Config::default()).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for hsm in hsms {
        assert_eq!(hsm.slots(true).unwrap(), [SLOT]);
    }
}

#[test]
fn looking_again_when_nothing_changed_reads_the_generation_only() {
    let (medium, reads) = counting();
    let hsm = start_on(Box::new(medium), Config::default()).unwrap();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    let session = hsm.open_session(SLOT, true).unwrap();
    let object = hsm.create_object(session, &data("a", true, false)).unwrap();
    assert_eq!(found(&hsm, session, &labelled("a")), [object]);
    let before = reads.load(Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(found(&hsm, session, &labelled("a")), [object]);
        hsm.attributes(session, object, &[CKA_LABEL]).unwrap();
        hsm.token_info(SLOT).unwrap();
        hsm.session_info(session).unwrap();
        hsm.slots(true).unwrap();
    }
    assert_eq!(reads.load(Ordering::Relaxed), before);
}
