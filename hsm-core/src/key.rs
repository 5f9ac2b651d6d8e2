//! A key in the form the engine uses, parsed from an object's attributes.
//!
//! Owns: which attributes make which engine key, and how the engine's refusals are told. Does not
//! know: templates, usage flags, mechanisms. Called when an object is made and at a stored key's first
//! use; from then on the parsed key travels with the object.
//! Rule source: PKCS#11 v3.1, 6.1 (RSA), 6.3 (EC), 6.8 and 6.10 (secrets).

use crate::attributes::curves::CurveName;
use crate::object::{self, Attributes, Value};
use crate::platform::Env;
use crate::post_quantum;
use crate::reason::{Reason, Result};
use crate::stateful;
use ffi_headers::*;
use hsm_crypto::ec::{EcPrivateKey, EcPublicKey, EdPrivateKey, EdPublicKey, XPrivateKey};
use hsm_crypto::post_quantum::{
    MlDsaPrivateKey, MlDsaPublicKey, MlKemPrivateKey, MlKemPublicKey, SlhDsaPrivateKey, SlhDsaPublicKey,
};
use hsm_crypto::rsa::{RsaPrivateKey, RsaPublicKey};
use hsm_crypto::stateful::{StatefulPrivateKey, StatefulPublicKey};
use hsm_crypto::{CryptoError, SymmetricKey};
use std::sync::Arc;

/// A parsed key.
pub enum Key {
    /// CKK_RSA, private.
    RsaPrivate(Arc<dyn RsaPrivateKey>),
    /// CKK_RSA, public.
    RsaPublic(Arc<dyn RsaPublicKey>),
    /// CKK_EC, private.
    EcPrivate(Arc<dyn EcPrivateKey>),
    /// CKK_EC, public.
    EcPublic(Arc<dyn EcPublicKey>),
    /// CKK_EC_EDWARDS, private.
    EdPrivate(Arc<dyn EdPrivateKey>),
    /// CKK_EC_EDWARDS, public.
    EdPublic(Arc<dyn EdPublicKey>),
    /// CKK_EC_MONTGOMERY, private.
    XPrivate(Arc<dyn XPrivateKey>),
    /// CKK_EC_MONTGOMERY, public.
    XPublic(Vec<u8>),
    /// CKK_ML_KEM, private.
    MlKemPrivate(Arc<dyn MlKemPrivateKey>),
    /// CKK_ML_KEM, public.
    MlKemPublic(Arc<dyn MlKemPublicKey>),
    /// CKK_ML_DSA, private.
    MlDsaPrivate(Arc<dyn MlDsaPrivateKey>),
    /// CKK_ML_DSA, public.
    MlDsaPublic(Arc<dyn MlDsaPublicKey>),
    /// CKK_SLH_DSA, private.
    SlhDsaPrivate(Arc<dyn SlhDsaPrivateKey>),
    /// CKK_SLH_DSA, public.
    SlhDsaPublic(Arc<dyn SlhDsaPublicKey>),
    /// CKK_HSS, CKK_XMSS and CKK_XMSSMT, private.
    StatefulPrivate(Arc<dyn StatefulPrivateKey>),
    /// CKK_HSS, CKK_XMSS and CKK_XMSSMT, public.
    StatefulPublic(Arc<dyn StatefulPublicKey>),
    /// CKK_AES, CKK_GENERIC_SECRET, CKK_*_HMAC.
    Secret(Box<SymmetricKey>),
}

impl Key {
    /// The public point of a private key on any curve, and of a public one on a Weierstrass curve, bare; else `None`.
    #[must_use]
    pub fn public_point(&self) -> Option<Vec<u8>> {
        match self {
            Key::EcPrivate(key) => Some(key.public_point()),
            Key::EcPublic(key) => Some(key.point()),
            Key::EdPrivate(key) => Some(key.public_key()),
            Key::XPrivate(key) => Some(key.public_key()),
            Key::RsaPrivate(_) | Key::RsaPublic(_) | Key::EdPublic(_) | Key::XPublic(_) | Key::Secret(_) => None,
            Key::MlKemPrivate(_)
            | Key::MlKemPublic(_)
            | Key::MlDsaPrivate(_)
            | Key::MlDsaPublic(_)
            | Key::SlhDsaPrivate(_)
            | Key::SlhDsaPublic(_)
            | Key::StatefulPrivate(_)
            | Key::StatefulPublic(_) => None,
        }
    }
}

/// Parses the key that the attributes make, and has the engine check it.
///
/// # Errors
/// `KeyMaterial` when they make none, `CurveUnknown`, or the engine's own failure.
pub fn parse(env: &Env<'_>, attributes: &Attributes) -> Result<Key> {
    let number = |kind| match attributes.get(kind) {
        Some(Value::Number(number)) => Ok(*number),
        _ => Err(Reason::KeyMaterial("the object is not a key")),
    };
    match (number(CKA_CLASS)?, number(CKA_KEY_TYPE)?) {
        (CKO_PUBLIC_KEY, CKK_RSA) => {
            let (modulus, exponent) =
                (object::part(attributes, CKA_MODULUS)?, object::part(attributes, CKA_PUBLIC_EXPONENT)?);
            (env.engine.rsa_public)(modulus, exponent).map(Key::RsaPublic).map_err(refusal)
        }
        (CKO_PRIVATE_KEY, CKK_RSA) => {
            (env.engine.rsa_private)(&object::rsa_parts(attributes)?).map(Key::RsaPrivate).map_err(refusal)
        }
        (class, key_type) if post_quantum::is_key_type(key_type) => post_quantum::parse(env, class, attributes),
        (class, key_type) if stateful::is_key_type(key_type) => stateful::parse(env, class, key_type, attributes),
        (CKO_PUBLIC_KEY, key_type) => parse_public_on_curve(env, key_type, attributes),
        (CKO_PRIVATE_KEY, key_type) => parse_private_on_curve(env, key_type, attributes),
        (CKO_SECRET_KEY, _) => Ok(Key::Secret(Box::new(SymmetricKey::copy_of(object::part(attributes, CKA_VALUE)?)))),
        _ => Err(Reason::KeyMaterial("the object is not a key")),
    }
}

/// Tells an engine's refusal of key material; failures of the engine itself stay what they are.
pub(crate) fn refusal(error: CryptoError) -> Reason {
    match error {
        CryptoError::InvalidKey(problem) => Reason::KeyMaterial(problem),
        CryptoError::InputLength => Reason::KeyMaterial("a part of the key has a wrong length"),
        CryptoError::InputRange => Reason::KeyMaterial("a part of the key is out of range"),
        CryptoError::InvalidParameter(problem) => Reason::KeyMaterial(problem),
        CryptoError::BadSignature
        | CryptoError::SignatureLength
        | CryptoError::DecryptionFailed
        | CryptoError::Unsupported(_)
        | CryptoError::RandomFailed
        | CryptoError::OutOfMemory
        | CryptoError::EngineFailed(_)
        | CryptoError::SelfTest(_) => Reason::Crypto(error),
    }
}

fn parse_public_on_curve(env: &Env<'_>, key_type: u64, attributes: &Attributes) -> Result<Key> {
    let curve = CurveName::parse_for(key_type, object::part(attributes, CKA_EC_PARAMS)?)?;
    let point = curve.parse_point(object::part(attributes, CKA_EC_POINT)?)?;
    match curve {
        CurveName::Weierstrass(curve) => (env.engine.ec_public)(curve, point).map(Key::EcPublic).map_err(refusal),
        CurveName::Ed25519 => (env.engine.ed25519_public)(point).map(Key::EdPublic).map_err(refusal),
        CurveName::Ed448 => (env.engine.ed448_public)(point).map(Key::EdPublic).map_err(refusal),
        // The length, which `parse_point` has checked, is all that can be wrong (RFC 7748, 5).
        CurveName::X25519 | CurveName::X448 => Ok(Key::XPublic(point.to_vec())),
    }
}

fn parse_private_on_curve(env: &Env<'_>, key_type: u64, attributes: &Attributes) -> Result<Key> {
    let curve = CurveName::parse_for(key_type, object::part(attributes, CKA_EC_PARAMS)?)?;
    let secret = object::part(attributes, CKA_VALUE)?;
    match curve {
        CurveName::Weierstrass(curve) => (env.engine.ec_private)(curve, secret).map(Key::EcPrivate).map_err(refusal),
        CurveName::Ed25519 => (env.engine.ed25519_private)(secret).map(Key::EdPrivate).map_err(refusal),
        CurveName::X25519 => (env.engine.x25519_private)(secret).map(Key::XPrivate).map_err(refusal),
        CurveName::Ed448 => (env.engine.ed448_private)(secret).map(Key::EdPrivate).map_err(refusal),
        CurveName::X448 => (env.engine.x448_private)(secret).map(Key::XPrivate).map_err(refusal),
    }
}
