//! What one process does to a token's roles, and what another one that uses it finds at its next call.
//!
//! Rule source: PKCS#11 2.40, 5.5 and 5.6: a login belongs to one application, a PIN and its counter to the token. Objects
//! are in `processes`, the counters themselves in `pins`.

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};

/// A pair on the token, with which the process under test keeps signing.
fn key(raw: &Raw, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let more = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "key");
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair").1
}

fn signs(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Answer<()> {
    raw.sign(session, plain(CKM_ECDSA), key, &[3; 32]).map(|_signature| ())
}

fn state(raw: &Raw, session: CK_SESSION_HANDLE) -> CK_STATE {
    let mut info = CK_SESSION_INFO::default();
    assert_eq!(ck!(raw, C_GetSessionInfo, session, &mut info), CKR_OK);
    info.state
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &str, new: &str) -> Answer<()> {
    let (old_length, new_length) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
    answer(ck!(raw, C_SetPIN, session, old.as_ptr().cast_mut(), old_length, new.as_ptr().cast_mut(), new_length))
}

#[test]
fn a_lock_out_by_one_process_refuses_the_right_pin_in_another_and_leaves_its_login_alone() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "guesser" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            let answers: Vec<_> = (0..11).map(|_| raw.login(session, CKU_USER, "wrong-pin")).collect();
            assert_eq!(answers[..10], [Err(CKR_PIN_INCORRECT); 10]);
            assert_eq!(answers[10], Err(CKR_PIN_LOCKED));
            return;
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let key = key(&raw, session);
        child::role(place, "guesser", "").succeed();
        assert_eq!(signs(&raw, session, key), Ok(()), "who is in stays in");
        assert_ne!(raw.token_info(slot).expect("a token").flags & CKF_USER_PIN_LOCKED, 0);
        assert_eq!(set_pin(&raw, session, USER_PIN, "another-pin"), Err(CKR_PIN_LOCKED));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED));
    });
}

#[test]
fn a_pin_changed_by_one_process_is_the_only_one_in_another_and_leaves_its_login_alone() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "changer" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            assert_eq!(set_pin(&raw, session, USER_PIN, "changed-pin"), Ok(()));
            return;
        }
        let session = raw.user_session();
        let key = key(&raw, session);
        child::role(place, "changer", "").succeed();
        assert_eq!(signs(&raw, session, key), Ok(()), "who is in stays in");
        assert_eq!(set_pin(&raw, session, USER_PIN, "third-pin"), Err(CKR_PIN_INCORRECT), "the old one is over");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_USER, "changed-pin"), Ok(()));
        assert_eq!(signs(&raw, session, key), Ok(()), "and the handle is what it was");
    });
}

#[test]
fn a_pin_that_the_so_of_one_process_gives_frees_the_user_of_another() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "officer" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
            let pin = "given-pin";
            assert_eq!(ck!(raw, C_InitPIN, session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG), CKR_OK);
            return;
        }
        let session = raw.session(raw.new_token());
        for _ in 0..10 {
            assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        }
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED));
        child::role(place, "officer", "").succeed();
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_USER, "given-pin"), Ok(()));
    });
}

#[test]
fn login_and_logout_of_one_process_change_nothing_in_another() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "visitor" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            assert_eq!(state(&raw, session), CKS_RW_PUBLIC_SESSION, "another's login is not mine");
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()), "the SO, while the user is in elsewhere");
            assert_eq!(ck!(raw, C_CloseAllSessions, raw.slot_of(TOKEN_LABEL).expect("the token")), CKR_OK);
            return;
        }
        let session = raw.user_session();
        let key = key(&raw, session);
        child::role(place, "visitor", "").succeed();
        assert_eq!(state(&raw, session), CKS_RW_USER_FUNCTIONS);
        assert_eq!(signs(&raw, session, key), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        let child = child::role(place, "visitor", "");
        child.succeed();
        assert_eq!(state(&raw, session), CKS_RW_PUBLIC_SESSION);
        assert_eq!(signs(&raw, session, key), Err(CKR_KEY_HANDLE_INVALID));
    });
}

/// What the process "wiper" does to the token that another one uses.
fn initialise_anew(raw: &Raw) {
    let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
    assert_eq!(raw.init_token(slot, SO_PIN, "renewed"), Ok(()));
}

#[test]
fn a_token_initialised_anew_by_one_process_is_a_new_one_for_another_that_was_using_it() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "wiper" {
            return initialise_anew(&raw);
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let key = key(&raw, session);
        let mine = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_PRIVATE, false);
        raw.create(session, mine.text(CKA_LABEL, "of the session")).expect("a session object");
        child::role(place, "wiper", "").succeed();

        assert_eq!(signs(&raw, session, key), Err(CKR_KEY_HANDLE_INVALID), "the key is gone");
        assert_eq!(raw.attribute(session, key, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(state(&raw, session), CKS_RW_PUBLIC_SESSION, "the login is over");
        assert_eq!(raw.find(session, Template::new(), 10), [], "nothing of the old token is left");
        assert_eq!(raw.slot_of("renewed"), Some(slot));
        let stored = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
        let private = stored.clone().flag(CKA_PRIVATE, true);
        assert_eq!(raw.create(session, private), Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_USER_PIN_NOT_INITIALIZED));
        raw.create(session, stored.flag(CKA_PRIVATE, false)).expect("the session serves the new token");
    });
}

#[test]
fn an_operation_begun_before_the_token_was_initialised_anew_does_not_outlive_the_next_look() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "wiper" {
            return initialise_anew(&raw);
        }
        let session = raw.user_session();
        let key = key(&raw, session);
        let mut mechanism = plain(CKM_ECDSA);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, key), CKR_OK);
        child::role(place, "wiper", "").succeed();
        assert_eq!(raw.find(session, Template::new(), 10), []);
        let (mut signature, mut room) = ([0; 64], 64);
        let data = [3; 32];
        let code = ck!(raw, C_Sign, session, data.as_ptr().cast_mut(), 32, signature.as_mut_ptr(), &mut room);
        assert!([CKR_OPERATION_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN].contains(&code), "{code:#x}");
        assert_eq!(signature, [0; 64], "nothing was signed");
    });
}

/// Making a session object asks nobody, so it may come between the end of the token and the look that notices it.
#[test]
fn a_session_object_made_before_a_token_initialised_anew_was_noticed_does_not_outlive_the_next_look() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "wiper" {
            return initialise_anew(&raw);
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        child::role(place, "wiper", "").succeed();
        let second = raw.session(slot);
        let own = raw.generate(second, plain(CKM_AES_KEY_GEN), Template::new().number(CKA_VALUE_LEN, 32));
        let stored = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true);
        assert_eq!(raw.generate(second, plain(CKM_AES_KEY_GEN), stored), Err(CKR_USER_NOT_LOGGED_IN));
        if let Ok(own) = own {
            assert_eq!(raw.attribute(second, own, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
        }
        assert_eq!(raw.find(second, Template::new(), 10), []);
        assert_eq!(state(&raw, second), CKS_RW_PUBLIC_SESSION);
    });
}
