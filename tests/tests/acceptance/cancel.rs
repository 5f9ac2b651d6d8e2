//! Giving operations up: C_SessionCancel with each flag and with several, and a NULL mechanism at each init.
//!
//! Rule source: PKCS#11 3.0, 5.6.8 (C_SessionCancel) and the last paragraphs of C_EncryptInit and its sisters.

use crate::functions::call;
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Raw, Template, ck, isolated};
use std::ptr::null_mut;

/// A session with keys for every kind of operation.
struct Desk {
    raw: Raw,
    session: CK_SESSION_HANDLE,
    aes: CK_OBJECT_HANDLE,
    hmac: CK_OBJECT_HANDLE,
}

/// One kind of operation: its flag, how it begins (or, with NULL, ends), and a call that goes on with it.
struct Kind {
    name: &'static str,
    flag: CK_FLAGS,
    init: fn(&Desk, *mut CK_MECHANISM) -> CK_RV,
    goes_on: fn(&Desk) -> CK_RV,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "encrypt",
        flag: CKF_ENCRYPT,
        init: |desk, mechanism| ck!(desk.raw, C_EncryptInit, desk.session, mechanism, desk.aes),
        goes_on: |desk| {
            let (mut out, mut room) = ([0; 64], 64);
            ck!(desk.raw, C_EncryptUpdate, desk.session, [7; 16].as_mut_ptr(), 16, out.as_mut_ptr(), &mut room)
        },
    },
    Kind {
        name: "decrypt",
        flag: CKF_DECRYPT,
        init: |desk, mechanism| ck!(desk.raw, C_DecryptInit, desk.session, mechanism, desk.aes),
        goes_on: |desk| {
            let (mut out, mut room) = ([0; 64], 64);
            ck!(desk.raw, C_DecryptUpdate, desk.session, [7; 16].as_mut_ptr(), 16, out.as_mut_ptr(), &mut room)
        },
    },
    Kind {
        name: "digest",
        flag: CKF_DIGEST,
        init: |desk, mechanism| ck!(desk.raw, C_DigestInit, desk.session, mechanism),
        goes_on: |desk| ck!(desk.raw, C_DigestUpdate, desk.session, [7; 16].as_mut_ptr(), 16),
    },
    Kind {
        name: "sign",
        flag: CKF_SIGN,
        init: |desk, mechanism| ck!(desk.raw, C_SignInit, desk.session, mechanism, desk.hmac),
        goes_on: |desk| ck!(desk.raw, C_SignUpdate, desk.session, [7; 16].as_mut_ptr(), 16),
    },
    Kind {
        name: "verify",
        flag: CKF_VERIFY,
        init: |desk, mechanism| ck!(desk.raw, C_VerifyInit, desk.session, mechanism, desk.hmac),
        goes_on: |desk| ck!(desk.raw, C_VerifyUpdate, desk.session, [7; 16].as_mut_ptr(), 16),
    },
];

impl Desk {
    fn new() -> Self {
        let raw = Raw::start();
        let session = raw.user_session();
        let usable = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_SIGN, true).flag(CKA_VERIFY, true);
        let hmac = raw.generate(session, plain(CKM_GENERIC_SECRET_KEY_GEN), usable).expect("a key");
        let aes = raw.aes(session, 32);
        Self { raw, session, aes, hmac }
    }

    fn begin(&self, kind: &Kind) {
        let mechanism = match kind.flag {
            CKF_ENCRYPT | CKF_DECRYPT => CKM_AES_ECB,
            CKF_DIGEST => CKM_SHA256,
            _ => CKM_SHA256_HMAC,
        };
        assert_eq!((kind.init)(self, &mut plain(mechanism)), CKR_OK, "{}", kind.name);
    }

    fn begin_all(&self) {
        KINDS.iter().for_each(|kind| self.begin(kind));
        assert_eq!(ck!(self.raw, C_FindObjectsInit, self.session, null_mut(), 0), CKR_OK);
    }

    fn cancel(&self, flags: CK_FLAGS) -> CK_RV {
        call(&self.raw, "C_SessionCancel", &[self.session as usize, flags as usize])
    }

    fn search(&self) -> CK_RV {
        let (mut object, mut count) = (0, 0);
        ck!(self.raw, C_FindObjects, self.session, &mut object, 1, &mut count)
    }

    /// Asserts which operations are active, by flag; to be told otherwise ends none.
    fn check_active(&self, flags: CK_FLAGS, when: &str) {
        for kind in &KINDS {
            let expected = if flags & kind.flag == 0 { CKR_OPERATION_NOT_INITIALIZED } else { CKR_OK };
            assert_eq!((kind.goes_on)(self), expected, "{} {when}", kind.name);
        }
        let expected = if flags & CKF_FIND_OBJECTS == 0 { CKR_OPERATION_NOT_INITIALIZED } else { CKR_OK };
        assert_eq!(self.search(), expected, "find {when}");
    }
}

const ALL: CK_FLAGS = CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_VERIFY | CKF_FIND_OBJECTS;

#[test]
fn each_flag_ends_its_operation_in_the_middle_and_no_other() {
    isolated!(|_, _| {
        let desk = Desk::new();
        for flag in KINDS.iter().map(|kind| kind.flag).chain([CKF_FIND_OBJECTS]) {
            desk.begin_all();
            desk.check_active(ALL, "after the beginning");
            assert_eq!(desk.cancel(flag), CKR_OK);
            desk.check_active(ALL & !flag, &format!("after {flag:#x}"));
            assert_eq!(desk.cancel(ALL), CKR_OK);
        }
    });
}

#[test]
fn several_flags_end_several_operations_and_all_can_begin_again() {
    isolated!(|_, _| {
        let desk = Desk::new();
        desk.begin_all();
        assert_eq!(desk.cancel(CKF_DIGEST | CKF_SIGN | CKF_FIND_OBJECTS), CKR_OK);
        desk.check_active(CKF_ENCRYPT | CKF_DECRYPT | CKF_VERIFY, "after three flags");
        assert_eq!(desk.cancel(CK_FLAGS::MAX), CKR_OK, "also flags that no operation has");
        desk.check_active(0, "after all flags");
        desk.begin_all();
        desk.check_active(ALL, "begun again");
    });
}

#[test]
fn to_cancel_nothing_is_no_fault_and_changes_nothing() {
    isolated!(|_, _| {
        let desk = Desk::new();
        assert_eq!(desk.cancel(ALL), CKR_OK, "nothing is active");
        desk.begin_all();
        assert_eq!(desk.cancel(0), CKR_OK, "no flag");
        assert_eq!(desk.cancel(CKF_WRAP | CKF_DERIVE | CKF_HW), CKR_OK, "flags of functions without operations");
        desk.check_active(ALL, "after cancelling nothing");
        for flags in [0, ALL] {
            let code = call(&desk.raw, "C_SessionCancel", &[desk.session as usize + 999, flags as usize]);
            assert_eq!(code, CKR_SESSION_HANDLE_INVALID);
        }
    });
}

#[test]
fn a_null_mechanism_ends_the_operation_of_each_kind_and_no_other() {
    isolated!(|_, _| {
        let desk = Desk::new();
        for kind in &KINDS {
            assert_eq!((kind.init)(&desk, null_mut()), CKR_ARGUMENTS_BAD, "{}: there is nothing to end", kind.name);
            desk.begin_all();
            desk.check_active(ALL, "after the beginning");
            assert_eq!((kind.init)(&desk, null_mut()), CKR_OK, "{}", kind.name);
            desk.check_active(ALL & !kind.flag, kind.name);
            desk.begin(kind);
            desk.check_active(ALL, "begun again");
            assert_eq!(desk.cancel(ALL), CKR_OK);
        }
    });
}
