//! CKM_RSA_PKCS_PSS: PSS signatures of a digest that the caller made.
//!
//! Owns also: the reading of `CK_RSA_PKCS_PSS_PARAMS` for the hashing mechanisms. The salt length is
//! the caller's choice, and exactly that length is asked for in verification.
//! Rule source: PKCS#11 v2.40, 2.1 (PKCS #1 RSA PSS); RFC 8017, 8.1.

use super::parts::{OnePartSigner, OnePartVerifier};
use super::rsa_pkcs::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, hashes, named, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::rsa::PssParams;

pub(super) const ROWS: &[Row] = &[row!(Row {
    shape: ParamShape::Pss,
    judge: |params| parse(params).map(|_| ()),
    keys: KeyRule::Types(&[CKK_RSA]),
    unit: SizeUnit::Bits,
    size_min: RSA_BITS_MIN,
    size_max: RSA_BITS_MAX,
    approved: EVERYTHING,
    approved_size_min: RSA_APPROVED_BITS_MIN,
    vectors: "Wycheproof rsa_pss_* (digest made by the test)",
    one_part: true,
    sign: Some(sign),
    verify: Some(verify),
    ..named!(CKM_RSA_PKCS_PSS)
})];

fn sign(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let params = parse(params)?;
    let key = rules::rsa_private(env, key)?;
    judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(OnePartSigner {
        bytes: key.modulus_bytes(),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign_pss(&params, digest, env.random)),
    }))
}

fn verify(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let params = parse(params)?;
    let key = rules::rsa_public(env, key)?;
    judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(OnePartVerifier(move |digest: &[u8], signature: &[u8]| {
        faults::signature(key.verify_pss(&params, digest, signature))
    })))
}

/// Reads `CK_RSA_PKCS_PSS_PARAMS`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn parse(params: &Params) -> Result<PssParams> {
    let Params::Pss { hash, mgf, salt_bytes } = params else {
        return Err(Reason::MechanismParam("CK_RSA_PKCS_PSS_PARAMS is needed"));
    };
    let salt_bytes = Some(*salt_bytes)
        .filter(|bytes| *bytes <= RSA_BITS_MAX / 8)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or(Reason::MechanismParam("sLen is longer than any modulus"))?;
    Ok(PssParams { hash: hashes::by_mechanism(*hash)?, mgf_hash: hashes::by_mgf(*mgf)?, salt_bytes })
}

/// Asks that hash and salt fit the modulus (RFC 8017, 9.1.1, step 3).
///
/// # Errors
/// `KeySize`.
pub(super) fn judge_fit(params: &PssParams, modulus_bytes: usize) -> Result<()> {
    if params.hash.output_bytes() + params.salt_bytes + 2 > modulus_bytes { Err(Reason::KeySize) } else { Ok(()) }
}
