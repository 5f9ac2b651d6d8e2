//! RSA public keys of more than 8192 bits: they verify and encrypt, and no private key is so large.

use crate::support::{encrypt, engines, env, hex, mechanism, rsa_public, rv, verify, with};
use ffi_headers::*;
use hsm_core::attributes::{self, Actor, Origin};
use hsm_core::object::{Attributes, Value};
use hsm_core::template::Template;
use hsm_core::{Params, keys, mechanisms};

/// Modulus, PKCS#1 v1.5 signature, PSS signature.
fn vectors() -> [Vec<u8>; 3] {
    let lines = include_str!("rsa_16384.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(hex).collect::<Vec<_>>().try_into().unwrap()
}

const MESSAGE: &[u8] = b"a message under an old and large root";

#[test]
fn signatures_under_the_largest_public_key_verify() {
    let [modulus, pkcs1, pss] = vectors();
    assert_eq!(modulus.len(), 2048);
    for engine in engines() {
        let env = env(engine);
        let key = rsa_public(&modulus, &[1, 0, 1]);
        let params = Params::Pss { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, salt_bytes: 32 };
        for (kind, params, signature) in
            [(CKM_SHA256_RSA_PKCS, Params::None, &pkcs1), (CKM_SHA256_RSA_PKCS_PSS, params, &pss)]
        {
            let mechanism = mechanism(kind, &params);
            verify(&env, &mechanism, &key, MESSAGE, signature).unwrap();
            assert_eq!(rv(&verify(&env, &mechanism, &key, b"other", signature)), CKR_SIGNATURE_INVALID);
            let mut changed = signature.clone();
            changed[2047] ^= 1;
            assert_eq!(rv(&verify(&env, &mechanism, &key, MESSAGE, &changed)), CKR_SIGNATURE_INVALID);
        }
        // The public operation on a signature gives its padding back.
        let block = encrypt(&env, &mechanism(CKM_RSA_X_509, &Params::None), &key, &pkcs1).unwrap();
        assert_eq!(block[..2], [0, 1]);
        assert!(block[2..1900].iter().all(|byte| *byte == 0xFF), "{}", engine.name);
    }
}

#[test]
fn the_largest_public_key_can_be_imported_and_a_larger_one_cannot() {
    let [modulus, ..] = vectors();
    let user = Actor { security_officer: false, user: true };
    let env = env(hsm_crypto::preferred());
    let template = |modulus: &[u8]| {
        Template::default()
            .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
            .with_number(CKA_KEY_TYPE, CKK_RSA)
            .with(CKA_MODULUS, modulus)
            .with(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
    };
    let import =
        |modulus: &[u8]| attributes::build(&env, user, Origin::Create, &template(modulus), Attributes::default());
    assert_eq!(import(&modulus).unwrap().number(CKA_MODULUS_BITS), Some(16384));
    assert_eq!(rv(&import(&[&[1][..], &modulus].concat())), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn private_keys_end_at_8192_bits() {
    let [modulus, ..] = vectors();
    let env = env(hsm_crypto::preferred());
    let user = Actor { security_officer: false, user: true };
    let (_, private) = crate::operability::sample_pair(CKK_RSA);
    // No such object can be made; one that is there all the same is refused by its size.
    let large = with(&private, CKA_MODULUS, Value::Bytes(modulus.into()));
    let outcome = mechanisms::start_sign(&env, &mechanism(CKM_SHA256_RSA_PKCS, &Params::None), &large).map(drop);
    assert_eq!(rv(&outcome), CKR_KEY_SIZE_RANGE);
    for bits in [8192 + 128, 16384] {
        let template = Template::default().with_number(CKA_MODULUS_BITS, bits);
        let generation = mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN, &Params::None);
        let outcome = keys::generate_key_pair(&env, user, &generation, &template, &Template::default()).map(drop);
        assert_eq!(rv(&outcome), CKR_ATTRIBUTE_VALUE_INVALID);
    }
}
