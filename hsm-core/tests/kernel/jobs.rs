//! Functions that go on without their caller, with the threads that the tests bring.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;

/// An HSM with asynchronous sessions, and one of the user.
fn asynchronous() -> (Hsm, SessionHandle) {
    let (_, medium) = ready();
    let hsm = start(&medium, Config::default()).unwrap().with_asynchronous_sessions();
    let session = hsm.open_asynchronous_session(SLOT, true).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    (hsm, session)
}

fn aes() -> Template {
    Template::default().with_number(CKA_VALUE_LEN, 16).with(CKA_LABEL, b"made")
}

fn begin(hsm: &Hsm, session: SessionHandle) -> Work {
    hsm.begin_generate_key(session, plain(CKM_AES_KEY_GEN), aes()).unwrap()
}

const KEY: Option<JobKind> = Some(JobKind::GenerateKey);
const PAIR: Option<JobKind> = Some(JobKind::GenerateKeyPair);

#[test]
fn sessions_are_asynchronous_only_where_somebody_brings_threads_and_only_when_asked() {
    let (hsm, _) = ready();
    check(hsm.open_asynchronous_session(SLOT, true), CKR_SESSION_ASYNC_NOT_SUPPORTED);
    assert_eq!(flags(&hsm, CKF_ASYNC_SESSION_SUPPORTED), 0);
    let hsm = hsm.with_asynchronous_sessions();
    assert_ne!(flags(&hsm, CKF_ASYNC_SESSION_SUPPORTED), 0);
    let plain = hsm.open_session(SLOT, true).unwrap();
    assert!(!hsm.is_asynchronous(plain));
    let own = hsm.open_asynchronous_session(SLOT, false).unwrap();
    assert!(hsm.is_asynchronous(own) && !hsm.is_asynchronous(plain));
    assert_eq!(hsm.session_info(own).unwrap().flags, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION);
    assert_eq!(hsm.session_info(plain).unwrap().flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    check(hsm.open_asynchronous_session(SlotId(99), true), CKR_SLOT_ID_INVALID);
}

#[test]
fn the_outcome_is_pending_then_told_once() {
    let (hsm, session) = asynchronous();
    for kind in [KEY, PAIR, None] {
        check(hsm.async_complete(session, kind), CKR_OPERATION_NOT_INITIALIZED);
        check(hsm.async_id(session, kind), CKR_OPERATION_NOT_INITIALIZED);
    }
    let work = begin(&hsm, session);
    check(hsm.async_complete(session, KEY), CKR_PENDING);
    check(hsm.async_complete(session, PAIR), CKR_OPERATION_NOT_INITIALIZED);
    check(hsm.async_complete(session, None), CKR_OPERATION_NOT_INITIALIZED);
    check(hsm.async_id(session, KEY), CKR_STATE_UNSAVEABLE);
    check(hsm.async_join(session), CKR_SAVED_STATE_INVALID);
    assert!(found(&hsm, session, &labelled("made")).is_empty(), "the session serves other calls");
    hsm.run(&work);
    check(hsm.async_complete(session, PAIR), CKR_OPERATION_NOT_INITIALIZED);
    let Done::Key(key) = hsm.async_complete(session, KEY).unwrap() else { panic!("not a key") };
    assert_eq!(found(&hsm, session, &labelled("made")), [key]);
    check(hsm.async_complete(session, KEY), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn a_pair_comes_as_two_handles_and_a_token_pair_is_in_the_store() {
    let (hsm, session) = asynchronous();
    let p256 = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
    let token = labelled("pair").with_flag(CKA_TOKEN, true);
    let public = token.clone().with(CKA_EC_PARAMS, &p256);
    let work = hsm.begin_generate_key_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, token).unwrap();
    hsm.run(&work);
    let Done::Pair(public, private) = hsm.async_complete(session, PAIR).unwrap() else { panic!("not a pair") };
    for (object, class) in [(public, CKO_PUBLIC_KEY), (private, CKO_PRIVATE_KEY)] {
        assert_eq!(found(&hsm, session, &labelled("pair").with_number(CKA_CLASS, class)), [object]);
    }
}

#[test]
fn a_session_has_one_at_a_time_and_another_session_its_own() {
    let (hsm, session) = asynchronous();
    let other = hsm.open_asynchronous_session(SLOT, true).unwrap();
    let (mine, theirs) = (begin(&hsm, session), begin(&hsm, other));
    let again = |session| hsm.begin_generate_key(session, plain(CKM_AES_KEY_GEN), aes()).map(drop);
    check(again(session), CKR_OPERATION_ACTIVE);
    hsm.run(&theirs);
    check(again(other), CKR_OPERATION_ACTIVE);
    hsm.async_complete(other, KEY).unwrap();
    check(again(other), CKR_OK);
    check(hsm.async_complete(session, KEY), CKR_PENDING);
    hsm.run(&mine);
    hsm.async_complete(session, KEY).unwrap();
}

#[test]
fn what_can_be_judged_at_once_is_and_leaves_nothing_going_on() {
    let (hsm, session) = asynchronous();
    let readable = hsm.open_asynchronous_session(SLOT, false).unwrap();
    let begun = |session, kind, template| hsm.begin_generate_key(session, plain(kind), template).map(drop);
    check(begun(session, 0x7FFF_FFFF, aes()), CKR_MECHANISM_INVALID);
    check(begun(readable, CKM_AES_KEY_GEN, aes().with_flag(CKA_TOKEN, true)), CKR_SESSION_READ_ONLY);
    hsm.logout(session).unwrap();
    check(begun(session, CKM_AES_KEY_GEN, aes()), CKR_USER_NOT_LOGGED_IN);
    check(begun(SessionHandle(1), CKM_AES_KEY_GEN, aes()), CKR_SESSION_HANDLE_INVALID);
    for session in [session, readable] {
        check(hsm.async_complete(session, KEY), CKR_OPERATION_NOT_INITIALIZED);
    }
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    let bad = hsm.begin_generate_key(session, plain(CKM_AES_KEY_GEN), Template::default()).unwrap();
    hsm.run(&bad);
    check(hsm.async_complete(session, KEY), CKR_TEMPLATE_INCOMPLETE);
    check(hsm.async_complete(session, KEY), CKR_OPERATION_NOT_INITIALIZED);
}

/// Everything that gives it up before its end: nothing is kept, and nobody is told.
#[test]
fn what_was_given_up_keeps_nothing() {
    type GiveUp = fn(&Hsm, SessionHandle);
    let ways: [(&str, GiveUp); 4] = [
        ("cancelled", |hsm, session| hsm.cancel_jobs(session, &[JobKind::GenerateKey]).unwrap()),
        ("closed", |hsm, session| hsm.close_session(session).unwrap()),
        ("all closed", |hsm, _| hsm.close_all_sessions(SLOT).unwrap()),
        ("out of use", |hsm, _| hsm.close()),
    ];
    for (way, give_up) in ways {
        let (hsm, session) = asynchronous();
        let template = aes().with_flag(CKA_TOKEN, true);
        let work = hsm.begin_generate_key(session, plain(CKM_AES_KEY_GEN), template).unwrap();
        check(hsm.cancel_jobs(session, &[JobKind::GenerateKeyPair]), CKR_OK);
        check(hsm.async_complete(session, KEY), CKR_PENDING);
        give_up(&hsm, session);
        hsm.run(&work);
        let session = hsm.open_session(SLOT, true).unwrap();
        let login = rv(hsm.login(session, CKU_USER, &pin(USER_PIN)));
        assert!([CKR_OK, CKR_USER_ALREADY_LOGGED_IN].contains(&login), "{way}");
        assert!(found(&hsm, session, &labelled("made")).is_empty(), "{way}");
    }
}

#[test]
fn a_cancelled_one_does_not_end_the_next_one() {
    let (hsm, session) = asynchronous();
    let given_up = begin(&hsm, session);
    hsm.cancel_jobs(session, &JobKind::ALL).unwrap();
    let next = begin(&hsm, session);
    hsm.run(&given_up);
    check(hsm.async_complete(session, KEY), CKR_PENDING);
    hsm.run(&next);
    let Done::Key(key) = hsm.async_complete(session, KEY).unwrap() else { panic!("not a key") };
    assert_eq!(found(&hsm, session, &labelled("made")), [key]);
}

#[test]
fn it_ends_with_its_login_even_if_the_user_comes_back() {
    let (hsm, session) = asynchronous();
    let work = begin(&hsm, session);
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    hsm.run(&work);
    check(hsm.async_complete(session, KEY), CKR_USER_NOT_LOGGED_IN);
    assert!(found(&hsm, session, &labelled("made")).is_empty());
}
