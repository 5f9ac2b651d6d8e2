//! Asynchronous sessions: a pair is made while its caller does other things, and nothing waits for it that must not.
//!
//! Rule source: PKCS#11 3.2, 5.6 (C_OpenSession, C_CloseSession, C_SessionCancel) and 5.21 (C_AsyncComplete and its sisters).

use crate::functions::call;
use perilune_tests::child::forked;
use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, plain};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

const SESSION: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;
/// A size that takes a while, so that what is asserted meanwhile is asserted in time.
const BITS: CK_ULONG = 4096;
const PATIENCE: Duration = Duration::from_secs(200);

/// An asynchronous session of the user.
fn session(raw: &Raw) -> CK_SESSION_HANDLE {
    let slot = raw.slot_of(TOKEN_LABEL).unwrap_or_else(|| raw.new_token());
    let session = raw.open(slot, SESSION | CKF_ASYNC_SESSION).expect("an asynchronous session");
    assert!(matches!(raw.login(session, CKU_USER, USER_PIN), Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN)));
    session
}

/// Begins an RSA pair in the token.
fn begin(raw: &Raw, session: CK_SESSION_HANDLE, bits: CK_ULONG) -> CK_RV {
    let both = Template::new().text(CKA_LABEL, "slow").flag(CKA_TOKEN, true);
    let public = both.clone().number(CKA_MODULUS_BITS, bits).flag(CKA_VERIFY, true);
    let private = both.flag(CKA_SIGN, true);
    match raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private) {
        Ok(_) => CKR_OK,
        Err(code) => code,
    }
}

fn complete(raw: &Raw, session: CK_SESSION_HANDLE, name: &std::ffi::CStr) -> Answer<CK_ASYNC_DATA> {
    let mut data = CK_ASYNC_DATA { ulVersion: 0, pValue: null_mut(), ulValue: 7, hObject: 0, hAdditionalObject: 0 };
    let words = [session as usize, name.as_ptr() as usize, std::ptr::from_mut(&mut data) as usize];
    match call(raw, "C_AsyncComplete", &words) {
        CKR_OK => Ok(data),
        code => {
            assert_eq!((data.hObject, data.hAdditionalObject), (0, 0), "nothing is written with {code:#x}");
            Err(code)
        }
    }
}

fn outcome(raw: &Raw, session: CK_SESSION_HANDLE, name: &std::ffi::CStr) -> Answer<CK_ASYNC_DATA> {
    let begin = Instant::now();
    loop {
        match complete(raw, session, name) {
            Err(CKR_PENDING) => assert!(begin.elapsed() < PATIENCE, "still going on"),
            other => return other,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

fn slow_objects(raw: &Raw, session: CK_SESSION_HANDLE) -> usize {
    raw.find(session, Template::new().text(CKA_LABEL, "slow"), 10).len()
}

#[test]
fn a_pair_is_made_while_its_session_serves_other_calls() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = session(&raw);
        let before = threads();
        assert_eq!(begin(&raw, session, BITS), CKR_PENDING);
        assert_eq!(complete(&raw, session, c"C_Sign").err(), Some(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(complete(&raw, session, c"C_GenerateKey").err(), Some(CKR_OPERATION_NOT_INITIALIZED));
        assert!(matches!(begin(&raw, session, 2048), CKR_OPERATION_ACTIVE));
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), Template::new().number(CKA_VALUE_LEN, 16));
        assert_eq!(key, Err(CKR_OPERATION_ACTIVE), "one at a time");
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        let done = outcome(&raw, session, c"C_GenerateKeyPair").expect("a pair");
        assert_eq!(ck!(raw, C_DigestInit, session, null_mut()), CKR_OK, "the digest was there all the time");
        assert_eq!((done.ulVersion, done.pValue, done.ulValue), (0, null_mut(), 7), "there is no output buffer");
        let (public, private) = (done.hObject, done.hAdditionalObject);
        let signature = raw.sign(session, plain(CKM_SHA256_RSA_PKCS), private, b"data").expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_SHA256_RSA_PKCS), public, b"data", &signature), Ok(()));
        assert_eq!(complete(&raw, session, c"C_GenerateKeyPair").err(), Some(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(slow_objects(&raw, session), 2);
        let begun = Instant::now();
        while threads() != before {
            assert!(begun.elapsed() < PATIENCE, "the thread lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn the_other_functions_say_what_cannot_be() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = session(&raw);
        let mut number = 0;
        let place = std::ptr::from_mut(&mut number) as usize;
        let (pair, key) = (c"C_GenerateKeyPair".as_ptr() as usize, c"C_GenerateKey".as_ptr() as usize);
        let handle = session as usize;
        assert_eq!(call(&raw, "C_AsyncGetID", &[handle, pair, place]), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(begin(&raw, session, BITS), CKR_PENDING);
        assert_eq!(call(&raw, "C_AsyncGetID", &[handle, pair, place]), CKR_STATE_UNSAVEABLE);
        assert_eq!(call(&raw, "C_AsyncGetID", &[handle, key, place]), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(call(&raw, "C_AsyncJoin", &[handle, pair, 1, 0, 0]), CKR_SAVED_STATE_INVALID);
        for (name, words) in [
            ("C_AsyncComplete", [handle, 0, place]),
            ("C_AsyncComplete", [handle, pair, 0]),
            ("C_AsyncGetID", [handle, 0, place]),
            ("C_AsyncGetID", [handle, pair, 0]),
            ("C_AsyncJoin", [handle, 0, 1]),
        ] {
            assert_eq!(call(&raw, name, &words), CKR_ARGUMENTS_BAD, "{name}");
        }
        for name in ["C_AsyncComplete", "C_AsyncGetID", "C_AsyncJoin"] {
            assert_eq!(call(&raw, name, &[handle + 999, pair, place]), CKR_SESSION_HANDLE_INVALID, "{name}");
        }
        assert_eq!(call(&raw, "C_SessionCancel", &[handle, CKF_GENERATE as usize]), CKR_OK, "another function's flag");
        assert_eq!(complete(&raw, session, c"C_GenerateKeyPair").err(), Some(CKR_PENDING));
        assert_eq!(call(&raw, "C_SessionCancel", &[handle, CKF_GENERATE_KEY_PAIR as usize]), CKR_OK);
        assert_eq!(complete(&raw, session, c"C_GenerateKeyPair").err(), Some(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(begin(&raw, session, 2048), CKR_PENDING, "at once");
        outcome(&raw, session, c"C_GenerateKeyPair").expect("the second pair");
        assert_eq!(slow_objects(&raw, session), 2, "and no other");
    });
}

#[test]
fn closing_the_session_and_finalising_give_it_up() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let idle = threads();
        let first = session(&raw);
        let other = session(&raw);
        assert_eq!(begin(&raw, first, BITS), CKR_PENDING);
        assert_eq!(ck!(raw, C_CloseSession, first), CKR_OK);
        let third = session(&raw);
        assert_eq!(begin(&raw, third, BITS), CKR_PENDING);
        let begun = Instant::now();
        raw.finalize();
        assert!(begun.elapsed() < Duration::from_secs(60), "a second on an idle machine");
        assert_eq!(complete(&raw, other, c"C_GenerateKeyPair").err(), Some(CKR_CRYPTOKI_NOT_INITIALIZED));
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        let session = session(&raw);
        let begun = Instant::now();
        while threads() > idle && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(slow_objects(&raw, session), 0, "nothing of what was given up was kept");
    });
}

#[test]
fn a_fork_while_a_pair_is_made_leaves_it_to_the_parent() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let mine = session(&raw);
        assert_eq!(begin(&raw, mine, BITS), CKR_PENDING);
        for _ in 0..3 {
            let code = forked(|| {
                assert_eq!(complete(&raw, mine, c"C_GenerateKeyPair").err(), Some(CKR_CRYPTOKI_NOT_INITIALIZED));
                assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
                let own = session(&raw);
                assert_eq!(begin(&raw, own, 2048), CKR_PENDING);
                outcome(&raw, own, c"C_GenerateKeyPair").expect("the child's own pair");
                raw.finalize();
                0
            });
            assert_eq!(code, 0);
        }
        outcome(&raw, mine, c"C_GenerateKeyPair").expect("the parent's pair");
        assert_eq!(slow_objects(&raw, mine), 8, "a pair of each process");
    });
}

#[test]
fn a_process_may_leave_while_a_pair_is_made() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "leave" {
            let session = session(&raw);
            assert_eq!(begin(&raw, session, 8192), CKR_PENDING);
            return raw.forget();
        }
        raw.new_token();
        for _ in 0..3 {
            let begun = Instant::now();
            child::role(place, "leave", "").succeed();
            assert!(begun.elapsed() < PATIENCE);
        }
    });
}

#[test]
fn where_the_application_forbids_threads_no_session_is_asynchronous() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let mut arguments = CK_C_INITIALIZE_ARGS {
            flags: CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK,
            ..Default::default()
        };
        assert_eq!(ck!(raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast()), CKR_OK);
        let slot = raw.new_token();
        assert_eq!(raw.token_info(slot).expect("a token").flags & CKF_ASYNC_SESSION_SUPPORTED, 0);
        assert_eq!(raw.open(slot, SESSION | CKF_ASYNC_SESSION), Err(CKR_SESSION_ASYNC_NOT_SUPPORTED));
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(begin(&raw, session, 2048), CKR_OK);
        raw.finalize();
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        assert_ne!(raw.token_info(slot).expect("a token").flags & CKF_ASYNC_SESSION_SUPPORTED, 0);
        let session = session_without_flag(&raw, slot);
        assert_eq!(begin(&raw, session, 2048), CKR_OK, "without CKF_ASYNC_SESSION nothing goes on by itself");
    });
}

fn session_without_flag(raw: &Raw, slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
    let session = raw.session(slot);
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}
