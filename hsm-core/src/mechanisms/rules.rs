//! What is asked of a parameter and of a key before a mechanism starts.
//!
//! Owns: the order of the questions (parameter, key class and type, usage, ALLOWED_MECHANISMS, size),
//! and which class of key each usage needs. Does not know: algorithms, sessions. Called from the
//! `start_*` functions and from [`crate::keys`]. START_DATE and END_DATE are information for the
//! application, to which the standard attaches no meaning (v2.40, 4.8): they refuse nothing.
//! Rule source: PKCS#11 v2.40, 4.7 to 4.10 and 5.8 to 5.13.

use super::{EVERYTHING, KeyRule, Row, SizeUnit};
use crate::attributes::bit_length;
use crate::attributes::curves::CurveName;
use crate::key::Key;
use crate::limits::RSA_PRIVATE_BITS_MAX;
use crate::object::{Object, ValueRef};
use crate::platform::Env;
use crate::policy::Policy;
use crate::post_quantum;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::CKK_BIP32;
use ffi_headers::*;
use hsm_crypto::rsa::{RsaPrivateKey, RsaPublicKey};
use hsm_crypto::{Hash, SymmetricKey};
use std::sync::Arc;

/// What a key is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Sign,
    Verify,
    SignRecover,
    VerifyRecover,
    Encrypt,
    Decrypt,
    Wrap,
    Unwrap,
    Derive,
    Encapsulate,
    Decapsulate,
}

impl Usage {
    /// The attribute that allows it.
    pub(crate) const fn attribute(self) -> u64 {
        match self {
            Usage::Sign => CKA_SIGN,
            Usage::Verify => CKA_VERIFY,
            Usage::SignRecover => CKA_SIGN_RECOVER,
            Usage::VerifyRecover => CKA_VERIFY_RECOVER,
            Usage::Encrypt => CKA_ENCRYPT,
            Usage::Decrypt => CKA_DECRYPT,
            Usage::Wrap => CKA_WRAP,
            Usage::Unwrap => CKA_UNWRAP,
            Usage::Derive => CKA_DERIVE,
            Usage::Encapsulate => CKA_ENCAPSULATE,
            Usage::Decapsulate => CKA_DECAPSULATE,
        }
    }

    /// The flag of a mechanism that offers it.
    pub(crate) const fn function(self) -> u64 {
        match self {
            Usage::Sign => CKF_SIGN,
            Usage::Verify => CKF_VERIFY,
            Usage::SignRecover => CKF_SIGN_RECOVER,
            Usage::VerifyRecover => CKF_VERIFY_RECOVER,
            Usage::Encrypt => CKF_ENCRYPT,
            Usage::Decrypt => CKF_DECRYPT,
            Usage::Wrap => CKF_WRAP,
            Usage::Unwrap => CKF_UNWRAP,
            Usage::Derive => CKF_DERIVE,
            Usage::Encapsulate => CKF_ENCAPSULATE,
            Usage::Decapsulate => CKF_DECAPSULATE,
        }
    }

    /// The class that a key of this type must have.
    const fn class(self, key_type: u64) -> u64 {
        match key_type {
            CKK_RSA | CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY | CKK_BIP32 | CKK_ML_KEM | CKK_ML_DSA
            | CKK_SLH_DSA | CKK_HSS | CKK_XMSS | CKK_XMSSMT => match self {
                Usage::Verify | Usage::VerifyRecover | Usage::Encrypt | Usage::Wrap | Usage::Encapsulate => {
                    CKO_PUBLIC_KEY
                }
                Usage::Sign
                | Usage::SignRecover
                | Usage::Decrypt
                | Usage::Unwrap
                | Usage::Derive
                | Usage::Decapsulate => CKO_PRIVATE_KEY,
            },
            _ => CKO_SECRET_KEY,
        }
    }
}

/// What an approved token does with a signature that hashes so: SHA-1 only verifies (SP 800-131A, 9).
pub(super) const fn approved_signature(hash: Hash) -> u64 {
    match hash {
        Hash::Sha1 => CKF_VERIFY,
        Hash::Sha224 | Hash::Sha256 | Hash::Sha384 | Hash::Sha512 | Hash::Sha512_224 | Hash::Sha512_256 => EVERYTHING,
        Hash::Sha3_224 | Hash::Sha3_256 | Hash::Sha3_384 | Hash::Sha3_512 => EVERYTHING,
        Hash::Shake128 | Hash::Shake256 => EVERYTHING,
        Hash::Blake2b160 | Hash::Blake2b256 | Hash::Blake2b384 | Hash::Blake2b512 => 0,
        Hash::Keccak224 | Hash::Keccak256 | Hash::Keccak384 | Hash::Keccak512 => 0,
        Hash::Md5 | Hash::Ripemd160 => 0,
    }
}

/// Judges a mechanism's parameter: its shape, then its values.
///
/// # Errors
/// `MechanismParam`.
pub(crate) fn judge_params(row: &Row, params: &Params) -> Result<()> {
    // Shape by shape: one match over both values at once takes the compiler gigabytes.
    let none = matches!(params, Params::None);
    let iv_of = |bytes: usize| matches!(params, Params::Iv(iv) if iv.len() == bytes);
    let fits = match row.shape {
        ParamShape::None => none,
        ParamShape::Iv8 => iv_of(8),
        ParamShape::Iv16 => iv_of(16),
        ParamShape::OptionalIv(bytes) => none || iv_of(bytes),
        ParamShape::Ctr => matches!(params, Params::Ctr { .. }),
        ParamShape::Gcm => matches!(params, Params::Gcm { .. }),
        ParamShape::Gmac => iv_of(12) || matches!(params, Params::Gcm { .. }),
        ParamShape::Ccm => matches!(params, Params::Ccm { .. }),
        ParamShape::ChaCha20 | ParamShape::Salsa20 => matches!(params, Params::Stream { .. }),
        ParamShape::ChaCha20Poly1305 => matches!(params, Params::ChaCha20Poly1305 { .. }),
        ParamShape::Pss => matches!(params, Params::Pss { .. }),
        ParamShape::Oaep => matches!(params, Params::Oaep { .. }),
        ParamShape::RsaAesWrap => matches!(params, Params::RsaAesWrap { .. }),
        ParamShape::EcdhAesWrap => matches!(params, Params::EcdhAesWrap { .. }),
        ParamShape::Ecdh1 => matches!(params, Params::Ecdh1 { .. }),
        ParamShape::MacLength => matches!(params, Params::MacLength(_)),
        ParamShape::TlsMac => matches!(params, Params::TlsMac { .. }),
        ParamShape::OptionalKmac => none || matches!(params, Params::Kmac { .. }),
        ParamShape::OptionalEddsa => none || matches!(params, Params::Eddsa { .. }),
        ParamShape::OptionalSignContext => none || matches!(params, Params::SignContext { hash: None, .. }),
        ParamShape::HashSignContext => matches!(params, Params::SignContext { hash: Some(_), .. }),
        ParamShape::Derive(shape) => matches!(params, Params::Derive(params) if params.shape() == shape),
    };
    if !fits {
        return Err(Reason::MechanismParam("not the parameter that the mechanism takes"));
    }
    (row.judge)(params)
}

/// Judges a key for a mechanism: class and type, usage, ALLOWED_MECHANISMS, size, the token's policy.
///
/// # Errors
/// `KeyTypeInconsistent`, `KeyLacksUsage`, `KeySize`, `MechanismNotPermitted`.
pub(crate) fn judge_key(policy: Policy, row: &Row, key: &Object, usage: Usage) -> Result<()> {
    let key_type = key.key_type().ok_or(Reason::KeyTypeInconsistent)?;
    let KeyRule::Types(types) = row.keys else { return Err(Reason::KeyTypeInconsistent) };
    // A public key in a tree has children, too.
    let parent = key_type == CKK_BIP32 && usage == Usage::Derive && key.class() == CKO_PUBLIC_KEY;
    let class_fits = parent || key.class() == usage.class(key_type);
    if !types.contains(&counts_as(key, key_type, usage)?) || !class_fits {
        return Err(Reason::KeyTypeInconsistent);
    }
    judge_usage(row, key, usage)?;
    let size = judge_size(row, key, key_type)?;
    policy.judge_key(row, key, size, usage.function())
}

/// The type as which a key is judged: a key in a tree signs as any other on its curve.
fn counts_as(key: &Object, key_type: u64, usage: Usage) -> Result<u64> {
    if key_type != CKK_BIP32 || !matches!(usage, Usage::Sign | Usage::Verify) {
        return Ok(key_type);
    }
    let params = key.bytes(CKA_EC_PARAMS).ok_or(Reason::KeyMaterial("CKA_EC_PARAMS is missing"))?;
    CurveName::parse_for(CKK_BIP32, params).map(CurveName::key_type)
}

/// Judges a further key of a derivation: a secret key of any type that may be used for it.
///
/// # Errors
/// `KeyTypeInconsistent`, `KeyLacksUsage`.
pub(crate) fn judge_further(row: &Row, key: &Object) -> Result<()> {
    if key.class() != CKO_SECRET_KEY {
        return Err(Reason::KeyTypeInconsistent);
    }
    judge_usage(row, key, Usage::Derive)
}

/// Judges what a key may be used for: the attribute of the usage, then ALLOWED_MECHANISMS.
fn judge_usage(row: &Row, key: &Object, usage: Usage) -> Result<()> {
    if !key.flag(usage.attribute()) {
        return Err(Reason::KeyLacksUsage { need: usage.attribute() });
    }
    // An empty list says nothing, as an absent one: some clients write it for "any".
    if key.restricts_mechanisms()
        && let Some(ValueRef::Mechanisms(allowed)) = key.value(CKA_ALLOWED_MECHANISMS)
        && !allowed.is_empty()
        && !allowed.contains(&row.kind)
    {
        return Err(Reason::KeyLacksUsage { need: CKA_ALLOWED_MECHANISMS });
    }
    Ok(())
}

/// Judges the size of a key, and returns it in the row's unit.
fn judge_size(row: &Row, key: &Object, key_type: u64) -> Result<u64> {
    let bits = key.bits(|key| key_bits(key, key_type))?;
    let size = match row.unit {
        SizeUnit::None => return Ok(0),
        SizeUnit::Bits => bits,
        SizeUnit::Bytes => bits / 8,
    };
    // The row's maximum is that of public keys.
    let rsa_private = key_type == CKK_RSA && key.class() == CKO_PRIVATE_KEY;
    let size_max = if rsa_private { row.size_max.min(RSA_PRIVATE_BITS_MAX) } else { row.size_max };
    // A key longer than u64 bits cannot exist; the saturated value is refused as too large.
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    if (row.size_min..=size_max).contains(&size) { Ok(size) } else { Err(Reason::KeySize) }
}

/// The size of a key in bits: modulus, field or value.
fn key_bits(key: &Object, key_type: u64) -> Result<usize> {
    match key_type {
        CKK_RSA => Ok(bit_length(key.bytes(CKA_MODULUS).ok_or(Reason::KeyMaterial("CKA_MODULUS is missing"))?)),
        CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY | CKK_BIP32 => {
            let params = key.bytes(CKA_EC_PARAMS).ok_or(Reason::KeyMaterial("CKA_EC_PARAMS is missing"))?;
            Ok(CurveName::parse_for(key_type, params)?.bits())
        }
        // As the standard counts them: the bytes of the public key, whichever half it is.
        CKK_ML_KEM | CKK_ML_DSA | CKK_SLH_DSA => {
            let number = key.number(CKA_PARAMETER_SET).ok_or(Reason::KeyMaterial("CKA_PARAMETER_SET is missing"))?;
            Ok(8 * post_quantum::set(key_type, number)?.public_bytes())
        }
        _ => Ok(8 * key.bytes(CKA_VALUE).ok_or(Reason::KeyMaterial("CKA_VALUE is missing"))?.len()),
    }
}

/// The parsed RSA private key of an object that passed the rules.
pub(super) fn rsa_private(env: &Env<'_>, key: &Object) -> Result<Arc<dyn RsaPrivateKey>> {
    match key.key(env)? {
        Key::RsaPrivate(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

/// The parsed RSA public key of an object that passed the rules.
pub(super) fn rsa_public(env: &Env<'_>, key: &Object) -> Result<Arc<dyn RsaPublicKey>> {
    match key.key(env)? {
        Key::RsaPublic(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

/// Lends the value of a secret key that passed the rules.
pub(super) fn with_secret<T>(
    env: &Env<'_>,
    key: &Object,
    use_it: impl FnOnce(&SymmetricKey) -> Result<T>,
) -> Result<T> {
    match key.key(env)? {
        Key::Secret(value) => use_it(value),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}
