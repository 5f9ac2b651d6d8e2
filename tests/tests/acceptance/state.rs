//! The state of a digest, taken out of one session and put into another, also of another process.
//!
//! Rule source: PKCS#11 2.40, 5.6 (C_GetOperationState, C_SetOperationState). pkcs11-provider and SunPKCS11 make a second
//! digest of a common beginning like this.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, input, plain, sized};
use perilune_tests::{Raw, TOKEN_LABEL, child, ck, isolated};
use std::ptr::null_mut;

const HASHES: [CK_MECHANISM_TYPE; 5] = [CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512];

fn begin(raw: &Raw, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_TYPE) {
    assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(mechanism)), CKR_OK);
}

fn update(raw: &Raw, session: CK_SESSION_HANDLE, data: &[u8]) {
    let (data, length) = input(data);
    assert_eq!(ck!(raw, C_DigestUpdate, session, data, length), CKR_OK);
}

fn finish(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<Vec<u8>> {
    sized(|out, room| ck!(raw, C_DigestFinal, session, out, room))
}

fn digest(raw: &Raw, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_TYPE, data: &[u8]) -> Vec<u8> {
    begin(raw, session, mechanism);
    let (data, length) = input(data);
    sized(|out, room| ck!(raw, C_Digest, session, data, length, out, room)).expect("a digest")
}

fn state(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<Vec<u8>> {
    sized(|out, room| ck!(raw, C_GetOperationState, session, out, room))
}

fn restore(raw: &Raw, session: CK_SESSION_HANDLE, state: &[u8]) -> CK_RV {
    let (state, length) = input(state);
    ck!(raw, C_SetOperationState, session, state, length, 0, 0)
}

#[test]
fn a_digest_is_doubled_into_another_session_and_both_go_on() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let (one, other) = (raw.session(slot), raw.open(slot, CKF_SERIAL_SESSION).expect("a session"));
        for mechanism in HASHES {
            for beginning in [&b""[..], b"beginning", &[7; 64], &[8; 300]] {
                begin(&raw, one, mechanism);
                if !beginning.is_empty() {
                    update(&raw, one, beginning);
                }
                let saved = state(&raw, one).expect("a state");
                assert!(beginning.is_empty() || !saved.windows(beginning.len()).any(|part| part == beginning));
                assert_eq!(restore(&raw, other, &saved), CKR_OK);
                update(&raw, one, b"this");
                update(&raw, other, b"that");
                assert_eq!(finish(&raw, one), Ok(digest(&raw, one, mechanism, &[beginning, b"this"].concat())));
                assert_eq!(finish(&raw, other), Ok(digest(&raw, other, mechanism, &[beginning, b"that"].concat())));
                // A state may be used as often as one likes, also over what is under way.
                begin(&raw, one, CKM_SHA256);
                update(&raw, one, b"given up");
                assert_eq!(restore(&raw, one, &saved), CKR_OK);
                assert_eq!(finish(&raw, one), Ok(digest(&raw, one, mechanism, beginning)));
            }
        }
    });
}

#[test]
fn a_digest_goes_on_in_another_process() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "other" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            let saved = place.read("state");
            assert_eq!(restore(&raw, session, &saved), CKR_OK);
            update(&raw, session, b" and the end");
            let expected = digest(
                &raw,
                raw.session(raw.slot_of(TOKEN_LABEL).expect("the token")),
                CKM_SHA384,
                b"the beginning and the end",
            );
            assert_eq!(finish(&raw, session), Ok(expected));
            return;
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        begin(&raw, session, CKM_SHA384);
        update(&raw, session, b"the beginning");
        place.write("state", state(&raw, session).expect("a state"));
        child::role(place, "other", "").succeed();

        // It is worth nothing on another token, and nothing on this one when it is a new one.
        let saved = state(&raw, session).expect("a state");
        let second = raw.session(raw.new_token_named("another"));
        assert_eq!(restore(&raw, second, &saved), CKR_SAVED_STATE_INVALID);
        assert_eq!(ck!(raw, C_CloseAllSessions, slot), CKR_OK);
        assert_eq!(raw.init_token(slot, perilune_tests::SO_PIN, "renewed"), Ok(()));
        assert_eq!(restore(&raw, raw.session(slot), &saved), CKR_SAVED_STATE_INVALID);
    });
}

#[test]
fn a_state_that_was_changed_is_refused_and_nothing_is_given_up_for_it() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        begin(&raw, session, CKM_SHA256);
        update(&raw, session, b"abc");
        let saved = state(&raw, session).expect("a state");
        for at in 0..saved.len() {
            let mut bad = saved.clone();
            bad[at] ^= 0x10;
            assert_eq!(restore(&raw, session, &bad), CKR_SAVED_STATE_INVALID, "byte {at}");
            assert_eq!(restore(&raw, session, &saved[..at]), CKR_SAVED_STATE_INVALID, "{at} bytes");
        }
        assert_eq!(ck!(raw, C_SetOperationState, session, null_mut(), 8, 0, 0), CKR_ARGUMENTS_BAD);
        let (good, length) = input(&saved);
        let key = raw.aes(session, 16);
        assert_eq!(ck!(raw, C_SetOperationState, session, good, length, key, 0), CKR_KEY_NOT_NEEDED);
        assert_eq!(ck!(raw, C_SetOperationState, session, good, length, 0, key), CKR_KEY_NOT_NEEDED);
        let code = ck!(raw, C_SetOperationState, session + 99, good, length, 0, 0);
        assert_eq!(code, CKR_SESSION_HANDLE_INVALID);
        assert_eq!(finish(&raw, session), Ok(digest(&raw, session, CKM_SHA256, b"abc")));
    });
}

#[test]
fn what_has_no_state_says_so_and_goes_on() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (_, key) = raw.rsa(session);
        assert_eq!(state(&raw, session), Err(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(ck!(raw, C_FindObjectsInit, session, null_mut(), 0), CKR_OK);
        assert_eq!(state(&raw, session), Err(CKR_OPERATION_NOT_INITIALIZED), "a search is no cryptography");
        assert_eq!(ck!(raw, C_SignInit, session, &mut plain(CKM_RSA_PKCS), key), CKR_OK);
        assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE));
        begin(&raw, session, CKM_SHA256);
        assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE), "not beside a signature in one part");
        let (data, length) = input(&[7; 16]);
        let signature = sized(|out, room| ck!(raw, C_Sign, session, data, length, out, room));
        assert_eq!(signature.map(|signature| signature.len()), Ok(256), "the signature goes on");
        let saved = state(&raw, session).expect("the digest alone has a state");
        let mut room = saved.len() as CK_ULONG - 1;
        let mut out = vec![0; saved.len()];
        assert_eq!(ck!(raw, C_GetOperationState, session, out.as_mut_ptr(), &mut room), CKR_BUFFER_TOO_SMALL);
        assert_eq!((room, out), (saved.len() as CK_ULONG, vec![0; saved.len()]));
        assert_eq!(ck!(raw, C_GetOperationState, session, null_mut(), null_mut()), CKR_ARGUMENTS_BAD);
        assert_eq!(finish(&raw, session), Ok(digest(&raw, session, CKM_SHA256, b"")));
        // The search is no part of the state, so it is not given up.
        assert_eq!(restore(&raw, session, &saved), CKR_OK);
        assert_eq!(ck!(raw, C_FindObjectsFinal, session), CKR_OK);
    });
}
