//! CKM_AES_CMAC and CKM_AES_CMAC_GENERAL.
//!
//! Rule source: PKCS#11 v2.40, 2.12 (AES CMAC); NIST SP 800-38B, RFC 4493.

use super::aes_modes::AES;
use super::mac::{MacOperation, judge_length};
use super::{EVERYTHING, Row, Signer, Verifier, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::{ParamShape, Params};
use ffi_headers::*;

/// Length of the whole tag in bytes.
const TAG_BYTES: usize = 16;

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_AES_CMAC,
        name: "CKM_AES_CMAC",
        approved: EVERYTHING,
        vectors: "Wycheproof aes_cmac",
        sign: Some(sign),
        verify: Some(verify),
        ..AES
    }),
    row!(Row {
        kind: CKM_AES_CMAC_GENERAL,
        name: "CKM_AES_CMAC_GENERAL",
        shape: ParamShape::MacLength,
        judge: |params| judge_length(params, TAG_BYTES).map(|_| ()),
        approved: EVERYTHING,
        vectors: "RFC 4493, 4 (cut to every length); Wycheproof aes_cmac",
        sign: Some(sign),
        verify: Some(verify),
        ..AES
    }),
];

fn sign(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    Ok(Box::new(start(env, params, key)?))
}

fn verify(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    Ok(Box::new(start(env, params, key)?))
}

fn start(env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cmac)(key)?))?;
    MacOperation::new(mac, params)
}
