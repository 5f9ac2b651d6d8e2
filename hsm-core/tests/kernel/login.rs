//! Login, PINs, tries and locks.

use crate::bench::*;
use hsm_core::*;

const USER_TRIES: u64 = CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;
const SO_TRIES: u64 = CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED;

#[test]
fn who_is_in_decides_who_may_come() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    check(hsm.logout(session), CKR_USER_NOT_LOGGED_IN);
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_USER_ALREADY_LOGGED_IN);
    check(hsm.login(session, CKU_USER, &pin("wrong")), CKR_USER_ALREADY_LOGGED_IN);
    check(hsm.login(session, CKU_SO, &pin(SO_PIN)), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    check(hsm.login(session, CKU_SO, &pin(SO_PIN)), CKR_USER_ALREADY_LOGGED_IN);
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_eq!(flags(&hsm, USER_TRIES | SO_TRIES), 0, "none of these looked at a PIN");
}

#[test]
fn user_types_that_cannot_log_in_are_refused() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    for user_type in [3, 99, 0x8000_0001, 0x8000_0002, 0x8000_0003, u64::MAX] {
        check(hsm.login(session, user_type, &pin(USER_PIN)), CKR_USER_TYPE_INVALID);
    }
}

#[test]
fn the_user_has_no_pin_until_the_so_gives_one() {
    let (hsm, _) = fresh();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    let session = hsm.open_session(SLOT, true).unwrap();
    assert_eq!(flags(&hsm, CKF_USER_PIN_INITIALIZED), 0);
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_USER_PIN_NOT_INITIALIZED);
    check(hsm.set_pin(session, &pin(USER_PIN), &pin(USER_PIN)), CKR_USER_PIN_NOT_INITIALIZED);
    check(hsm.init_pin(session, &pin(USER_PIN)), CKR_USER_NOT_LOGGED_IN);
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.init_pin(session, &pin(USER_PIN)).unwrap();
    assert_eq!(flags(&hsm, CKF_USER_PIN_INITIALIZED), CKF_USER_PIN_INITIALIZED);
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    check(hsm.init_pin(session, &pin(USER_PIN)), CKR_USER_NOT_LOGGED_IN);
}

#[test]
fn ten_wrong_pins_lock_the_user_and_the_flags_tell_each_step() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    for wrong in 1..=10 {
        check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
        let expected = match wrong {
            9 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY,
            10 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED,
            _ => CKF_USER_PIN_COUNT_LOW,
        };
        assert_eq!(flags(&hsm, USER_TRIES), expected, "after {wrong}");
    }
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_PIN_LOCKED);
    assert_eq!(flags(&hsm, SO_TRIES), 0);
}

#[test]
fn the_right_pin_sets_the_count_back() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    for _ in 0..3 {
        for _ in 0..9 {
            check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
        }
        hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
        assert_eq!(flags(&hsm, USER_TRIES), 0);
        hsm.logout(session).unwrap();
    }
}

#[test]
fn the_so_unlocks_the_user_and_the_users_objects_are_still_there() {
    let (hsm, _, session) = logged_in();
    hsm.create_object(session, &data("kept", true, true)).unwrap();
    hsm.logout(session).unwrap();
    for _ in 0..10 {
        check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
    }
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.init_pin(session, &pin("new user pin")).unwrap();
    assert_eq!(flags(&hsm, USER_TRIES), 0);
    hsm.logout(session).unwrap();
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_PIN_INCORRECT);
    hsm.login(session, CKU_USER, &pin("new user pin")).unwrap();
    assert_eq!(found(&hsm, session, &labelled("kept")).len(), 1);
}

#[test]
fn ten_wrong_pins_lock_the_so() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    for _ in 0..10 {
        check(hsm.login(session, CKU_SO, &pin("wrong pin")), CKR_PIN_INCORRECT);
    }
    check(hsm.login(session, CKU_SO, &pin(SO_PIN)), CKR_PIN_LOCKED);
    assert_eq!(flags(&hsm, SO_TRIES), CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_LOCKED);
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
}

#[test]
fn tries_survive_the_process_and_count_across_processes() {
    let (hsm, medium) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    for _ in 0..6 {
        check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
    }
    let other = start(&medium, Config::default()).unwrap();
    let there = other.open_session(SLOT, true).unwrap();
    for _ in 0..4 {
        check(other.login(there, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
    }
    assert_eq!(flags(&hsm, CKF_USER_PIN_LOCKED), CKF_USER_PIN_LOCKED, "seen at the next look");
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_PIN_LOCKED);
}

#[test]
fn a_pin_of_impossible_length_costs_no_try() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    let long = "x".repeat(256);
    for impossible in ["", "abc", &long] {
        for _ in 0..11 {
            check(hsm.login(session, CKU_USER, &pin(impossible)), CKR_PIN_LEN_RANGE);
            check(hsm.login(session, CKU_SO, &pin(impossible)), CKR_PIN_LEN_RANGE);
            check(hsm.set_pin(session, &pin(impossible), &pin(USER_PIN)), CKR_PIN_LEN_RANGE);
            check(hsm.set_pin(session, &pin("wrong pin"), &pin(impossible)), CKR_PIN_LEN_RANGE);
        }
    }
    assert_eq!(flags(&hsm, USER_TRIES | SO_TRIES), 0);
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    check(hsm.init_pin(session, &pin("abc")), CKR_PIN_LEN_RANGE);
}

#[test]
fn the_shortest_pin_is_configurable_and_binds_new_pins_only() {
    let (_, medium) = ready();
    let hsm = start(&medium, Config { pin_bytes_min: 20, ..Config::default() }).unwrap();
    assert_eq!(hsm.token_info(SLOT).unwrap().pin_bytes_min, 20);
    let session = hsm.open_session(SLOT, true).unwrap();
    check(hsm.set_pin(session, &pin(USER_PIN), &pin("too short now")), CKR_PIN_LEN_RANGE);
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    hsm.set_pin(session, &pin(USER_PIN), &pin("long enough for twenty")).unwrap();
}

#[test]
fn set_pin_changes_the_pin_of_whoever_is_meant() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    hsm.set_pin(session, &pin(USER_PIN), &pin("from public")).unwrap();
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), CKR_PIN_INCORRECT);
    hsm.login(session, CKU_USER, &pin("from public")).unwrap();
    hsm.set_pin(session, &pin("from public"), &pin("from user")).unwrap();
    assert_eq!(state(&hsm, session), CKS_RW_USER_FUNCTIONS, "the login goes on");
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    check(hsm.set_pin(session, &pin("from user"), &pin("never")), CKR_PIN_INCORRECT);
    hsm.set_pin(session, &pin(SO_PIN), &pin("from so")).unwrap();
    hsm.logout(session).unwrap();
    check(hsm.login(session, CKU_SO, &pin(SO_PIN)), CKR_PIN_INCORRECT);
    hsm.login(session, CKU_SO, &pin("from so")).unwrap();
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin("from user")).unwrap();
}

#[test]
fn set_pin_needs_a_read_write_session_and_counts_wrong_pins() {
    let (hsm, _) = ready();
    let reader = hsm.open_session(SLOT, false).unwrap();
    check(hsm.set_pin(reader, &pin(USER_PIN), &pin("never")), CKR_SESSION_READ_ONLY);
    hsm.login(reader, CKU_USER, &pin(USER_PIN)).unwrap();
    check(hsm.set_pin(reader, &pin(USER_PIN), &pin("never")), CKR_SESSION_READ_ONLY);
    let writer = hsm.open_session(SLOT, true).unwrap();
    for _ in 0..10 {
        check(hsm.set_pin(writer, &pin("wrong pin"), &pin("never")), CKR_PIN_INCORRECT);
    }
    check(hsm.set_pin(writer, &pin(USER_PIN), &pin("never")), CKR_PIN_LOCKED);
    assert_eq!(flags(&hsm, USER_TRIES), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
}

#[test]
fn a_changed_pin_opens_what_the_old_one_sealed() {
    let (hsm, medium, session) = logged_in();
    hsm.create_object(session, &data("kept", true, true)).unwrap();
    hsm.set_pin(session, &pin(USER_PIN), &pin("another pin")).unwrap();
    let other = start(&medium, Config::default()).unwrap();
    let there = other.open_session(SLOT, false).unwrap();
    other.login(there, CKU_USER, &pin("another pin")).unwrap();
    assert_eq!(found(&other, there, &labelled("kept")).len(), 1);
}

#[test]
fn a_login_that_counts_nothing_writes_nothing() {
    let (hsm, medium) = ready();
    let commits = medium.commits();
    let session = hsm.open_session(SLOT, false).unwrap();
    for _ in 0..3 {
        hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
        hsm.logout(session).unwrap();
    }
    hsm.close_session(session).unwrap();
    assert_eq!(medium.commits(), commits);
}

#[test]
fn a_store_that_cannot_count_lets_nobody_guess() {
    let (hsm, medium) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    medium.set_full(true);
    check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_DEVICE_MEMORY);
    assert_eq!(state(&hsm, session), CKS_RW_PUBLIC_SESSION);
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
}

#[test]
fn a_damaged_role_locks_that_role_and_nothing_else() {
    let (_, medium) = ready();
    let user = medium.dump().into_iter().find(|(key, _)| key[0] == b'r' && key.last() == Some(&0));
    let (key, mut value) = user.unwrap();
    *value.last_mut().unwrap() ^= 1;
    medium.tamper(&key, Some(value));
    let hsm = start(&medium, Config::default()).unwrap();
    let session = hsm.open_session(SLOT, true).unwrap();
    assert_eq!(flags(&hsm, CKF_USER_PIN_LOCKED), CKF_USER_PIN_LOCKED);
    assert_ne!(rv(hsm.login(session, CKU_USER, &pin(USER_PIN))), CKR_OK);
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
}
