//! CKM_AES_GMAC: the tag of GCM over a message that is not encrypted.
//!
//! The parameter is `CK_GCM_PARAMS` as v3.0 and later say, with the tag's length; or the 12 bytes of initialisation vector of
//! v2.40, with a tag of 16 bytes. Associated data in the structure come before the message, so that nothing given is left out.
//! Rule source: PKCS#11 v2.40 and v3.0, "AES-GMAC"; NIST SP 800-38D.

use super::aes_gcm::parse;
use super::aes_modes::AES;
use super::mac::MacOperation;
use super::{Row, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::cipher::GcmParams;
use hsm_crypto::hash::CipherMac;

/// Length of the whole tag in bytes.
const TAG_BYTES: usize = 16;

pub(super) const ROWS: &[Row] = &[row!(Row {
    kind: CKM_AES_GMAC,
    name: "CKM_AES_GMAC",
    shape: ParamShape::Gmac,
    judge: |params| read(params).map(|_| ()),
    // As with GCM, an approved token would make the initialisation vector itself (SP 800-38D, 8.2).
    approved: CKF_VERIFY,
    vectors: "Wycheproof aes_gmac",
    sign: Some(|env, params, key| Ok(Box::new(start(env, params, key)?))),
    verify: Some(|env, params, key| Ok(Box::new(start(env, params, key)?))),
    ..AES
})];

fn start(env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let params = read(params)?;
    let mac = CipherMac::Gmac { iv: params.iv };
    let mut mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&mac, key)?))?;
    mac.update(params.aad)?;
    Ok(MacOperation::cut(mac, params.tag_bytes))
}

fn read(params: &Params) -> Result<GcmParams<'_>> {
    match params {
        Params::Iv(iv) => Ok(GcmParams { iv, aad: &[], tag_bytes: TAG_BYTES }),
        other => parse(other),
    }
}
