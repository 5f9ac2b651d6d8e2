//! C_LoginUser and C_GetSessionValidationFlags: what they say of a token whose users have no names and that nobody validated.
//!
//! Rule source: PKCS#11 3.0, 5.6 (C_LoginUser); 3.2, 5.6 (C_GetSessionValidationFlags) and 4.15.3 (validation indicators).

use crate::functions::call;
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Raw, SO_PIN, TOKEN_LABEL, USER_PIN, ck, isolated};

fn login_user(raw: &Raw, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &str, name: &str) -> CK_RV {
    let words = [session as usize, user as usize, pin.as_ptr() as usize, pin.len(), name.as_ptr() as usize, name.len()];
    call(raw, "C_LoginUser", &words)
}

fn state(raw: &Raw, session: CK_SESSION_HANDLE) -> CK_STATE {
    let mut info = CK_SESSION_INFO::default();
    assert_eq!(ck!(raw, C_GetSessionInfo, session, &mut info), CKR_OK);
    info.state
}

#[test]
fn without_a_name_it_is_a_login_in_every_way() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        assert_eq!(login_user(&raw, session, CKU_USER, "wrong-pin", ""), CKR_PIN_INCORRECT);
        assert_eq!(login_user(&raw, session, CKU_USER, "x", ""), CKR_PIN_LEN_RANGE);
        assert_eq!(login_user(&raw, session, 77, USER_PIN, ""), CKR_USER_TYPE_INVALID);
        assert_eq!(login_user(&raw, session, CKU_CONTEXT_SPECIFIC, USER_PIN, ""), CKR_OPERATION_NOT_INITIALIZED);
        let nobody = [session as usize, CKU_USER as usize, 0, 0, 0, 0];
        assert_eq!(call(&raw, "C_LoginUser", &nobody), CKR_ARGUMENTS_BAD, "there is no PIN pad");
        for (user, pin, expected) in
            [(CKU_SO, SO_PIN, CKS_RW_SO_FUNCTIONS), (CKU_USER, USER_PIN, CKS_RW_USER_FUNCTIONS)]
        {
            assert_eq!(login_user(&raw, session, user, pin, ""), CKR_OK);
            assert_eq!(state(&raw, session), expected);
            assert_eq!(login_user(&raw, session, user, pin, ""), CKR_USER_ALREADY_LOGGED_IN);
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        }
    });
}

#[test]
fn a_name_is_refused_and_costs_no_try() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        for (user, pin) in [(CKU_USER, USER_PIN), (CKU_USER, "wrong-pin"), (CKU_SO, SO_PIN)] {
            assert_eq!(login_user(&raw, session, user, pin, "alice"), CKR_ARGUMENTS_BAD);
        }
        // A length without a name is no name, and is never read.
        let words = [session as usize, CKU_USER as usize, USER_PIN.as_ptr() as usize, USER_PIN.len(), 0, usize::MAX];
        assert_eq!(call(&raw, "C_LoginUser", &words), CKR_ARGUMENTS_BAD);
        assert_eq!(login_user(&raw, session + 999, CKU_USER, USER_PIN, "alice"), CKR_SESSION_HANDLE_INVALID);
        let flags = raw.token_info(raw.slot_of(TOKEN_LABEL).expect("the token")).expect("a token").flags;
        assert_eq!(flags & (CKF_USER_PIN_COUNT_LOW | CKF_SO_PIN_COUNT_LOW), 0);
        assert_eq!(state(&raw, session), CKS_RW_PUBLIC_SESSION);
    });
}

#[test]
fn no_operation_was_a_validated_one() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let mut flags: CK_FLAGS = 7;
        let place = std::ptr::from_mut(&mut flags) as usize;
        let ask = |session: CK_SESSION_HANDLE, kind: CK_ULONG, place: usize| {
            call(&raw, "C_GetSessionValidationFlags", &[session as usize, kind as usize, place])
        };
        assert_eq!(ask(session, CKS_LAST_VALIDATION_OK, place), CKR_OK);
        assert_eq!(flags, 0);
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        let (mut digest, mut room) = ([0; 32], 32);
        assert_eq!(ck!(raw, C_Digest, session, [1; 3].as_mut_ptr(), 3, digest.as_mut_ptr(), &mut room), CKR_OK);
        assert_eq!((ask(session, CKS_LAST_VALIDATION_OK, place), flags), (CKR_OK, 0));
        for kind in [0, 2, CK_ULONG::MAX] {
            assert_eq!(ask(session, kind, place), CKR_ARGUMENTS_BAD);
        }
        assert_eq!(ask(session, CKS_LAST_VALIDATION_OK, 0), CKR_ARGUMENTS_BAD);
        assert_eq!(ask(session + 999, CKS_LAST_VALIDATION_OK, place), CKR_SESSION_HANDLE_INVALID);
        assert_eq!(ask(session + 999, 2, place), CKR_SESSION_HANDLE_INVALID);
    });
}
