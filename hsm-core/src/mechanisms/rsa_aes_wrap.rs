//! CKM_RSA_AES_KEY_WRAP: a fresh AES key under RSA-OAEP, and the key itself under that by AES-KWP, one behind the other.
//!
//! What Azure's "bring your own key" and the imports of other clouds take. C_UnwrapKey takes an AES key of any of the three
//! lengths, whatever `ulAESKeyBits` says; all that is wrong with the decrypted bytes is one answer.
//! Rule source: PKCS#11 v2.40, "RSA AES KEY WRAP"; RFC 8017, 7.1; RFC 5649.

use super::rsa_oaep;
use super::rsa_pkcs::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, Wraps, faults, named, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::KeyWrap;
use hsm_crypto::rsa::OaepParams;

pub(super) const ROWS: &[Row] = &[row!(Row {
    shape: ParamShape::RsaAesWrap,
    judge: |params| parse(params).map(|_| ()),
    keys: KeyRule::Types(&[CKK_RSA]),
    unit: SizeUnit::Bits,
    size_min: RSA_BITS_MIN,
    size_max: RSA_BITS_MAX,
    approved: EVERYTHING,
    approved_size_min: RSA_APPROVED_BITS_MIN,
    vectors: "made with the cryptography library of Python (OAEP and KWP), and taken apart with CKM_RSA_PKCS_OAEP and KWP",
    wraps: Wraps::SecretAndPrivateKeys,
    wrap: Some(wrap),
    unwrap: Some(unwrap),
    ..named!(CKM_RSA_AES_KEY_WRAP)
})];

/// Reads `CK_RSA_AES_KEY_WRAP_PARAMS`: the length of the AES key in bytes, and the padding of the RSA part.
fn parse(params: &Params) -> Result<(usize, OaepParams)> {
    let Params::RsaAesWrap { aes_bits, oaep } = params else {
        return Err(Reason::MechanismParam("CK_RSA_AES_KEY_WRAP_PARAMS is needed"));
    };
    Ok((aes_bytes(*aes_bits)?, rsa_oaep::parse(oaep)?))
}

/// Reads `ulAESKeyBits`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn aes_bytes(bits: u64) -> Result<usize> {
    match bits {
        128 => Ok(16),
        192 => Ok(24),
        256 => Ok(32),
        _ => Err(Reason::MechanismParam("ulAESKeyBits is none of 128, 192 and 256")),
    }
}

fn wrap(env: &Env<'_>, params: &Params, key: &Object, material: &SecretBytes) -> Result<Vec<u8>> {
    let (aes_bytes, oaep) = parse(params)?;
    let key = rules::rsa_public(env, key)?;
    if 2 * oaep.hash.output_bytes() + 2 + aes_bytes > key.modulus_bytes() {
        return Err(Reason::WrappingKeySize);
    }
    let mut aes = SecretBytes::zeroed(aes_bytes);
    env.random.fill(aes.expose_mut())?;
    let mut wrapped = faults::data(key.encrypt_oaep(&oaep, aes.expose(), env.random))?;
    wrapped.extend(faults::data((env.engine.key_wrap)(KeyWrap::Kwp, aes.expose(), None, material.expose()))?);
    Ok(wrapped)
}

fn unwrap(env: &Env<'_>, params: &Params, key: &Object, wrapped: &[u8]) -> Result<SecretBytes> {
    let (_, oaep) = parse(params)?;
    let key = rules::rsa_private(env, key)?;
    if 2 * oaep.hash.output_bytes() + 2 > key.modulus_bytes() {
        return Err(Reason::UnwrappingKeySize);
    }
    let (first, second) = wrapped.split_at_checked(key.modulus_bytes()).ok_or(Reason::EncryptedDataLength)?;
    let aes = faults::ciphertext(key.decrypt_oaep(&oaep, first, env.random))?;
    if !matches!(aes.len(), 16 | 24 | 32) {
        return Err(Reason::EncryptedDataInvalid);
    }
    faults::ciphertext((env.engine.key_unwrap)(KeyWrap::Kwp, aes.expose(), None, second))
}
