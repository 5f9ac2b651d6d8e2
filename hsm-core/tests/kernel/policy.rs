//! The token's policy: who sets it, when it holds, and what it keeps out.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;

const APPROVED: Policy = Policy { approved: true, legacy: false, compatible: false };

/// A token in approved mode with a session of the user.
fn approved() -> (Hsm, token_store::medium::Memory, SessionHandle) {
    let (hsm, medium) = ready();
    set(&hsm, APPROVED).unwrap();
    let session = user_session(&hsm);
    (hsm, medium, session)
}

/// Sets the policy as SO, in a session of its own.
pub fn set(hsm: &Hsm, policy: Policy) -> Result<()> {
    let session = hsm.open_session(SLOT, true)?;
    hsm.login(session, CKU_SO, &pin(SO_PIN))?;
    let set = hsm.set_policy(session, policy);
    hsm.close_session(session)?;
    set
}

fn aes() -> Template {
    Template::default().with_number(CKA_VALUE_LEN, 32)
}

fn rsa(bits: u64, exponent: &[u8]) -> Template {
    Template::default().with_number(CKA_MODULUS_BITS, bits).with(CKA_PUBLIC_EXPONENT, exponent)
}

#[test]
fn only_the_security_officer_sets_the_policy_and_only_a_new_token_leaves_the_approved_mode() {
    let (hsm, medium, session) = logged_in();
    check(hsm.set_policy(session, APPROVED), CKR_USER_NOT_LOGGED_IN);
    hsm.close_session(session).unwrap();
    set(&hsm, APPROVED).unwrap();
    check(set(&hsm, Policy::default()), CKR_ACTION_PROHIBITED);
    set(&hsm, Policy { legacy: true, ..APPROVED }).unwrap();
    let again = start(&medium, Config::default()).unwrap();
    assert_eq!(
        again.policy(SLOT).unwrap(),
        Policy { approved: true, legacy: true, compatible: false },
        "it is in the store"
    );
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(hsm.policy(SLOT).unwrap(), Policy::default());
}

#[test]
fn a_token_is_initialised_with_the_policy_of_the_configuration() {
    let medium = token_store::medium::Memory::new();
    let hsm = start(&medium, Config { policy: APPROVED, ..Config::default() }).unwrap();
    assert_eq!(hsm.policy(SLOT).unwrap(), Policy::default(), "an empty slot has none");
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert_eq!(hsm.policy(SLOT).unwrap(), APPROVED);
}

#[test]
fn the_policy_holds_in_another_process_from_its_next_operation_on() {
    let (hsm, medium) = ready();
    let there = start(&medium, Config::default()).unwrap();
    let theirs = user_session(&there);
    let (public, _) = there
        .generate_key_pair(theirs, &plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &rsa(1024, &[1, 0, 1]), &Template::default())
        .unwrap();
    there.encrypt_init(theirs, &plain(CKM_RSA_PKCS), public).unwrap();
    set(&hsm, APPROVED).unwrap();
    check(there.digest_init(theirs, &plain(u64::MAX)), CKR_MECHANISM_INVALID);
    assert_eq!(there.policy(SLOT).unwrap(), APPROVED);
    assert!(there.encrypt(theirs, b"begun before", Room::Bytes(128)).is_ok(), "what has begun goes on");
    check(there.encrypt_init(theirs, &plain(CKM_RSA_PKCS), public), CKR_MECHANISM_INVALID);
}

#[test]
fn list_info_and_operations_agree_on_what_a_token_has() {
    for policy in [Policy::default(), APPROVED, Policy { legacy: true, ..Policy::default() }] {
        let (hsm, _) = ready();
        set(&hsm, policy).unwrap();
        let session = user_session(&hsm);
        let listed = hsm.mechanism_list(SLOT).unwrap();
        for row in mechanisms::all() {
            let info = hsm.mechanism_info(SLOT, row.kind);
            assert_eq!(info.is_ok(), listed.contains(&row.kind), "{}", row.name);
            if info.is_err() {
                let mechanism = plain(row.kind);
                check(hsm.digest_init(session, &mechanism), CKR_MECHANISM_INVALID);
                check(hsm.generate_key(session, &mechanism, &Template::default()), CKR_MECHANISM_INVALID);
                check(hsm.sign_init(session, &mechanism, ObjectHandle(1)), CKR_MECHANISM_INVALID);
            }
        }
    }
}

#[test]
fn an_approved_token_makes_no_weak_keys() {
    let (hsm, _, session) = approved();
    let pair = |public: &Template| {
        hsm.generate_key_pair(session, &plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, &Template::default()).map(|_| ())
    };
    check(pair(&rsa(1024, &[1, 0, 1])), CKR_KEY_SIZE_RANGE);
    check(pair(&rsa(2048, &[3])), CKR_ATTRIBUTE_VALUE_INVALID);
    pair(&rsa(2048, &[1, 0, 1])).unwrap();
    let curve = |oid: &[u8]| {
        let public = Template::default().with(CKA_EC_PARAMS, oid);
        hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &public, &Template::default()).map(|_| ())
    };
    check(curve(&[6, 5, 0x2B, 0x81, 4, 0, 10]), CKR_ATTRIBUTE_VALUE_INVALID);
    curve(&[6, 5, 0x2B, 0x81, 4, 0, 34]).unwrap();
    let generic = |bytes| Template::default().with_number(CKA_VALUE_LEN, bytes);
    check(hsm.generate_key(session, &plain(CKM_GENERIC_SECRET_KEY_GEN), &generic(13)), CKR_KEY_SIZE_RANGE);
    hsm.generate_key(session, &plain(CKM_GENERIC_SECRET_KEY_GEN), &generic(14)).unwrap();
}

#[test]
fn keys_come_into_an_approved_token_wrapped_and_are_never_shown() {
    let (hsm, _, session) = approved();
    let given = Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_AES)
        .with(CKA_VALUE, &[7; 32]);
    check(hsm.create_object(session, &given), CKR_ACTION_PROHIBITED);
    check(
        hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes().with_flag(CKA_SENSITIVE, false)),
        CKR_TEMPLATE_INCONSISTENT,
    );
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes().with_flag(CKA_SENSITIVE, true)).unwrap();
    check(hsm.attributes(session, key, &[CKA_VALUE]).map(|answers| assert_eq!(answers, [Answer::Sensitive])), CKR_OK);
    hsm.create_object(session, &data("a note", true, true)).unwrap();
}

#[test]
fn an_approved_token_encrypts_messages_with_ivs_of_its_own_and_no_others() {
    let (hsm, _, session) = approved();
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes()).unwrap();
    check(hsm.encrypt_init(session, &gcm(), key), CKR_MECHANISM_INVALID);
    hsm.message_encrypt_init(session, CKM_AES_GCM, key).unwrap();
    let encrypt = |generator| {
        let params = crate::messages::params(generator, &[7; 12], 0);
        hsm.encrypt_message(session, &params, b"", b"data", Room::Bytes(4))
    };
    encrypt(CKG_GENERATE).unwrap();
    check(encrypt(CKG_NO_GENERATE), CKR_MECHANISM_PARAM_INVALID);
    check(encrypt(CKG_GENERATE_COUNTER), CKR_MECHANISM_PARAM_INVALID);
    hsm.message_decrypt_init(session, CKM_AES_GCM, key).unwrap();
    hsm.message_sign_init(session, &plain(CKM_AES_CMAC), key).unwrap();
}

fn gcm() -> Mechanism {
    Mechanism { kind: CKM_AES_GCM, params: Params::Gcm { iv: vec![7; 12], aad: vec![], tag_bits: 128 } }
}
