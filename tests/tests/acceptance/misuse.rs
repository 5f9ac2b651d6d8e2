//! Hostile templates, counts and values: refused with the right word, and nothing is harmed.
//!
//! Rule source: PKCS#11 2.40, 5.1 (return values), and the catalogue of crashes of other modules.

use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Raw, Template, ck, isolated};
use std::ptr::null_mut;

const COUNTS: [CK_ULONG; 5] =
    [CK_ULONG::MAX, CK_ULONG::MAX / 24, CK_ULONG::MAX / 24 + 1, isize::MAX as CK_ULONG, 1 << 32];

#[test]
fn template_counts_beyond_any_memory_are_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let mut one = Template::new().number(CKA_CLASS, CKO_DATA);
        let mut list = one.attributes();
        for pointer in [list.as_mut_ptr(), null_mut()] {
            for count in COUNTS {
                let mut out = 0;
                let mut generate = plain(CKM_AES_KEY_GEN);
                let mut pair = plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
                let mut mechanism = plain(CKM_AES_KEY_WRAP);
                let mut second = 0;
                let codes = [
                    ck!(raw, C_CreateObject, session, pointer, count, &mut out),
                    ck!(raw, C_CopyObject, session, key, pointer, count, &mut out),
                    ck!(raw, C_FindObjectsInit, session, pointer, count),
                    ck!(raw, C_GetAttributeValue, session, key, pointer, count),
                    ck!(raw, C_SetAttributeValue, session, key, pointer, count),
                    ck!(raw, C_GenerateKey, session, &mut generate, pointer, count, &mut out),
                    ck!(
                        raw,
                        C_GenerateKeyPair,
                        session,
                        &mut pair,
                        pointer,
                        count,
                        null_mut(),
                        0,
                        &mut out,
                        &mut second
                    ),
                    ck!(
                        raw,
                        C_GenerateKeyPair,
                        session,
                        &mut pair,
                        null_mut(),
                        0,
                        pointer,
                        count,
                        &mut out,
                        &mut second
                    ),
                    ck!(raw, C_DeriveKey, session, &mut mechanism, key, pointer, count, &mut out),
                    ck!(
                        raw,
                        C_UnwrapKey,
                        session,
                        &mut mechanism,
                        key,
                        [0; 24].as_mut_ptr(),
                        24,
                        pointer,
                        count,
                        &mut out
                    ),
                ];
                assert!(codes.iter().all(|&code| code == CKR_ARGUMENTS_BAD), "{count:#x}: {codes:x?}");
            }
        }
    });
}

#[test]
fn attribute_values_of_a_wrong_size_or_kind_are_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let base = || Template::new().number(CKA_VALUE_LEN, 32);
        for (template, what) in [
            (base().bytes(CKA_TOKEN, &[0; 8]), "a CK_BBOOL of 8 bytes"),
            (base().bytes(CKA_TOKEN, &[]), "a CK_BBOOL of none"),
            (base().bytes(CKA_CLASS, &[4]), "a CK_ULONG of 1 byte"),
            (base().bytes(CKA_START_DATE, b"2026"), "a date of 4 bytes"),
            (base().bytes(CKA_ALLOWED_MECHANISMS, &[0; 9]), "mechanisms of 9 bytes"),
            (Template::new().number(CKA_VALUE_LEN, CK_ULONG::MAX), "a key without end"),
            (Template::new().number(CKA_VALUE_LEN, 7), "an AES key of 7 bytes"),
            (Template::new(), "no length"),
            (base().number(CKA_KEY_TYPE, CKK_RSA), "another key type"),
            (base().number(CKA_CLASS, CKO_PRIVATE_KEY), "another class"),
        ] {
            let made = raw.generate(session, plain(CKM_AES_KEY_GEN), template);
            let known = [
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_TEMPLATE_INCOMPLETE,
                CKR_ARGUMENTS_BAD,
                CKR_KEY_SIZE_RANGE,
            ];
            assert!(made.is_err_and(|code| known.contains(&code)), "{what}: {made:?}");
        }
        let mut hole = [CK_ATTRIBUTE { type_: CKA_LABEL, pValue: null_mut(), ulValueLen: 5 }];
        let mut out = 0;
        let code = ck!(raw, C_GenerateKey, session, &mut plain(CKM_AES_KEY_GEN), hole.as_mut_ptr(), 1, &mut out);
        assert!(matches!(code, CKR_ARGUMENTS_BAD | CKR_ATTRIBUTE_VALUE_INVALID), "{code:#x}");
        let mut huge =
            [CK_ATTRIBUTE { type_: CKA_LABEL, pValue: [0u8; 4].as_mut_ptr().cast(), ulValueLen: CK_ULONG::MAX }];
        let code = ck!(raw, C_FindObjectsInit, session, huge.as_mut_ptr(), 1);
        assert!(matches!(code, CKR_ARGUMENTS_BAD | CKR_ATTRIBUTE_VALUE_INVALID), "{code:#x}");
    });
}

#[test]
fn handles_that_are_not_there_any_more_are_dead_everywhere() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let slot = raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token");
        let second = raw.session(slot);
        let key = raw.aes(session, 32);
        assert_eq!(raw.destroy(session, key), Ok(()));
        assert_eq!(raw.destroy(session, key), Err(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(raw.attribute(second, key, CKA_CLASS), Err(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(raw.encrypt(second, plain(CKM_AES_ECB), key, &[0; 16]), Err(CKR_KEY_HANDLE_INVALID));
        let fresh = raw.aes(session, 32);
        assert_ne!(fresh, key, "a number is not given again");
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        assert_eq!(raw.attribute(second, fresh, CKA_CLASS), Err(CKR_OBJECT_HANDLE_INVALID), "it died with its session");
        assert_eq!(raw.encrypt(session, plain(CKM_AES_ECB), fresh, &[0; 16]), Err(CKR_SESSION_HANDLE_INVALID));
    });
}

#[test]
fn deep_nests_of_templates_end_early() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let size = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
        let mut levels = vec![CK_ATTRIBUTE { type_: CKA_LABEL, pValue: null_mut(), ulValueLen: 0 }; 50_000];
        for index in 1..levels.len() {
            let inner = std::ptr::from_mut(&mut levels[index - 1]);
            levels[index] = CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, pValue: inner.cast(), ulValueLen: size };
        }
        let mut list = [
            CK_ATTRIBUTE { type_: CKA_VALUE_LEN, pValue: std::ptr::from_mut(&mut 32u64).cast(), ulValueLen: 8 },
            *levels.last().unwrap(),
        ];
        let mut key = 0;
        let code = ck!(raw, C_GenerateKey, session, &mut plain(CKM_AES_KEY_GEN), list.as_mut_ptr(), 2, &mut key);
        assert!(
            matches!(code, CKR_ARGUMENTS_BAD | CKR_ATTRIBUTE_VALUE_INVALID | CKR_TEMPLATE_INCONSISTENT),
            "{code:#x}"
        );
    });
}

#[test]
fn usage_that_a_key_does_not_allow_is_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_ENCRYPT, false).flag(CKA_DECRYPT, true);
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), template).expect("a key");
        assert_eq!(raw.encrypt(session, plain(CKM_AES_ECB), key, &[0; 16]), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
        assert!(raw.decrypt(session, plain(CKM_AES_ECB), key, &[0; 16]).is_ok());
        let only = Template::new().number(CKA_VALUE_LEN, 32).bytes(CKA_ALLOWED_MECHANISMS, &CKM_AES_ECB.to_ne_bytes());
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), only).expect("a key");
        assert!(raw.encrypt(session, plain(CKM_AES_ECB), key, &[0; 16]).is_ok());
        let mut iv = [0; 16];
        let code = raw.encrypt(session, perilune_tests::raw::with_bytes(CKM_AES_CBC, &mut iv), key, &[0; 16]);
        assert!(matches!(code, Err(CKR_MECHANISM_INVALID | CKR_KEY_FUNCTION_NOT_PERMITTED)), "{code:?}");
        // What must stay inside does not leave by wrapping.
        let wrapping = raw.aes(session, 32);
        let inside = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_EXTRACTABLE, false);
        let inside = raw.generate(session, plain(CKM_AES_KEY_GEN), inside).expect("a key");
        let mut room = 512;
        let mut out = [0; 512];
        let mut mechanism = plain(CKM_AES_KEY_WRAP);
        let code = ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, inside, out.as_mut_ptr(), &mut room);
        assert_eq!(code, CKR_KEY_UNEXTRACTABLE);
    });
}

#[test]
fn one_session_in_two_threads_makes_errors_but_no_harm() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let raw = &raw;
                scope.spawn(move || {
                    for _ in 0..500 {
                        match raw.encrypt(session, plain(CKM_AES_ECB), key, &[7; 64]) {
                            Ok(out) => assert_eq!(out.len(), 64),
                            Err(code) => assert!(
                                matches!(code, CKR_OPERATION_ACTIVE | CKR_OPERATION_NOT_INITIALIZED),
                                "{code:#x}"
                            ),
                        }
                    }
                });
            }
        });
    });
}
