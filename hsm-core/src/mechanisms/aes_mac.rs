//! MACs from AES before CMAC: CKM_AES_MAC, CKM_AES_MAC_GENERAL, CKM_AES_XCBC_MAC, CKM_AES_XCBC_MAC_96.
//!
//! CKM_AES_MAC is half a block of the CBC-MAC, and whole messages of different lengths under one key can be forged from each
//! other: new designs take CMAC. XCBC-MAC is defined for keys of 16 bytes.
//! Rule source: PKCS#11 v2.40, "AES-MAC" and "AES-XCBC-MAC"; FIPS 113, RFC 3566.

use super::aes_modes::AES;
use super::mac::{MacOperation, judge_length};
use super::{Row, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::hash::CipherMac;

/// Length of a block, and of a whole tag, in bytes.
const BLOCK_BYTES: usize = 16;
/// Length of a cut tag of CKM_AES_XCBC_MAC_96 in bytes.
const XCBC_96_BYTES: usize = 12;

macro_rules! mac {
    ($kind:ident, $mac:ident, $bytes:expr, $vectors:literal, $base:expr) => {
        Row {
            kind: $kind,
            name: stringify!($kind),
            vectors: $vectors,
            sign: Some(|env, _, key| Ok(Box::new(cut(env, CipherMac::$mac, key, $bytes)?))),
            verify: Some(|env, _, key| Ok(Box::new(cut(env, CipherMac::$mac, key, $bytes)?))),
            ..$base
        }
    };
}

/// What mechanisms of XCBC-MAC have in common.
const XCBC: Row = Row { size_max: 16, approved: 0, ..AES };

pub(super) const ROWS: &[Row] = &[
    row!(mac!(
        CKM_AES_MAC,
        AesCbc,
        BLOCK_BYTES / 2,
        "NIST SP 800-38A, F.2 (the last block of CBC, the IV combined with the first)",
        Row { approved: 0, ..AES }
    )),
    row!(Row {
        kind: CKM_AES_MAC_GENERAL,
        name: "CKM_AES_MAC_GENERAL",
        shape: ParamShape::MacLength,
        judge: |params| judge_length(params, BLOCK_BYTES).map(|_| ()),
        approved: 0,
        vectors: "NIST SP 800-38A, F.2 (as CKM_AES_MAC, cut to every length)",
        sign: Some(|env, params, key| Ok(Box::new(general(env, params, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(general(env, params, key)?))),
        ..AES
    }),
    row!(mac!(CKM_AES_XCBC_MAC, AesXcbc, BLOCK_BYTES, "RFC 3566, 4.6", XCBC)),
    row!(mac!(CKM_AES_XCBC_MAC_96, AesXcbc, XCBC_96_BYTES, "RFC 3566, 4.6", XCBC)),
];

fn cut(env: &Env<'_>, mac: CipherMac<'_>, key: &Object, bytes: usize) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&mac, key)?))?;
    Ok(MacOperation::cut(mac, bytes))
}

fn general(env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&CipherMac::AesCbc, key)?))?;
    MacOperation::new(mac, params)
}
