//! What a token has by itself, and the classes of objects that are no keys: found how, made by whom, refused how.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;

fn class(class: u64) -> Template {
    Template::default().with_number(CKA_CLASS, class)
}

fn value(hsm: &Hsm, session: SessionHandle, object: ObjectHandle, kind: u64) -> Vec<u8> {
    match hsm.attributes(session, object, &[kind]).unwrap().remove(0) {
        Answer::Bytes(bytes) => bytes.into_public("a test looks at it").unwrap(),
        other => panic!("{kind:#x}: {other:?}"),
    }
}

fn number(hsm: &Hsm, session: SessionHandle, object: ObjectHandle, kind: u64) -> u64 {
    u64::from_ne_bytes(value(hsm, session, object, kind).try_into().unwrap())
}

#[test]
fn the_profiles_that_the_token_meets_are_found_by_their_class_without_a_login() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, false).unwrap();
    let profiles = found(&hsm, session, &class(CKO_PROFILE));
    let told: Vec<u64> = profiles.iter().map(|profile| number(&hsm, session, *profile, CKA_PROFILE_ID)).collect();
    assert_eq!(told[..3], [CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER, CKP_AUTHENTICATION_TOKEN]);
    let hkdf = hsm.mechanism_info(SLOT, CKM_HKDF_DATA).is_ok();
    assert_eq!(told.contains(&CKP_HKDF_TLS_TOKEN), hkdf, "its conditions name a mechanism");
    assert!(!told.contains(&CKP_COMPLETE_PROVIDER) && !told.contains(&CKP_PUBLIC_CERTIFICATES_TOKEN));
    let one = class(CKO_PROFILE).with_number(CKA_PROFILE_ID, CKP_EXTENDED_PROVIDER).with_flag(CKA_TOKEN, true);
    assert_eq!(found(&hsm, session, &one), [profiles[1]]);
    assert_eq!(found(&hsm, session, &class(CKO_PROFILE).with_flag(CKA_PRIVATE, true)), []);
}

#[test]
fn the_clock_is_the_one_of_the_token_info() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, false).unwrap();
    let [clock] = found(&hsm, session, &class(CKO_HW_FEATURE))[..] else { panic!("not one feature") };
    assert_eq!(number(&hsm, session, clock, CKA_HW_FEATURE_TYPE), CKH_CLOCK);
    assert_eq!(value(&hsm, session, clock, CKA_VALUE), hsm.token_info(SLOT).unwrap().utc_time);
    let kinds = [CKA_TOKEN, CKA_LABEL, CKA_HAS_RESET];
    assert_eq!(hsm.attributes(session, clock, &kinds).unwrap(), [Answer::Invalid, Answer::Invalid, Answer::Invalid]);
    let counter = class(CKO_HW_FEATURE).with_number(CKA_HW_FEATURE_TYPE, CKH_MONOTONIC_COUNTER);
    assert_eq!(found(&hsm, session, &counter), []);
}

#[test]
fn there_is_a_mechanism_object_for_each_mechanism_of_the_list() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, false).unwrap();
    let mut told: Vec<u64> = found(&hsm, session, &class(CKO_MECHANISM))
        .into_iter()
        .map(|mechanism| number(&hsm, session, mechanism, CKA_MECHANISM_TYPE))
        .collect();
    let mut listed = hsm.mechanism_list(SLOT).unwrap();
    told.sort_unstable();
    listed.sort_unstable();
    assert_eq!(told, listed);
    let sha = class(CKO_MECHANISM).with_number(CKA_MECHANISM_TYPE, CKM_SHA256);
    assert_eq!(found(&hsm, session, &sha).len(), 1);
}

#[test]
fn no_search_but_by_class_finds_what_the_token_has_by_itself() {
    let (hsm, _, session) = logged_in();
    let mine = hsm.create_object(session, &data("mine", true, true)).unwrap();
    for template in [
        Template::default(),
        Template::default().with_flag(CKA_TOKEN, true),
        Template::default().with_flag(CKA_PRIVATE, true),
    ] {
        assert_eq!(found(&hsm, session, &template), [mine]);
    }
    for template in [
        Template::default().with_number(CKA_PROFILE_ID, CKP_BASELINE_PROVIDER),
        Template::default().with_number(CKA_HW_FEATURE_TYPE, CKH_CLOCK),
        Template::default().with_number(CKA_MECHANISM_TYPE, CKM_SHA256),
        class(CKO_VALIDATION),
        class(CKO_OTP_KEY),
    ] {
        assert_eq!(found(&hsm, session, &template), []);
    }
}

#[test]
fn it_cannot_be_changed_copied_destroyed_or_used_and_its_handles_stay() {
    let (hsm, _, session) = logged_in();
    let readable = hsm.open_session(SLOT, false).unwrap();
    for kind in [CKO_PROFILE, CKO_HW_FEATURE, CKO_MECHANISM] {
        let objects = found(&hsm, session, &class(kind));
        let object = objects[0];
        assert!(hsm.object_size(session, object).unwrap() > 0);
        check(hsm.destroy_object(session, object), CKR_ACTION_PROHIBITED);
        check(hsm.copy_object(session, object, &Template::default()), CKR_ACTION_PROHIBITED);
        check(hsm.copy_object(readable, object, &Template::default()), CKR_ACTION_PROHIBITED);
        check(hsm.set_attributes(session, object, &labelled("x")), CKR_ACTION_PROHIBITED);
        check(hsm.set_attributes(session, object, &Template::default()), CKR_ACTION_PROHIBITED);
        check(hsm.sign_init(session, &plain(CKM_SHA256_HMAC), object), CKR_KEY_HANDLE_INVALID);
        check(hsm.create_object(session, &class(kind)), CKR_ATTRIBUTE_VALUE_INVALID);
        hsm.logout(session).unwrap();
        assert_eq!(found(&hsm, session, &class(kind)), objects);
        hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    }
    for unknown in [1 << 62, u64::MAX, (1 << 62) + 5] {
        check(hsm.attributes(session, ObjectHandle(unknown), &[CKA_CLASS]), CKR_OBJECT_HANDLE_INVALID);
    }
}

#[test]
fn classes_that_nobody_can_make_are_refused_with_their_reason() {
    let (hsm, _, session) = logged_in();
    for (kind, word) in [
        (CKO_OTP_KEY, "one-time"),
        (CKO_VALIDATION, "configuration"),
        (CKO_PROFILE, "alone"),
        (CKO_MECHANISM, "alone"),
        (CKO_HW_FEATURE, "alone"),
    ] {
        let refused = hsm.create_object(session, &class(kind)).unwrap_err();
        assert_eq!(refused.rv(), CKR_ATTRIBUTE_VALUE_INVALID);
        assert!(refused.to_string().contains(word), "{refused}");
    }
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &Template::default().with_number(CKA_VALUE_LEN, 16));
    assert_eq!(number(&hsm, session, key.unwrap(), CKA_OBJECT_VALIDATION_FLAGS), 0);
    let claimed = Template::default().with_number(CKA_VALUE_LEN, 16).with_number(CKA_OBJECT_VALIDATION_FLAGS, 1);
    check(hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &claimed), CKR_ATTRIBUTE_READ_ONLY);
}

fn trust(hash: &[u8], server: u64) -> Template {
    class(CKO_TRUST)
        .with_flag(CKA_TOKEN, true)
        .with(CKA_ISSUER, b"\x30\x00")
        .with(CKA_SERIAL_NUMBER, b"\x02\x01\x07")
        .with(CKA_HASH_OF_CERTIFICATE, hash)
        .with_number(CKA_NAME_HASH_ALGORITHM, CKM_SHA256)
        .with_number(CKA_TRUST_SERVER_AUTH, server)
}

#[test]
fn trust_names_a_certificate_by_its_hash_as_soon_as_it_is_trusted() {
    let (hsm, medium, session) = logged_in();
    let (anchor, never) = (u64::from(CKT_TRUST_ANCHOR), u64::from(CKT_NOT_TRUSTED));
    check(hsm.create_object(session, &trust(b"", anchor)), CKR_TEMPLATE_INCOMPLETE);
    check(hsm.create_object(session, &trust(b"hash", 5)), CKR_ATTRIBUTE_VALUE_INVALID);
    check(hsm.create_object(session, &class(CKO_TRUST).with(CKA_ISSUER, b"\x30\x00")), CKR_TEMPLATE_INCOMPLETE);
    let revoked = hsm.create_object(session, &trust(b"", never)).unwrap();
    let more = Template::default().with_number(CKA_TRUST_CODE_SIGNING, anchor);
    check(hsm.set_attributes(session, revoked, &more), CKR_TEMPLATE_INCOMPLETE);
    hsm.set_attributes(session, revoked, &more.with(CKA_HASH_OF_CERTIFICATE, &[7; 32])).unwrap();

    // Another process, without a login: trust is public.
    let other = start(&medium, Config::default()).unwrap();
    let public = other.open_session(SLOT, false).unwrap();
    let asked = class(CKO_TRUST).with(CKA_ISSUER, b"\x30\x00").with(CKA_SERIAL_NUMBER, b"\x02\x01\x07");
    let [seen] = found(&other, public, &asked)[..] else { panic!("not one") };
    assert_eq!(number(&other, public, seen, CKA_TRUST_SERVER_AUTH), never);
    assert_eq!(number(&other, public, seen, CKA_TRUST_CODE_SIGNING), anchor);
    assert_eq!(number(&other, public, seen, CKA_TRUST_OCSP_SIGNING), u64::from(CKT_TRUST_UNKNOWN));
    assert_eq!(number(&other, public, seen, CKA_NAME_HASH_ALGORITHM), CKM_SHA256);
    let generated = class(CKO_TRUST).with_number(CKA_VALUE_LEN, 16);
    check(hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &generated), CKR_TEMPLATE_INCONSISTENT);
}

fn domain(key_type: u64) -> Template {
    class(CKO_DOMAIN_PARAMETERS)
        .with_number(CKA_KEY_TYPE, key_type)
        .with(CKA_PRIME, &[0, 0xC5, 1, 3])
        .with(CKA_BASE, &[0, 0, 2])
}

#[test]
fn domain_parameters_are_kept_as_data_with_the_lengths_of_their_numbers() {
    let (hsm, _, session) = logged_in();
    let dsa = hsm.create_object(session, &domain(CKK_DSA).with(CKA_SUBPRIME, &[0x65, 1])).unwrap();
    assert_eq!(number(&hsm, session, dsa, CKA_PRIME_BITS), 24);
    assert_eq!(value(&hsm, session, dsa, CKA_PRIME), [0xC5, 1, 3]);
    assert_eq!(value(&hsm, session, dsa, CKA_LOCAL), [0]);
    assert_eq!(value(&hsm, session, dsa, CKA_PRIVATE), [0]);
    let x942 = hsm.create_object(session, &domain(CKK_X9_42_DH).with(CKA_SUBPRIME, &[0x65, 1])).unwrap();
    assert_eq!(number(&hsm, session, x942, CKA_SUBPRIME_BITS), 15);
    let dh = hsm.create_object(session, &domain(CKK_DH).with_number(CKA_PRIME_BITS, 24)).unwrap();
    let copied = hsm.copy_object(session, dh, &labelled("copy")).unwrap();
    assert_eq!(found(&hsm, session, &domain(CKK_DH)).len(), 0, "leading zeros are not kept");
    assert_eq!(found(&hsm, session, &class(CKO_DOMAIN_PARAMETERS).with_number(CKA_KEY_TYPE, CKK_DH)).len(), 2);
    check(hsm.sign_init(session, &plain(CKM_ECDSA), copied), CKR_KEY_HANDLE_INVALID);
    check(hsm.digest_init(session, &plain(CKM_SHA256)), CKR_OK);
    check(hsm.digest_key(session, dh), CKR_KEY_HANDLE_INVALID);
}

#[test]
fn domain_parameters_that_cannot_be_are_refused() {
    let (hsm, _, session) = logged_in();
    let cases = [
        (domain(CKK_DSA), CKR_TEMPLATE_INCOMPLETE),
        (domain(CKK_DSA).with(CKA_SUBPRIME, &[0xC5, 1, 3]), CKR_ATTRIBUTE_VALUE_INVALID),
        (domain(CKK_DH).with(CKA_SUBPRIME, &[7]), CKR_ATTRIBUTE_TYPE_INVALID),
        (domain(CKK_DH).with_number(CKA_PRIME_BITS, 25), CKR_TEMPLATE_INCONSISTENT),
        (domain(CKK_DH).with_flag(CKA_LOCAL, true), CKR_ATTRIBUTE_READ_ONLY),
        (domain(CKK_RSA), CKR_ATTRIBUTE_VALUE_INVALID),
        (class(CKO_DOMAIN_PARAMETERS), CKR_TEMPLATE_INCOMPLETE),
    ];
    for (place, (template, expected)) in cases.into_iter().enumerate() {
        assert_eq!(rv(hsm.create_object(session, &template)), expected, "case {place}");
    }
    let even = class(CKO_DOMAIN_PARAMETERS).with_number(CKA_KEY_TYPE, CKK_DH).with(CKA_BASE, &[2]);
    check(hsm.create_object(session, &even.clone().with(CKA_PRIME, &[0xC4])), CKR_ATTRIBUTE_VALUE_INVALID);
    check(hsm.create_object(session, &even.with(CKA_PRIME, &[1])), CKR_ATTRIBUTE_VALUE_INVALID);
}

/// A validation that the configuration declares.
fn declared() -> validation::Validation {
    validation::Validation {
        kind: CKV_TYPE_SOFTWARE,
        version: (3, 0),
        level: 1,
        module: "Example Cryptographic Module".to_owned(),
        authority: CKV_AUTHORITY_TYPE_NIST_CMVP,
        country: "US".to_owned(),
        certificate: "0000".to_owned(),
        certificate_uri: "https://example.org/0000".to_owned(),
        vendor_uri: String::new(),
        profile: String::new(),
    }
}

#[test]
fn validations_are_those_of_the_configuration_and_nobody_changes_them() {
    let (hsm, medium) = ready();
    let session = hsm.open_session(SLOT, false).unwrap();
    assert_eq!(found(&hsm, session, &class(CKO_VALIDATION)), [], "none is declared");
    assert_eq!(hsm.last_validation_flags(session).unwrap(), 0);
    drop(hsm);
    let hsm = start(&medium, Config { validations: vec![declared(), declared()], ..Config::default() }).unwrap();
    let session = user_session(&hsm);
    let [first, second] = found(&hsm, session, &class(CKO_VALIDATION))[..] else { panic!("not two") };
    assert_eq!(number(&hsm, session, first, CKA_VALIDATION_FLAG), 1);
    assert_eq!(number(&hsm, session, second, CKA_VALIDATION_FLAG), 2);
    assert_eq!(number(&hsm, session, first, CKA_VALIDATION_AUTHORITY_TYPE), CKV_AUTHORITY_TYPE_NIST_CMVP);
    assert_eq!(value(&hsm, session, first, CKA_VALIDATION_VERSION), [3, 0]);
    assert_eq!(value(&hsm, session, first, CKA_VALIDATION_MODULE_ID), b"Example Cryptographic Module");
    assert_eq!(value(&hsm, session, first, CKA_VALIDATION_PROFILE), b"");
    let other = Template::default().with_number(CKA_VALIDATION_LEVEL, 4);
    check(hsm.set_attributes(session, first, &other), CKR_ACTION_PROHIBITED);
    check(hsm.destroy_object(session, first), CKR_ACTION_PROHIBITED);
    check(hsm.create_object(session, &class(CKO_VALIDATION)), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(hsm.last_validation_flags(session).unwrap(), 0, "the token is not in approved mode");
}

#[test]
fn a_session_has_the_flags_of_validations_where_all_its_operations_were_approved() {
    let (first, medium) = ready();
    drop(first);
    let hsm = start(&medium, Config { validations: vec![declared(), declared()], ..Config::default() }).unwrap();
    let before = hsm.open_session(SLOT, false).unwrap();
    let officer = hsm.open_session(SLOT, true).unwrap();
    hsm.close_session(before).unwrap();
    hsm.login(officer, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.set_policy(officer, Policy { approved: true, ..Policy::default() }).unwrap();
    assert_eq!(hsm.last_validation_flags(officer).unwrap(), 0, "it may have begun something before");
    hsm.close_session(officer).unwrap();
    let session = user_session(&hsm);
    assert_eq!(hsm.last_validation_flags(session).unwrap(), 3);
    hsm.digest_init(session, &plain(CKM_SHA256)).unwrap();
    hsm.digest(session, b"data", Room::Bytes(32)).unwrap();
    assert_eq!(hsm.last_validation_flags(session).unwrap(), 3);
    check(hsm.last_validation_flags(SessionHandle(session.0 + (1 << 40))), CKR_SESSION_HANDLE_INVALID);
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap_err();
    hsm.close_session(session).unwrap();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    let session = hsm.open_session(SLOT, false).unwrap();
    assert_eq!(hsm.last_validation_flags(session).unwrap(), 0, "a new token has left the mode");
}
