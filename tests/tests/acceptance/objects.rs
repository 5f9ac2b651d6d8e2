//! Objects: copies, searches, attributes, and what is visible to whom.
//!
//! Rule source: PKCS#11 2.40, 4.1 to 4.4 and 5.7; facts about NSS (empty templates), pkcs11-provider
//! (copies into the session), SunPKCS11 (copies into the token), GnuTLS (8192 handles at once).

use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, ck, isolated};
use std::ptr::null_mut;

fn data(label: &str) -> Template {
    Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, label).bytes(CKA_VALUE, b"content")
}

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

#[test]
fn a_copy_with_an_empty_template_is_a_second_object() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let one = raw.create(session, data("first").flag(CKA_TOKEN, true)).expect("an object");
        let two = raw.copy(session, one, Template::new()).expect("NULL template, count 0");
        assert_ne!(one, two);
        assert!(raw.flag(session, two, CKA_TOKEN));
        assert_eq!(raw.attribute(session, two, CKA_VALUE).as_deref(), Ok(&b"content"[..]));
        let mut none = CK_ATTRIBUTE { type_: 0, pValue: null_mut(), ulValueLen: 0 };
        let mut three = 0;
        assert_eq!(ck!(raw, C_CopyObject, session, one, &mut none, 0, &mut three), CKR_OK, "a pointer, count 0");
        assert_eq!(raw.find(session, labelled("first"), 1).len(), 3);
        assert_eq!(raw.destroy(session, one), Ok(()));
        assert_eq!(raw.find(session, labelled("first"), 1).len(), 2);
    });
}

#[test]
fn keys_are_copied_between_token_and_session() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        // SunPKCS11: a session key pair, then a copy of the private key into the token.
        let kept = raw.copy(session, private, Template::new().flag(CKA_TOKEN, true).bytes(CKA_ID, b"kept"));
        let kept = kept.expect("from the session to the token");
        assert!(raw.flag(session, kept, CKA_TOKEN));
        // pkcs11-provider: a copy of every token key into the session, as a cache.
        let cached = raw.copy(session, kept, Template::new().flag(CKA_TOKEN, false)).expect("from token to session");
        assert!(!raw.flag(session, cached, CKA_TOKEN));
        for key in [private, kept, cached] {
            let signature = raw.sign(session, plain(CKM_SHA256_RSA_PKCS), key, b"data").expect("signed");
            assert_eq!(raw.verify(session, plain(CKM_SHA256_RSA_PKCS), public, b"data", &signature), Ok(()));
        }
        // The session's objects end with it; the token's stays.
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let keys = raw.find(session, Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY), 10);
        assert_eq!(keys.len(), 1);
        assert_eq!(raw.attribute(session, keys[0], CKA_ID).as_deref(), Ok(&b"kept"[..]));
    });
}

#[test]
fn a_copy_never_makes_a_key_easier_to_take() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let hard = Template::new()
            .number(CKA_VALUE_LEN, 32)
            .flag(CKA_SENSITIVE, true)
            .flag(CKA_EXTRACTABLE, false)
            .flag(CKA_PRIVATE, true);
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), hard).expect("a key");
        for (kind, value) in [(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true)] {
            let code = raw.copy(session, key, Template::new().flag(kind, value));
            assert!(matches!(code, Err(CKR_ATTRIBUTE_READ_ONLY | CKR_TEMPLATE_INCONSISTENT)), "{kind:#x} {code:?}");
            let code = raw.set(session, key, Template::new().flag(kind, value));
            assert!(matches!(code, Err(CKR_ATTRIBUTE_READ_ONLY | CKR_TEMPLATE_INCONSISTENT)), "{kind:#x} {code:?}");
        }
        assert_eq!(raw.attribute(session, key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        let soft = raw.aes(session, 32);
        let hardened = raw.copy(session, soft, Template::new().flag(CKA_SENSITIVE, true)).expect("harder is allowed");
        assert_eq!(raw.attribute(session, hardened, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        assert!(!raw.flag(session, hardened, CKA_ALWAYS_SENSITIVE));
    });
}

#[test]
fn a_search_gives_every_object_once_with_1_and_with_8192_handles() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        for number in 0..150 {
            raw.create(session, data(&format!("many-{}", number % 3))).expect("a session object");
        }
        for at_once in [1, 7, 64, 100, 8192] {
            let mut found = raw.find(session, labelled("many-1"), at_once);
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 50, "{at_once} at once");
        }
        assert_eq!(raw.find(session, Template::new(), 8192).len(), 150, "an empty template finds all");
        assert_eq!(raw.find(session, labelled("none"), 8192).len(), 0);
    });
}

#[test]
fn what_the_token_has_by_itself_is_found_by_its_class_and_by_nothing_else() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let mine = raw.create(session, data("one")).expect("an object");
        for (class, kind) in
            [(CKO_PROFILE, CKA_PROFILE_ID), (CKO_HW_FEATURE, CKA_HW_FEATURE_TYPE), (CKO_MECHANISM, CKA_MECHANISM_TYPE)]
        {
            let found = raw.find(session, Template::new().number(CKA_CLASS, class), 7);
            assert!(!found.is_empty(), "{class:#x}");
            for object in found {
                assert_eq!(raw.attribute(session, object, kind).expect("a number").len(), size_of::<CK_ULONG>());
                assert_eq!(raw.destroy(session, object), Err(CKR_ACTION_PROHIBITED));
                assert_eq!(raw.copy(session, object, Template::new()), Err(CKR_ACTION_PROHIBITED));
            }
        }
        assert_eq!(raw.find(session, Template::new(), 8192), [mine]);
    });
}

#[test]
fn searches_for_what_other_modules_have_find_nothing() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        raw.create(session, data("one")).expect("an object");
        // Validations, and the classes that NSS asks for.
        for class in [CKO_VALIDATION, 0xCE53_4350, 0xCE53_4351, 0xCE53_4352, 0xCE53_4353, 0xCE53_4354] {
            assert_eq!(raw.find(session, Template::new().number(CKA_CLASS, class), 1).len(), 0, "{class:#x}");
        }
        for _ in 0..900 {
            let template = Template::new().number(CKA_CLASS, CKO_CERTIFICATE).flag(CKA_TOKEN, true);
            assert_eq!(raw.find(session, template.bytes(CKA_ISSUER, b"issuer"), 1).len(), 0);
        }
    });
}

#[test]
fn a_search_has_its_own_life_in_the_session() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (mut handle, mut count) = (0, 0);
        let next = |handle: &mut CK_OBJECT_HANDLE, most, count: &mut CK_ULONG| {
            ck!(raw, C_FindObjects, session, handle, most, count)
        };
        assert_eq!(next(&mut handle, 1, &mut count), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(ck!(raw, C_FindObjectsFinal, session), CKR_OPERATION_NOT_INITIALIZED);
        let one = raw.create(session, data("a")).expect("an object");
        raw.create(session, data("b")).expect("an object");
        assert_eq!(ck!(raw, C_FindObjectsInit, session, null_mut(), 0), CKR_OK);
        assert_eq!(ck!(raw, C_FindObjectsInit, session, null_mut(), 0), CKR_OPERATION_ACTIVE);
        // A search and another operation stand side by side.
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!((next(&mut handle, 0, &mut count), count), (CKR_OK, 0), "no room, no error");
        assert_eq!(raw.destroy(session, one), Ok(()), "an object may go while it is searched for");
        assert_eq!((next(&mut handle, 1, &mut count), count), (CKR_OK, 1));
        assert_eq!(ck!(raw, C_FindObjectsFinal, session), CKR_OK);
        assert_eq!(ck!(raw, C_FindObjectsFinal, session), CKR_OPERATION_NOT_INITIALIZED);
    });
}

#[test]
fn attributes_are_answered_one_by_one_whatever_is_wrong_with_the_others() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let hard = Template::new()
            .number(CKA_VALUE_LEN, 32)
            .text(CKA_LABEL, "a label of some length")
            .flag(CKA_SENSITIVE, true);
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), hard).expect("a key");
        let (mut secret, mut label, mut class, mut modulus) = ([0xAAu8; 64], [0xAAu8; 64], [0xAAu8; 8], [0xAAu8; 64]);
        let entry = |kind, buffer: &mut [u8], room: CK_ULONG| CK_ATTRIBUTE {
            type_: kind,
            pValue: buffer.as_mut_ptr().cast(),
            ulValueLen: room,
        };
        let mut list = [
            entry(CKA_VALUE, &mut secret, 64),
            entry(CKA_MODULUS, &mut modulus, 64),
            entry(CKA_LABEL, &mut label, 3),
            entry(CKA_CLASS, &mut class, 8),
        ];
        let code = ck!(raw, C_GetAttributeValue, session, key, list.as_mut_ptr(), 4);
        assert!(
            matches!(code, CKR_ATTRIBUTE_SENSITIVE | CKR_ATTRIBUTE_TYPE_INVALID | CKR_BUFFER_TOO_SMALL),
            "{code:#x}"
        );
        let lengths = list.map(|entry| entry.ulValueLen);
        assert_eq!(lengths, [CK_UNAVAILABLE_INFORMATION, CK_UNAVAILABLE_INFORMATION, CK_UNAVAILABLE_INFORMATION, 8]);
        assert_eq!(class, CKO_SECRET_KEY.to_ne_bytes());
        for untouched in [secret, label, modulus] {
            assert!(untouched.iter().all(|&byte| byte == 0xAA), "something was written");
        }
    });
}

#[test]
fn python_asks_seven_attributes_of_any_object() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let object = raw.create(session, data("python")).expect("an object");
        let kinds = [CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_LABEL, CKA_ID, CKA_KEY_TYPE];
        let mut list = kinds.map(|type_| CK_ATTRIBUTE { type_, pValue: null_mut(), ulValueLen: 0 });
        let code = ck!(raw, C_GetAttributeValue, session, object, list.as_mut_ptr(), 7);
        assert_eq!(code, CKR_ATTRIBUTE_TYPE_INVALID, "a data object has neither ID nor key type");
        assert_eq!(list.map(|entry| entry.ulValueLen)[..5], [8, 1, 1, 1, 6]);
        assert_eq!(list[5].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    });
}

#[test]
fn private_objects_are_there_only_for_their_user() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let hidden =
            raw.create(session, data("hidden").flag(CKA_PRIVATE, true).flag(CKA_TOKEN, true)).expect("private");
        raw.create(session, data("shown").flag(CKA_PRIVATE, false).flag(CKA_TOKEN, true)).expect("public");
        let temporary =
            raw.create(session, data("gone").flag(CKA_PRIVATE, true).flag(CKA_TOKEN, false)).expect("session");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.find(session, Template::new(), 10).len(), 1);
        assert_eq!(raw.attribute(session, hidden, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
        let refused = raw.create(session, data("new").flag(CKA_PRIVATE, true));
        assert_eq!(refused, Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(raw.find(session, labelled("hidden"), 10).len(), 1);
        assert_eq!(
            raw.attribute(session, temporary, CKA_LABEL),
            Err(CKR_OBJECT_HANDLE_INVALID),
            "it died with the logout"
        );
    });
}

#[test]
fn a_read_only_session_changes_no_token_object() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let object = raw.create(session, data("kept").flag(CKA_TOKEN, true)).expect("an object");
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let reader = raw.open(slot, CKF_SERIAL_SESSION).expect("a session");
        assert_eq!(raw.create(reader, data("new").flag(CKA_TOKEN, true)), Err(CKR_SESSION_READ_ONLY));
        assert_eq!(raw.destroy(reader, object), Err(CKR_SESSION_READ_ONLY));
        assert_eq!(raw.set(reader, object, labelled("renamed")), Err(CKR_SESSION_READ_ONLY));
        assert_eq!(raw.copy(reader, object, Template::new()), Err(CKR_SESSION_READ_ONLY));
        assert!(raw.create(reader, data("mine").flag(CKA_TOKEN, false)).is_ok(), "session objects are allowed");
    });
}

#[test]
fn changes_are_all_made_or_none() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        assert_eq!(raw.set(session, key, labelled("new").bytes(CKA_ID, b"id")), Ok(()));
        let mixed = labelled("newer").number(CKA_KEY_TYPE, CKK_RSA);
        assert!(raw.set(session, key, mixed).is_err());
        assert_eq!(raw.attribute(session, key, CKA_LABEL).as_deref(), Ok(&b"new"[..]));
        let fixed = raw.create(session, data("fixed").flag(CKA_MODIFIABLE, false)).expect("an object");
        assert_eq!(raw.set(session, fixed, labelled("loose")), Err(CKR_ACTION_PROHIBITED));
        let lasting = raw.create(session, data("lasting").flag(CKA_DESTROYABLE, false)).expect("an object");
        assert_eq!(raw.destroy(session, lasting), Err(CKR_ACTION_PROHIBITED));
        let single = raw.create(session, data("single").flag(CKA_COPYABLE, false)).expect("an object");
        assert_eq!(raw.copy(session, single, Template::new()), Err(CKR_ACTION_PROHIBITED));
    });
}

#[test]
fn what_only_the_token_may_say_is_refused_in_templates() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        for (kind, value) in
            [(CKA_LOCAL, true), (CKA_ALWAYS_SENSITIVE, true), (CKA_NEVER_EXTRACTABLE, true), (CKA_TRUSTED, true)]
        {
            let template = Template::new().number(CKA_VALUE_LEN, 16).flag(kind, value);
            let code = raw.generate(session, plain(CKM_AES_KEY_GEN), template);
            assert!(code.is_err(), "{kind:#x} was taken from the user's template");
        }
        let code =
            raw.create(session, Template::new().number(CKA_CLASS, CKO_DOMAIN_PARAMETERS).number(CKA_KEY_TYPE, CKK_EC));
        assert!(code.is_err(), "domain parameters are refused clearly");
        let key = raw.aes(session, 32);
        assert!(raw.flag(session, key, CKA_LOCAL));
        assert_eq!(raw.attribute(session, key, CKA_KEY_GEN_MECHANISM), Ok(CKM_AES_KEY_GEN.to_ne_bytes().to_vec()));
        assert_eq!(raw.attribute(session, key, CKA_CHECK_VALUE).map(|value| value.len()), Ok(3));
    });
}

#[test]
fn an_imported_key_pair_signs_and_its_silent_usage_flags_allow_it() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        // RFC 6979, A.2.5: key and public point on P-256.
        let scalar = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let point = hex(concat!(
            "044104",
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
            "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
        ));
        let curve = hex("06082A8648CE3D030107");
        let private = Template::new()
            .number(CKA_CLASS, CKO_PRIVATE_KEY)
            .number(CKA_KEY_TYPE, CKK_EC)
            .bytes(CKA_EC_PARAMS, &curve)
            .bytes(CKA_VALUE, &scalar);
        let public = Template::new()
            .number(CKA_CLASS, CKO_PUBLIC_KEY)
            .number(CKA_KEY_TYPE, CKK_EC)
            .bytes(CKA_EC_PARAMS, &curve)
            .bytes(CKA_EC_POINT, &point);
        let private = raw.create(session, private).expect("a private key");
        let public = raw.create(session, public).expect("a public key");
        assert!(raw.flag(session, private, CKA_SIGN) && raw.flag(session, public, CKA_VERIFY));
        assert!(!raw.flag(session, private, CKA_LOCAL) && !raw.flag(session, private, CKA_ALWAYS_SENSITIVE));
        let signature = raw.sign(session, plain(CKM_ECDSA_SHA256), private, b"sample").expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA_SHA256), public, b"sample", &signature), Ok(()));
        // The published signature of this message verifies too.
        let known = hex(concat!(
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        ));
        assert_eq!(raw.verify(session, plain(CKM_ECDSA_SHA256), public, b"sample", &known), Ok(()));
    });
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
