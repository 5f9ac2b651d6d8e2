//! The known attacks on the wrapping interface: each reads a sensitive key by the rules of the standard alone, and none by the key policy.
//!
//! Clulow, "On the Security of PKCS #11" (2003); Bortolozzo, Centenaro, Focardi and Steel, "Attacking and Fixing PKCS#11 Security Tokens" (2010).

use crate::bench::*;
use crate::objects::p256;
use hsm_core::template::Template;
use hsm_core::*;
use hsm_crypto::cipher::{Direction, KeyWrap, Mode};
use hsm_crypto::rsa::OaepParams;
use hsm_crypto::{Hash, SymmetricKey, portable};

const COMPATIBLE: Policy = Policy { approved: false, legacy: false, compatible: true };

/// A token with this policy and a sensitive, extractable AES key in it.
struct Victim {
    hsm: Hsm,
    session: SessionHandle,
    target: ObjectHandle,
}

impl Victim {
    fn new(policy: Policy) -> Self {
        let medium = token_store::medium::Memory::new();
        let hsm = start(&medium, Config { policy, ..Config::default() }).unwrap();
        hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
        let officer = hsm.open_session(SLOT, true).unwrap();
        hsm.login(officer, CKU_SO, &pin(SO_PIN)).unwrap();
        hsm.init_pin(officer, &pin(USER_PIN)).unwrap();
        hsm.close_session(officer).unwrap();
        let session = user_session(&hsm);
        let target = aes(&[CKA_ENCRYPT, CKA_SENSITIVE, CKA_EXTRACTABLE]);
        let target = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &target).unwrap();
        Self { hsm, session, target }
    }

    /// A generated AES key that may do this.
    fn key(&self, usages: &[u64]) -> ObjectHandle {
        self.hsm.generate_key(self.session, &plain(CKM_AES_KEY_GEN), &aes(usages)).unwrap()
    }

    fn wrap(&self, mechanism: &Mechanism, wrapping: ObjectHandle) -> Result<Vec<u8>> {
        self.hsm.wrap_key(self.session, mechanism, wrapping, self.target, Room::Bytes(4096)).map(data_of)
    }

    /// Whether this is the value of the target.
    fn is_target(&self, value: &[u8]) -> bool {
        self.hsm.encrypt_init(self.session, &plain(CKM_AES_ECB), self.target).unwrap();
        let encrypted = data_of(self.hsm.encrypt(self.session, &[7; 16], Room::Bytes(16)).unwrap());
        ecb(Direction::Encrypt, value, &[7; 16]) == encrypted
    }
}

fn aes(flags: &[u64]) -> Template {
    let template = Template::default().with_number(CKA_VALUE_LEN, 32);
    flags.iter().fold(template, |template, flag| template.with_flag(*flag, true))
}

fn data_of(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Data(data) => data,
        other => panic!("{other:?}"),
    }
}

/// AES-ECB outside the token.
fn ecb(direction: Direction, key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; data.len()];
    let mut cipher = (portable().cipher)(&Mode::Ecb, direction, &SymmetricKey::copy_of(key)).unwrap();
    cipher.update_into(data, &mut out).unwrap();
    out
}

/// An attack: the value that it read, or the refusal that stopped it.
type Attack = fn(&Victim) -> Result<Vec<u8>>;

/// Sees an attack succeed by the standard's rules, and fail by the key policy with this return value.
fn check_attack(attack: Attack, refusal: u64) {
    let victim = Victim::new(COMPATIBLE);
    let value = attack(&victim).unwrap_or_else(|reason| panic!("the attack itself is broken: {reason}"));
    assert!(victim.is_target(&value), "the attack itself is broken: another value");
    check(attack(&Victim::new(Policy::default())), refusal);
}

#[test]
fn a_key_that_wraps_and_decrypts_gives_no_sensitive_key_away() {
    check_attack(
        |victim| {
            let both = victim.key(&[CKA_WRAP, CKA_DECRYPT]);
            let wrapped = victim.wrap(&plain(CKM_AES_ECB), both)?;
            victim.hsm.decrypt_init(victim.session, &plain(CKM_AES_ECB), both)?;
            victim.hsm.decrypt(victim.session, &wrapped, Room::Bytes(64)).map(data_of)
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn a_pair_that_wraps_and_decrypts_gives_no_sensitive_key_away() {
    check_attack(
        |victim| {
            let public = Template::default().with_number(CKA_MODULUS_BITS, 2048).with_flag(CKA_WRAP, true);
            let private = Template::default().with_flag(CKA_DECRYPT, true);
            let generate = plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
            let (public, private) = victim.hsm.generate_key_pair(victim.session, &generate, &public, &private)?;
            let wrapped = victim.wrap(&plain(CKM_RSA_PKCS), public)?;
            victim.hsm.decrypt_init(victim.session, &plain(CKM_RSA_PKCS), private)?;
            victim.hsm.decrypt(victim.session, &wrapped, Room::Bytes(256)).map(data_of)
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn a_key_that_has_wrapped_never_begins_to_decrypt() {
    check_attack(
        |victim| {
            let wrapping = victim.key(&[CKA_WRAP]);
            let wrapped = victim.wrap(&plain(CKM_AES_ECB), wrapping)?;
            victim.hsm.set_attributes(victim.session, wrapping, &Template::default().with_flag(CKA_DECRYPT, true))?;
            victim.hsm.decrypt_init(victim.session, &plain(CKM_AES_ECB), wrapping)?;
            victim.hsm.decrypt(victim.session, &wrapped, Room::Bytes(64)).map(data_of)
        },
        CKR_ATTRIBUTE_READ_ONLY,
    );
}

#[test]
fn the_copy_of_a_key_that_decrypts_never_becomes_one_that_only_wraps() {
    check_attack(
        |victim| {
            let both = victim.key(&[CKA_WRAP, CKA_DECRYPT]);
            let change = Template::default().with_flag(CKA_DECRYPT, false);
            let wrapping = victim.hsm.copy_object(victim.session, both, &change)?;
            let wrapped = victim.wrap(&plain(CKM_AES_ECB), wrapping)?;
            victim.hsm.decrypt_init(victim.session, &plain(CKM_AES_ECB), both)?;
            victim.hsm.decrypt(victim.session, &wrapped, Room::Bytes(64)).map(data_of)
        },
        CKR_ATTRIBUTE_READ_ONLY,
    );
}

#[test]
fn a_wrapping_key_of_a_known_value_cannot_be_slipped_in_by_encrypting_and_unwrapping() {
    check_attack(
        |victim| {
            let both = victim.key(&[CKA_ENCRYPT, CKA_UNWRAP]);
            victim.hsm.encrypt_init(victim.session, &plain(CKM_AES_ECB), both)?;
            let disguised = data_of(victim.hsm.encrypt(victim.session, &[0x57; 32], Room::Bytes(64))?);
            let template = Template::default()
                .with_number(CKA_CLASS, CKO_SECRET_KEY)
                .with_number(CKA_KEY_TYPE, CKK_AES)
                .with_flag(CKA_WRAP, true);
            let known = victim.hsm.unwrap_key(victim.session, &plain(CKM_AES_ECB), both, &disguised, &template)?;
            let wrapped = victim.wrap(&plain(CKM_AES_KEY_WRAP), known)?;
            Ok((portable().key_unwrap)(KeyWrap::Kw, &[0x57; 32], None, &wrapped)?.expose().to_vec())
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn a_sensitive_key_is_still_sensitive_when_it_comes_back() {
    check_attack(
        |victim| {
            let both = victim.key(&[CKA_WRAP, CKA_UNWRAP]);
            let wrapped = victim.wrap(&plain(CKM_AES_KEY_WRAP), both)?;
            let template = Template::default()
                .with_number(CKA_CLASS, CKO_SECRET_KEY)
                .with_number(CKA_KEY_TYPE, CKK_AES)
                .with_flag(CKA_SENSITIVE, false)
                .with_flag(CKA_EXTRACTABLE, true);
            let back = victim.hsm.unwrap_key(victim.session, &plain(CKM_AES_KEY_WRAP), both, &wrapped, &template)?;
            let [Answer::Bytes(value)] = &victim.hsm.attributes(victim.session, back, &[CKA_VALUE])?[..] else {
                panic!("it cannot be read")
            };
            Ok(value.expose().to_vec())
        },
        CKR_TEMPLATE_INCONSISTENT,
    );
}

#[test]
fn a_public_key_that_somebody_brought_along_wraps_nothing_sensitive() {
    check_attack(
        |victim| {
            let pair = (portable().rsa_generate)(2048, &[1, 0, 1], &OsRandom)?;
            let template = Template::default()
                .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
                .with_number(CKA_KEY_TYPE, CKK_RSA)
                .with(CKA_MODULUS, &pair.parts.modulus)
                .with(CKA_PUBLIC_EXPONENT, &pair.parts.public_exponent)
                .with_flag(CKA_WRAP, true);
            let ours = victim.hsm.create_object(victim.session, &template)?;
            let oaep = Params::Oaep { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, source: 0, label: Vec::new() };
            let wrapped = victim.wrap(&Mechanism { kind: CKM_RSA_PKCS_OAEP, params: oaep }, ours)?;
            let params = OaepParams { hash: Hash::Sha256, mgf_hash: Hash::Sha256, label: Vec::new() };
            let private = (portable().rsa_private)(&pair.parts)?;
            Ok(private.decrypt_oaep(&params, &wrapped, &OsRandom)?.expose().to_vec())
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn a_wrapping_key_derived_with_somebody_elses_key_wraps_nothing_sensitive() {
    check_attack(
        |victim| {
            let (public, private) = victim.hsm.generate_key_pair(
                victim.session,
                &plain(CKM_EC_KEY_PAIR_GEN),
                &p256(),
                &Template::default().with_flag(CKA_DERIVE, true),
            )?;
            let [Answer::Bytes(point)] = &victim.hsm.attributes(victim.session, public, &[CKA_EC_POINT])?[..] else {
                panic!("no point")
            };
            let ours = (portable().ec_generate)(
                hsm_crypto::ec::Curve::P256,
                hsm_crypto::ec::ScalarMethod::Rejection,
                &OsRandom,
            )?;
            let ours = (portable().ec_private)(hsm_crypto::ec::Curve::P256, ours.scalar.expose())?;
            let known = ours.agree(&point.expose()[2..])?;
            let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: ours.public_point() };
            let template = Template::default().with_number(CKA_KEY_TYPE, CKK_AES).with_number(CKA_VALUE_LEN, 32);
            let derived = victim.hsm.derive_key(
                victim.session,
                &Mechanism { kind: CKM_ECDH1_DERIVE, params },
                private,
                &template.with_flag(CKA_WRAP, true),
            )?;
            let wrapped = victim.wrap(&plain(CKM_AES_KEY_WRAP), derived.key.unwrap())?;
            Ok((portable().key_unwrap)(KeyWrap::Kw, known.expose(), None, &wrapped)?.expose().to_vec())
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

/// Wraps the target with an agreed key, and agrees on that once more with the private key: in the clear.
fn agrees_once_more(victim: &Victim, private: &Template, then: Option<u64>, decapsulates: bool) -> Result<Vec<u8>> {
    let (hsm, session) = (&victim.hsm, victim.session);
    let public = p256().with_flag(CKA_WRAP, true);
    let (public, private) = hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &public, private)?;
    let params = Params::EcdhAesWrap { aes_bits: 256, kdf: CKD_SHA256_KDF, shared: Vec::new() };
    let wrapped = victim.wrap(&Mechanism { kind: CKM_ECDH_AES_KEY_WRAP, params }, public)?;
    let (point, wrapped) = wrapped.split_at(65);
    if let Some(usage) = then {
        hsm.set_attributes(session, private, &Template::default().with_flag(usage, true))?;
    }
    let template = Template::default()
        .with_number(CKA_KEY_TYPE, CKK_AES)
        .with_number(CKA_VALUE_LEN, 32)
        .with_flag(CKA_SENSITIVE, false)
        .with_flag(CKA_EXTRACTABLE, true);
    let ecdh = |public: &[u8]| {
        let params = Params::Ecdh1 { kdf: CKD_SHA256_KDF, shared: Vec::new(), public: public.to_vec() };
        Mechanism { kind: CKM_ECDH1_DERIVE, params }
    };
    let agreed = if decapsulates {
        hsm.decapsulate_key(session, &ecdh(&[]), private, point, &template)?
    } else {
        hsm.derive_key(session, &ecdh(point), private, &template)?.key.unwrap()
    };
    let [Answer::Bytes(value)] = &hsm.attributes(session, agreed, &[CKA_VALUE])?[..] else { panic!("no value") };
    Ok((portable().key_unwrap)(KeyWrap::Kwp, value.expose(), None, wrapped)?.expose().to_vec())
}

#[test]
fn a_pair_on_a_curve_that_wraps_and_agrees_gives_no_sensitive_key_away() {
    check_attack(
        |victim| agrees_once_more(victim, &Template::default().with_flag(CKA_DERIVE, true), None, false),
        CKR_KEY_NOT_WRAPPABLE,
    );
    check_attack(
        |victim| agrees_once_more(victim, &Template::default().with_flag(CKA_DECAPSULATE, true), None, true),
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn a_pair_on_a_curve_that_has_wrapped_never_begins_to_agree() {
    fn silent() -> Template {
        Template::default().with_flag(CKA_DERIVE, false).with_flag(CKA_UNWRAP, true)
    }
    check_attack(|victim| agrees_once_more(victim, &silent(), Some(CKA_DERIVE), false), CKR_ATTRIBUTE_READ_ONLY);
    check_attack(|victim| agrees_once_more(victim, &silent(), Some(CKA_DECAPSULATE), true), CKR_ATTRIBUTE_READ_ONLY);
}

#[test]
fn what_rsa_has_wrapped_is_as_sensitive_when_it_is_decapsulated() {
    check_attack(
        |victim| {
            let (hsm, session) = (&victim.hsm, victim.session);
            let public = Template::default().with_number(CKA_MODULUS_BITS, 2048).with_flag(CKA_WRAP, true);
            let private = Template::default().with_flag(CKA_DECAPSULATE, true).with_flag(CKA_DECRYPT, false);
            let generate = plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
            let (public, private) = hsm.generate_key_pair(session, &generate, &public, &private)?;
            let wrapped = victim.wrap(&plain(CKM_RSA_PKCS), public)?;
            let clear = Template::default().with_flag(CKA_SENSITIVE, false).with_flag(CKA_EXTRACTABLE, true);
            let key = hsm.decapsulate_key(session, &plain(CKM_RSA_PKCS), private, &wrapped, &clear)?;
            let [Answer::Bytes(value)] = &hsm.attributes(session, key, &[CKA_VALUE])?[..] else { panic!("no value") };
            Ok(value.expose().to_vec())
        },
        CKR_TEMPLATE_INCONSISTENT,
    );
}

/// Unwraps the AES key in between as one that decrypts, and decrypts the rest with it.
#[test]
fn the_aes_key_in_between_never_decrypts_what_it_has_wrapped() {
    check_attack(
        |victim| {
            let (hsm, session) = (&victim.hsm, victim.session);
            let public = Template::default().with_number(CKA_MODULUS_BITS, 2048).with_flag(CKA_WRAP, true);
            let private = Template::default().with_flag(CKA_UNWRAP, true);
            let generate = plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
            let (public, private) = hsm.generate_key_pair(session, &generate, &public, &private)?;
            let (hash, mgf, source) = (CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED);
            let oaep = Params::Oaep { hash, mgf, source, label: Vec::new() };
            let params = Params::RsaAesWrap { aes_bits: 256, oaep: Box::new(oaep.clone()) };
            let wrapped = victim.wrap(&Mechanism { kind: CKM_RSA_AES_KEY_WRAP, params }, public)?;
            let (first, second) = wrapped.split_at(256);
            let oaep = Mechanism { kind: CKM_RSA_PKCS_OAEP, params: oaep };
            let decrypts = Template::default()
                .with_number(CKA_CLASS, CKO_SECRET_KEY)
                .with_number(CKA_KEY_TYPE, CKK_AES)
                .with_flag(CKA_DECRYPT, true);
            let between = hsm.unwrap_key(session, &oaep, private, first, &decrypts)?;
            hsm.decrypt_init(session, &plain(CKM_AES_KEY_WRAP_KWP), between)?;
            hsm.decrypt(session, second, Room::Bytes(64)).map(data_of)
        },
        CKR_KEY_NOT_WRAPPABLE,
    );
}

#[test]
fn an_unextractable_key_never_leaves_and_no_mark_is_taken_back_under_either_policy() {
    for policy in [COMPATIBLE, Policy::default()] {
        let victim = Victim::new(policy);
        let (hsm, session) = (&victim.hsm, victim.session);
        let locked = victim.key(&[CKA_SENSITIVE]);
        let wrapping = victim.key(&[CKA_WRAP]);
        let wrapped = hsm.wrap_key(session, &plain(CKM_AES_KEY_WRAP), wrapping, locked, Room::Bytes(64));
        check(wrapped, CKR_KEY_UNEXTRACTABLE);
        for (kind, value) in [(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true)] {
            let change = Template::default().with_flag(kind, value);
            check(hsm.set_attributes(session, locked, &change), CKR_ATTRIBUTE_READ_ONLY);
            check(hsm.copy_object(session, locked, &change), CKR_ATTRIBUTE_READ_ONLY);
        }
    }
}

#[test]
fn a_weak_key_wraps_no_strong_one() {
    for (policy, bits, expected) in [
        (COMPATIBLE, 1024, CKR_OK),
        (Policy::default(), 1024, CKR_WRAPPING_KEY_SIZE_RANGE),
        (Policy::default(), 2048, CKR_OK),
    ] {
        let victim = Victim::new(policy);
        let public = Template::default().with_number(CKA_MODULUS_BITS, bits).with_flag(CKA_WRAP, true);
        let private = Template::default().with_flag(CKA_UNWRAP, true);
        let pair = plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
        let (public, _) = victim.hsm.generate_key_pair(victim.session, &pair, &public, &private).unwrap();
        check(victim.wrap(&plain(CKM_RSA_PKCS), public), expected);
    }
}

#[test]
fn a_key_that_the_security_officer_trusts_wraps_though_it_came_in() {
    let victim = Victim::new(Policy::default());
    let (hsm, session) = (&victim.hsm, victim.session);
    let template = Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_AES)
        .with(CKA_VALUE, &[0x57; 32])
        .with_flag(CKA_TOKEN, true)
        .with_flag(CKA_PRIVATE, false)
        .with_flag(CKA_WRAP, true);
    let brought = hsm.create_object(session, &template).unwrap();
    check(victim.wrap(&plain(CKM_AES_KEY_WRAP), brought), CKR_KEY_NOT_WRAPPABLE);
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.set_attributes(session, brought, &Template::default().with_flag(CKA_TRUSTED, true)).unwrap();
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    let target = aes(&[CKA_SENSITIVE, CKA_EXTRACTABLE]);
    let target = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &target).unwrap();
    check(hsm.wrap_key(session, &plain(CKM_AES_KEY_WRAP), brought, target, Room::Bytes(64)), CKR_OK);
}
