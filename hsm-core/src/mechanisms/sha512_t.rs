//! CKM_SHA512_T and CKM_SHA512_T_HMAC, whose parameter is t in bits.
//!
//! FIPS 180-4, 5.3.6 describes a hash for every t, and approves two: 224 and 256. The token has these two, as no library
//! computes another. CKM_SHA512_T_HMAC_GENERAL is not there: the standard gives it one number for two values, t and the length
//! of the MAC.
//! Rule source: PKCS#11 v3.0, the section SHA-512/t.

use super::hmac::{self, APPROVED_KEY_BYTES_MIN};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, named};
use crate::limits::ATTRIBUTE_BYTES_MAX;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::Hash;

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        shape: ParamShape::MacLength,
        judge: |params| truncated(params).map(|_| ()),
        approved: EVERYTHING,
        vectors: "NIST CAVP SHA512_224ShortMsg, SHA512_256ShortMsg",
        digest: Some(truncated),
        ..named!(CKM_SHA512_T)
    }),
    row!(Row {
        shape: ParamShape::MacLength,
        judge: |params| truncated(params).map(|_| ()),
        keys: KeyRule::Types(&[CKK_GENERIC_SECRET, CKK_SHA512_T_HMAC]),
        unit: SizeUnit::Bytes,
        size_min: 1,
        size_max: ATTRIBUTE_BYTES_MAX as u64,
        approved: EVERYTHING,
        approved_size_min: APPROVED_KEY_BYTES_MIN,
        vectors: "Wycheproof hmac_sha512_224, hmac_sha512_256",
        sign: Some(|env, params, key| hmac::sign(truncated(params)?, env, &Params::None, key)),
        verify: Some(|env, params, key| hmac::verify(truncated(params)?, env, &Params::None, key)),
        ..named!(CKM_SHA512_T_HMAC)
    }),
];

/// The hash of t bits.
fn truncated(params: &Params) -> Result<Hash> {
    match params {
        Params::MacLength(224) => Ok(Hash::Sha512_224),
        Params::MacLength(256) => Ok(Hash::Sha512_256),
        _ => Err(Reason::MechanismParam("t of SHA-512/t is neither 224 nor 256")),
    }
}
