//! CKM_RSA_PKCS_OAEP: encryption and key transport.
//!
//! SHA-1, every SHA-2 and SHA-3 hash, any of them for the mask, any label. `source` 0 without data is taken as
//! an empty label, because pkcs11-tool sends it.
//! Rule source: PKCS#11 v2.40, 2.1.7 and 2.1.8; RFC 8017, 7.1.

use super::parts::{OnePartCrypter, OneShotSize, crypt_and_wrap};
use super::rsa_pkcs::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};
use super::{Crypter, EVERYTHING, KeyRule, Row, SizeUnit, Wraps, faults, hashes, named, rsa_encapsulation, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::rsa::OaepParams;

pub(super) const ROWS: &[Row] = &[row!(crypt_and_wrap!(
    encrypt,
    decrypt,
    Wraps::SecretKeys,
    Row {
        shape: ParamShape::Oaep,
        judge: |params| parse(params).map(|_| ()),
        keys: KeyRule::Types(&[CKK_RSA]),
        unit: SizeUnit::Bits,
        size_min: RSA_BITS_MIN,
        size_max: RSA_BITS_MAX,
        approved: EVERYTHING,
        approved_size_min: RSA_APPROVED_BITS_MIN,
        vectors: "Wycheproof rsa_oaep_* (decryption, decapsulation)",
        encapsulate: Some(rsa_encapsulation::OAEP),
        decapsulate: Some(rsa_encapsulation::open_oaep),
        ..named!(CKM_RSA_PKCS_OAEP)
    }
))];

pub(super) fn encrypt(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let params = parse(params)?;
    let key = rules::rsa_public(env, key)?;
    judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| {
            faults::data(key.encrypt_oaep(&params, input, env.random)).map(SecretBytes::new)
        },
    }))
}

pub(super) fn decrypt(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let params = parse(params)?;
    let key = rules::rsa_private(env, key)?;
    judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| faults::ciphertext(key.decrypt_oaep(&params, input, env.random)),
    }))
}

/// Reads `CK_RSA_PKCS_OAEP_PARAMS`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn parse(params: &Params) -> Result<OaepParams> {
    let Params::Oaep { hash, mgf, source, label } = params else {
        return Err(Reason::MechanismParam("CK_RSA_PKCS_OAEP_PARAMS is needed"));
    };
    match *source {
        CKZ_DATA_SPECIFIED => {}
        0 if label.is_empty() => {}
        _ => return Err(Reason::MechanismParam("source is not CKZ_DATA_SPECIFIED")),
    }
    Ok(OaepParams { hash: hashes::by_mechanism(*hash)?, mgf_hash: hashes::by_mgf(*mgf)?, label: label.clone() })
}

/// Asks that the padding fits the modulus (RFC 8017, 7.1.1, step 1).
fn judge_fit(params: &OaepParams, modulus_bytes: usize) -> Result<()> {
    if 2 * params.hash.output_bytes() + 2 > modulus_bytes { Err(Reason::KeySize) } else { Ok(()) }
}
