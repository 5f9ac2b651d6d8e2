//! CKM_ECDSA over a digest that the caller made, and CKM_ECDSA_SHA* that hash the message in parts.
//!
//! A digest may have any length from one byte; longer ones than the order are cut as FIPS 186-5 says.
//! Signatures are `r || s`, each as long as the field. On secp256k1 `s` is always the lower one of its two values, as Bitcoin
//! (BIP 146) and Ethereum (EIP 2) demand of a signature; verification takes both.
//! Rule source: PKCS#11 v2.40, 2.3.1, 2.3.6 and 2.3.7.

use super::ec_keygen::{EC_BITS_MIN, EC_FLAGS};
use super::parts::{HashedSigner, HashedVerifier, Hashing, OnePartSigner, OnePartVerifier};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, named, rules};
use crate::key::Key;
use crate::limits::EC_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::Hash;
use hsm_crypto::ec::{EcPrivateKey, EcPublicKey};
use std::sync::Arc;

macro_rules! hashed {
    ($kind:ident, $hash:expr, $vectors:expr) => {
        Row {
            keys: KeyRule::Types(&[CKK_EC]),
            unit: SizeUnit::Bits,
            size_min: EC_BITS_MIN,
            size_max: EC_BITS_MAX,
            extra_flags: EC_FLAGS,
            approved: rules::approved_signature($hash),
            vectors: $vectors,
            sign: Some(|env, _params, key| sign_hashed(env, $hash, key)),
            verify: Some(|env, _params, key| verify_hashed(env, $hash, key)),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        keys: KeyRule::Types(&[CKK_EC]),
        unit: SizeUnit::Bits,
        size_min: EC_BITS_MIN,
        size_max: EC_BITS_MAX,
        extra_flags: EC_FLAGS,
        approved: EVERYTHING,
        vectors: "Wycheproof ecdsa_*_p1363 and OpenSSL (digest made by the test)",
        one_part: true,
        sign: Some(sign),
        verify: Some(verify),
        ..named!(CKM_ECDSA)
    }),
    row!(hashed!(CKM_ECDSA_SHA1, Hash::Sha1, "RFC 6979, A.2")),
    row!(hashed!(CKM_ECDSA_SHA224, Hash::Sha224, "RFC 6979, A.2")),
    row!(hashed!(CKM_ECDSA_SHA256, Hash::Sha256, "RFC 6979, A.2; Wycheproof ecdsa_*_p1363")),
    row!(hashed!(CKM_ECDSA_SHA384, Hash::Sha384, "Wycheproof ecdsa_*_p1363")),
    row!(hashed!(CKM_ECDSA_SHA512, Hash::Sha512, "Wycheproof ecdsa_*_p1363")),
    row!(hashed!(CKM_ECDSA_SHA3_224, Hash::Sha3_224, "made with OpenSSL 3.0")),
    row!(hashed!(CKM_ECDSA_SHA3_256, Hash::Sha3_256, "Wycheproof ecdsa_*_sha3_256")),
    row!(hashed!(CKM_ECDSA_SHA3_384, Hash::Sha3_384, "Wycheproof ecdsa_*_sha3_384")),
    row!(hashed!(CKM_ECDSA_SHA3_512, Hash::Sha3_512, "Wycheproof ecdsa_*_sha3_512")),
];

fn sign(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let key = private(env, key)?;
    Ok(Box::new(OnePartSigner {
        bytes: 2 * key.curve().field_bytes(),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign(digest, env.random)),
    }))
}

pub(super) fn verify(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = public(env, key)?;
    Ok(Box::new(OnePartVerifier(move |digest: &[u8], signature: &[u8]| {
        faults::signature(key.verify(digest, signature))
    })))
}

fn sign_hashed(env: &Env<'_>, hash: Hash, key: &Object) -> Result<Box<dyn Signer>> {
    let key = private(env, key)?;
    Ok(Box::new(HashedSigner {
        bytes: 2 * key.curve().field_bytes(),
        digest: Hashing::new(env, hash),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign(digest, env.random)),
    }))
}

pub(super) fn verify_hashed(env: &Env<'_>, hash: Hash, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = public(env, key)?;
    Ok(Box::new(HashedVerifier {
        digest: Hashing::new(env, hash),
        verify: move |digest: &[u8], signature: &[u8]| faults::signature(key.verify(digest, signature)),
    }))
}

pub(super) fn private(env: &Env<'_>, key: &Object) -> Result<Arc<dyn EcPrivateKey>> {
    match key.key(env)? {
        Key::EcPrivate(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

pub(super) fn public(env: &Env<'_>, key: &Object) -> Result<Arc<dyn EcPublicKey>> {
    match key.key(env)? {
        Key::EcPublic(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}
