//! Slots and tokens.

use crate::bench::*;
use hsm_core::*;

fn numbers(hsm: &Hsm) -> Vec<u64> {
    hsm.slots(true).unwrap().into_iter().map(|slot| slot.0).collect()
}

#[test]
fn the_first_start_makes_one_uninitialised_slot() {
    let (hsm, _) = fresh();
    assert_eq!(numbers(&hsm), [0]);
    assert_eq!(hsm.slots(false).unwrap(), hsm.slots(true).unwrap());
    let info = hsm.token_info(SLOT).unwrap();
    assert_eq!(info.label, [b' '; 32]);
    assert_eq!(info.flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_LOGIN_REQUIRED), 0);
    assert_eq!(hsm.slot_info(SLOT).unwrap().flags, CKF_TOKEN_PRESENT);
}

#[test]
fn a_second_start_finds_the_slot_and_writes_nothing() {
    let (hsm, medium) = fresh();
    let (serial, commits) = (hsm.token_info(SLOT).unwrap().serial, medium.commits());
    let again = start(&medium, Config::default()).unwrap();
    assert_eq!(numbers(&again), [0]);
    assert_eq!(again.token_info(SLOT).unwrap().serial, serial);
    assert_eq!(medium.commits(), commits);
}

#[test]
fn initialising_a_token_brings_the_next_free_slot() {
    let (hsm, _) = fresh();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(numbers(&hsm), [0, 1]);
    hsm.init_token(SlotId(1), &pin(SO_PIN), LABEL).unwrap();
    hsm.init_token(SlotId(1), &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(numbers(&hsm), [0, 1, 2], "initialising again brings none");
}

#[test]
fn without_spare_slots_there_is_only_the_first() {
    let medium = token_store::medium::Memory::new();
    let hsm = start(&medium, Config { spare_slot: false, ..Config::default() }).unwrap();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(numbers(&hsm), [0]);
    let with_spare = start(&medium, Config::default()).unwrap();
    assert_eq!(numbers(&with_spare), [0, 1], "switched on later, it appears at the next start");
}

#[test]
fn number_and_serial_survive_every_initialisation() {
    let (hsm, medium) = fresh();
    let serial = hsm.token_info(SLOT).unwrap().serial;
    assert!(serial.iter().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte)));
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    hsm.init_token(SLOT, &pin(SO_PIN), b"another label                   ").unwrap();
    let again = start(&medium, Config::default()).unwrap();
    let info = again.token_info(SLOT).unwrap();
    assert_eq!(info.serial, serial);
    assert_eq!(&info.label, b"another label                   ");
    assert_ne!(again.token_info(SlotId(1)).unwrap().serial, serial);
}

#[test]
fn a_token_tells_the_truth_about_itself() {
    let (hsm, _, _session) = logged_in();
    hsm.open_session(SLOT, false).unwrap();
    let info = hsm.token_info(SLOT).unwrap();
    let always = CKF_RNG | CKF_CLOCK_ON_TOKEN | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;
    assert_eq!(info.flags, always);
    assert_eq!((info.sessions, info.rw_sessions), (2, 1));
    assert_eq!((info.pin_bytes_min, info.pin_bytes_max), (4, 255));
    assert_eq!(&info.utc_time, b"2024022912000000");
    assert!(info.model.len() <= 16 && info.manufacturer.len() <= 32);
    assert_eq!(&info.label, LABEL);
}

#[test]
fn unknown_slots_are_refused_everywhere() {
    let (hsm, _) = fresh();
    for slot in [SlotId(1), SlotId(u64::MAX)] {
        check(hsm.slot_info(slot), CKR_SLOT_ID_INVALID);
        check(hsm.token_info(slot), CKR_SLOT_ID_INVALID);
        check(hsm.mechanism_list(slot), CKR_SLOT_ID_INVALID);
        check(hsm.mechanism_info(slot, CKM_RSA_PKCS), CKR_SLOT_ID_INVALID);
        check(hsm.init_token(slot, &pin(SO_PIN), LABEL), CKR_SLOT_ID_INVALID);
        check(hsm.open_session(slot, false), CKR_SLOT_ID_INVALID);
        check(hsm.close_all_sessions(slot), CKR_SLOT_ID_INVALID);
        check(hsm.remove_token(slot), CKR_SLOT_ID_INVALID);
    }
}

#[test]
fn mechanisms_are_listed_and_each_listed_one_has_information() {
    let (hsm, _) = fresh();
    let list = hsm.mechanism_list(SLOT).unwrap();
    assert!(list.contains(&CKM_RSA_PKCS) && list.contains(&CKM_ECDSA));
    for kind in list {
        assert_ne!(hsm.mechanism_info(SLOT, kind).unwrap().flags, 0, "{kind:#x}");
    }
    check(hsm.mechanism_info(SLOT, 0x7fff_ffff), CKR_MECHANISM_INVALID);
}

#[test]
fn initialising_needs_a_pin_of_right_length_and_length_costs_no_try() {
    let (hsm, _) = fresh();
    check(hsm.init_token(SLOT, &pin("abc"), LABEL), CKR_PIN_LEN_RANGE);
    check(hsm.init_token(SLOT, &pin(&"x".repeat(256)), LABEL), CKR_PIN_LEN_RANGE);
    assert_eq!(flags(&hsm, CKF_TOKEN_INITIALIZED), 0);
    hsm.init_token(SLOT, &pin("abcd"), LABEL).unwrap();
    check(hsm.init_token(SLOT, &pin("abc"), LABEL), CKR_PIN_LEN_RANGE);
    assert_eq!(flags(&hsm, CKF_SO_PIN_COUNT_LOW), 0);
}

#[test]
fn initialising_again_needs_the_so_pin_and_destroys_everything() {
    let (hsm, _, session) = logged_in();
    let object = hsm.create_object(session, &data("a", true, true)).unwrap();
    check(hsm.init_token(SLOT, &pin(SO_PIN), LABEL), CKR_SESSION_EXISTS);
    hsm.close_session(session).unwrap();
    check(hsm.init_token(SLOT, &pin("wrong"), LABEL), CKR_PIN_INCORRECT);
    assert_eq!(flags(&hsm, CKF_SO_PIN_COUNT_LOW), CKF_SO_PIN_COUNT_LOW);
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(flags(&hsm, CKF_SO_PIN_COUNT_LOW | CKF_USER_PIN_INITIALIZED), 0);
    let session = hsm.open_session(SLOT, true).unwrap();
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_USER_PIN_NOT_INITIALIZED);
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.init_pin(session, &pin(USER_PIN)).unwrap();
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    assert!(found(&hsm, session, &labelled("a")).is_empty());
    check(hsm.attributes(session, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
}

#[test]
fn a_locked_so_cannot_initialise_but_the_operator_can_empty_the_slot() {
    let (hsm, _) = ready();
    let serial = hsm.token_info(SLOT).unwrap().serial;
    for _ in 0..10 {
        check(hsm.init_token(SLOT, &pin("wrong"), LABEL), CKR_PIN_INCORRECT);
    }
    check(hsm.init_token(SLOT, &pin(SO_PIN), LABEL), CKR_PIN_LOCKED);
    let session = hsm.open_session(SLOT, true).unwrap();
    check(hsm.remove_token(SLOT), CKR_SESSION_EXISTS);
    hsm.close_session(session).unwrap();
    hsm.remove_token(SLOT).unwrap();
    assert_eq!(flags(&hsm, CKF_TOKEN_INITIALIZED | CKF_SO_PIN_LOCKED | CKF_USER_PIN_INITIALIZED), 0);
    assert_eq!(hsm.token_info(SLOT).unwrap().serial, serial);
    hsm.init_token(SLOT, &pin("another pin"), LABEL).unwrap();
}

#[test]
fn a_full_store_refuses_to_initialise_and_the_token_stays_as_it_was() {
    let (hsm, medium) = ready();
    medium.set_full(true);
    check(hsm.init_token(SLOT, &pin(SO_PIN), b"never                           "), CKR_DEVICE_MEMORY);
    medium.set_full(false);
    assert_eq!(&hsm.token_info(SLOT).unwrap().label, LABEL);
    user_session(&hsm);
}

/// The slots that a process finds when the description of the `which`th slot of a ready store is damaged.
fn slots_with_damage(which: usize) -> Vec<u64> {
    let (hsm, medium) = ready();
    assert_eq!(numbers(&hsm), [0, 1]);
    let mut partitions: Vec<_> = medium.dump().into_iter().filter(|(key, _)| key[0] == b'p').collect();
    // docs/format.md: the clear part of a partition is its ordinal.
    partitions.sort_by_key(|(_, value)| value[4..12].to_vec());
    let (key, mut value) = partitions.swap_remove(which);
    *value.last_mut().unwrap() ^= 1;
    medium.tamper(&key, Some(value));
    numbers(&start(&medium, Config::default()).unwrap())
}

#[test]
fn a_damaged_slot_description_hides_that_slot_and_its_number_is_not_given_again() {
    assert_eq!(slots_with_damage(0), [1]);
    assert_eq!(slots_with_damage(1), [0, 2], "a new spare slot, whose number was never given");
}

#[test]
fn a_store_that_cannot_be_written_is_a_write_protected_token_that_still_logs_in() {
    let (hsm, medium) = ready();
    assert_eq!(flags(&hsm, CKF_WRITE_PROTECTED), 0);
    let hsm = start_on(Box::new(Frozen(medium)), Config::default()).unwrap();
    assert_eq!(flags(&hsm, CKF_WRITE_PROTECTED), CKF_WRITE_PROTECTED);
    let session = user_session(&hsm);
    check(hsm.create_object(session, &data("a", true, false)), CKR_TOKEN_WRITE_PROTECTED);
    hsm.create_object(session, &data("a", false, false)).unwrap();
}
