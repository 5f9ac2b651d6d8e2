//! PINs: what a wrong one costs, what a right one writes, and who may set which.
//!
//! Rule source: PKCS#11 2.40, 5.5 (PIN flags), 5.6 (C_Login). Counters count across processes.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};

fn flags(raw: &Raw) -> CK_FLAGS {
    let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
    raw.token_info(slot).expect("a token").flags
}

fn init_pin(raw: &Raw, session: CK_SESSION_HANDLE, pin: &str) -> Answer<()> {
    answer(ck!(raw, C_InitPIN, session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &str, new: &str) -> Answer<()> {
    let (old_length, new_length) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
    answer(ck!(raw, C_SetPIN, session, old.as_ptr().cast_mut(), old_length, new.as_ptr().cast_mut(), new_length))
}

#[test]
fn ten_wrong_pins_over_several_processes_lock_the_user_and_the_so_frees_him() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "guess" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            for _ in 0..child::word().parse::<u32>().expect("a number") {
                assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            }
            return;
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        child::role(place, "guess", "4").succeed();
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert_ne!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0, "this process sees the other's guesses");
        assert_eq!(flags(&raw) & CKF_USER_PIN_FINAL_TRY, 0);
        child::role(place, "guess", "4").succeed();
        assert_ne!(flags(&raw) & CKF_USER_PIN_FINAL_TRY, 0, "nine of ten are gone");
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert_ne!(flags(&raw) & CKF_USER_PIN_LOCKED, 0);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED), "the right PIN comes too late");

        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "new-user-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(flags(&raw) & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW), 0);
        assert_eq!(raw.login(session, CKU_USER, "new-user-pin"), Ok(()));
    });
}

#[test]
fn objects_survive_the_lock_and_the_new_pin() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true).text(CKA_LABEL, "kept");
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), template).expect("a key");
        let before = raw.encrypt(session, plain(CKM_AES_ECB), key, &[1; 16]).expect("encrypted");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        for _ in 0..10 {
            assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        }
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED));
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "second-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, "second-pin"), Ok(()));
        let found = raw.find(session, Template::new().text(CKA_LABEL, "kept"), 10);
        assert_eq!(found.len(), 1);
        assert_eq!(raw.encrypt(session, plain(CKM_AES_ECB), found[0], &[1; 16]), Ok(before));
    });
}

#[test]
fn a_right_pin_resets_the_count() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        for _ in 0..3 {
            for _ in 0..9 {
                assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            }
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            assert_eq!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0);
        }
    });
}

#[test]
fn ten_wrong_so_pins_lock_the_so_for_good() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        for _ in 0..10 {
            assert_eq!(raw.login(session, CKU_SO, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        }
        assert_ne!(flags(&raw) & CKF_SO_PIN_LOCKED, 0);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Err(CKR_PIN_LOCKED));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()), "the user is not concerned");
    });
}

#[test]
fn a_pin_of_an_impossible_length_costs_no_try() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        let long = "x".repeat(256);
        for _ in 0..12 {
            for pin in ["", "abc", long.as_str()] {
                let code = raw.login(session, CKU_USER, pin);
                assert!(matches!(code, Err(CKR_PIN_LEN_RANGE | CKR_PIN_INCORRECT | CKR_ARGUMENTS_BAD)), "{code:?}");
            }
        }
        assert_eq!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        for pin in ["", "abc", long.as_str()] {
            assert_eq!(set_pin(&raw, session, USER_PIN, pin), Err(CKR_PIN_LEN_RANGE));
        }
        assert_eq!(set_pin(&raw, session, USER_PIN, &"y".repeat(255)), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, &"y".repeat(255)), Ok(()));
    });
}

#[test]
fn pins_are_changed_by_their_owner_and_by_nobody_else() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(init_pin(&raw, session, "1234"), Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "1234"), Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(set_pin(&raw, session, "wrong-pin", "1234"), Err(CKR_PIN_INCORRECT));
        assert_eq!(set_pin(&raw, session, USER_PIN, "changed"), Ok(()));
        let reader = raw.open(slot, CKF_SERIAL_SESSION).expect("a session");
        assert_eq!(set_pin(&raw, reader, "changed", "1234"), Err(CKR_SESSION_READ_ONLY));
        assert_eq!(ck!(raw, C_CloseSession, reader), CKR_OK);
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_USER, "changed"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(set_pin(&raw, session, SO_PIN, "new-so-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_SO, "new-so-pin"), Ok(()));
        // A user who is no role of this token.
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, 77, USER_PIN), Err(CKR_USER_TYPE_INVALID));
        assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Err(CKR_OPERATION_NOT_INITIALIZED));
    });
}

#[test]
fn a_login_writes_nothing_unless_a_counter_changes() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        let key = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        raw.generate(session, plain(CKM_AES_KEY_GEN), key).expect("a key");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        // Once before, so that a lease or a first start is not taken for the login's doing.
        raw.finalize();
        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        let before = place.store_content();
        assert!(!before.is_empty());
        for _ in 0..5 {
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            assert_eq!(raw.find(session, Template::new(), 10).len(), 1);
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        }
        let names =
            |content: &[(std::path::PathBuf, Vec<u8>)]| content.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        let after = place.store_content();
        assert_eq!(names(&after), names(&before));
        assert!(after == before, "a login changed the store");
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert!(place.store_content() != before, "a wrong PIN is written down");
    });
}

#[test]
fn a_key_that_always_asks_is_used_once_for_each_pin() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048);
        let private = Template::new().flag(CKA_ALWAYS_AUTHENTICATE, true).flag(CKA_PRIVATE, true).flag(CKA_SIGN, true);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair");
        assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Err(CKR_OPERATION_NOT_INITIALIZED));
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);
        for _ in 0..2 {
            assert_eq!(raw.sign(session, mechanism, private, b"data"), Err(CKR_USER_NOT_LOGGED_IN));
            assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, private), CKR_OK);
            assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Ok(()));
            let (data, length) = perilune_tests::raw::input(b"data");
            let signature = perilune_tests::raw::sized(|out, room| ck!(raw, C_Sign, session, data, length, out, room));
            let signature = signature.expect("signed");
            assert_eq!(raw.verify(session, mechanism, public, b"data", &signature), Ok(()));
        }
    });
}
