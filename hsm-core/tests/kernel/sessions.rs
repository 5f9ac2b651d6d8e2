//! Sessions: kinds, states, life.

use crate::bench::*;
use hsm_core::*;

#[test]
fn an_uninitialised_token_takes_no_session() {
    let (hsm, _) = fresh();
    check(hsm.open_session(SLOT, false), CKR_TOKEN_NOT_RECOGNIZED);
    check(hsm.open_session(SLOT, true), CKR_TOKEN_NOT_RECOGNIZED);
}

#[test]
fn the_five_states_follow_kind_and_login() {
    let (hsm, _) = ready();
    let reader = hsm.open_session(SLOT, false).unwrap();
    let writer = hsm.open_session(SLOT, true).unwrap();
    assert_eq!(state(&hsm, reader), CKS_RO_PUBLIC_SESSION);
    assert_eq!(state(&hsm, writer), CKS_RW_PUBLIC_SESSION);
    hsm.login(reader, CKU_USER, &pin(USER_PIN)).unwrap();
    assert_eq!(state(&hsm, reader), CKS_RO_USER_FUNCTIONS);
    assert_eq!(state(&hsm, writer), CKS_RW_USER_FUNCTIONS, "a login is the token's, not the session's");
    hsm.logout(writer).unwrap();
    assert_eq!(state(&hsm, reader), CKS_RO_PUBLIC_SESSION);
    hsm.close_session(reader).unwrap();
    hsm.login(writer, CKU_SO, &pin(SO_PIN)).unwrap();
    assert_eq!(state(&hsm, writer), CKS_RW_SO_FUNCTIONS);
}

#[test]
fn session_information_names_slot_and_kind() {
    let (hsm, _) = ready();
    for (read_write, flags) in [(false, CKF_SERIAL_SESSION), (true, CKF_SERIAL_SESSION | CKF_RW_SESSION)] {
        let session = hsm.open_session(SLOT, read_write).unwrap();
        let info = hsm.session_info(session).unwrap();
        assert_eq!((info.slot, info.flags, info.device_error), (SLOT, flags, 0));
    }
}

#[test]
fn the_so_and_read_only_sessions_exclude_each_other() {
    let (hsm, _) = ready();
    let reader = hsm.open_session(SLOT, false).unwrap();
    let writer = hsm.open_session(SLOT, true).unwrap();
    check(hsm.login(writer, CKU_SO, &pin(SO_PIN)), CKR_SESSION_READ_ONLY_EXISTS);
    assert_eq!(flags(&hsm, CKF_SO_PIN_COUNT_LOW), 0);
    hsm.close_session(reader).unwrap();
    hsm.login(writer, CKU_SO, &pin(SO_PIN)).unwrap();
    check(hsm.open_session(SLOT, false), CKR_SESSION_READ_WRITE_SO_EXISTS);
    hsm.open_session(SLOT, true).unwrap();
}

#[test]
fn closing_the_last_session_logs_out() {
    let (hsm, _, first) = logged_in();
    let second = hsm.open_session(SLOT, false).unwrap();
    hsm.close_session(first).unwrap();
    assert_eq!(state(&hsm, second), CKS_RO_USER_FUNCTIONS, "one is left");
    hsm.close_session(second).unwrap();
    let third = hsm.open_session(SLOT, false).unwrap();
    assert_eq!(state(&hsm, third), CKS_RO_PUBLIC_SESSION);
}

#[test]
fn closing_all_sessions_spares_other_slots_and_logs_out() {
    let (hsm, _, here) = logged_in();
    hsm.init_token(SlotId(1), &pin(SO_PIN), LABEL).unwrap();
    let elsewhere = hsm.open_session(SlotId(1), true).unwrap();
    hsm.close_all_sessions(SLOT).unwrap();
    check(hsm.session_info(here), CKR_SESSION_HANDLE_INVALID);
    hsm.session_info(elsewhere).unwrap();
    let again = hsm.open_session(SLOT, true).unwrap();
    assert_eq!(state(&hsm, again), CKS_RW_PUBLIC_SESSION);
}

#[test]
fn a_closed_session_is_unknown_to_every_function() {
    let (hsm, _, session) = logged_in();
    let object = hsm.create_object(session, &data("a", true, false)).unwrap();
    hsm.close_session(session).unwrap();
    let bad = CKR_SESSION_HANDLE_INVALID;
    check(hsm.close_session(session), bad);
    check(hsm.session_info(session), bad);
    check(hsm.login(session, CKU_USER, &pin(USER_PIN)), bad);
    check(hsm.login(session, CKU_CONTEXT_SPECIFIC, &pin(USER_PIN)), bad);
    check(hsm.logout(session), bad);
    check(hsm.init_pin(session, &pin(USER_PIN)), bad);
    check(hsm.set_pin(session, &pin(USER_PIN), &pin(USER_PIN)), bad);
    check(hsm.create_object(session, &data("b", false, false)), bad);
    check(hsm.destroy_object(session, object), bad);
    check(hsm.attributes(session, object, &[CKA_LABEL]), bad);
    check(hsm.find_init(session, &labelled("a")), bad);
    check(hsm.find(session, 1), bad);
    check(hsm.find_final(session), bad);
    check(hsm.sign(session, b"a", Room::Ask), bad);
    check(hsm.random(session, 1), bad);
    check(hsm.seed_random(session, b"a"), bad);
    hsm.cancel(session, OperationKind::Sign);
    hsm.mark_faulted(session);
}

#[test]
fn a_faulted_session_answers_nothing_until_it_is_closed_and_others_live_on() {
    let (hsm, _, session) = logged_in();
    let other = hsm.open_session(SLOT, false).unwrap();
    hsm.digest_init(session, &plain(CKM_SHA256)).unwrap();
    hsm.mark_faulted(session);
    check(hsm.digest(session, b"a", Room::Bytes(32)), CKR_GENERAL_ERROR);
    check(hsm.session_info(session), CKR_GENERAL_ERROR);
    check(hsm.random(session, 1), CKR_GENERAL_ERROR);
    hsm.logout(other).unwrap();
    hsm.close_session(session).unwrap();
    hsm.session_info(other).unwrap();
}

#[test]
fn random_bytes_are_given_up_to_a_limit_and_no_seed_is_pretended_to_be_used() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, false).unwrap();
    assert_eq!(hsm.random(session, 0).unwrap().len(), 0);
    let (one, two) = (hsm.random(session, 32).unwrap(), hsm.random(session, 32).unwrap());
    assert_ne!(one, two);
    check(hsm.random(session, limits::RANDOM_BYTES_MAX + 1), CKR_ARGUMENTS_BAD);
    check(hsm.seed_random(session, b"seed"), CKR_RANDOM_SEED_NOT_SUPPORTED);
}

#[test]
fn opening_and_closing_many_sessions_leaves_nothing_behind() {
    let (hsm, _) = ready();
    for _ in 0..2000 {
        let session = hsm.open_session(SLOT, true).unwrap();
        hsm.create_object(session, &data("a", false, false)).unwrap();
        hsm.close_session(session).unwrap();
    }
    assert_eq!(hsm.token_info(SLOT).unwrap().sessions, 0);
    let session = hsm.open_session(SLOT, true).unwrap();
    assert!(found(&hsm, session, &Default::default()).is_empty());
}
