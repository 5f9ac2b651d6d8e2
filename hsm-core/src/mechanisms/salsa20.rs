//! Salsa20: CKM_SALSA20_KEY_GEN, CKM_SALSA20.
//!
//! The counter has 64 bits, little-endian; a nonce of 64 bits is Salsa20's, one of 192 XSalsa20's. CKM_SALSA20_POLY1305 is left out: no
//! document defines how it joins the two with associated data, so nobody could decrypt it elsewhere.
//! Rule source: PKCS#11 v3.0 and later, "Salsa20"; Bernstein, "The Salsa20 family of stream ciphers", "Extending the Salsa20 nonce".

use super::aes_modes::start;
use super::chacha20::{STREAM, counter64, generate};
use super::{KeyRule, Row};
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::cipher::{Direction, Mode, StreamCipher};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_SALSA20_KEY_GEN,
        name: "CKM_SALSA20_KEY_GEN",
        vectors: "none can be (random by nature): the value is the random source's, which the test plays",
        generate: Some(|env, _, template| generate(env, template, CKK_SALSA20)),
        ..STREAM
    }),
    row!(Row {
        kind: CKM_SALSA20,
        name: "CKM_SALSA20",
        shape: ParamShape::Salsa20,
        judge: |params| parse(params).map(|_| ()),
        keys: KeyRule::Types(&[CKK_SALSA20]),
        vectors: "eSTREAM (ECRYPT) sets 1 and 5 for keys of 256 bits; Go's test of XSalsa20",
        encrypt: Some(|env, params, key| start(env, &parse(params)?, Direction::Encrypt, key)),
        decrypt: Some(|env, params, key| start(env, &parse(params)?, Direction::Decrypt, key)),
        ..STREAM
    }),
];

/// Reads `CK_SALSA20_PARAMS`.
fn parse(params: &Params) -> Result<Mode> {
    let Params::Stream { counter, nonce } = params else {
        return Err(Reason::MechanismParam("CK_SALSA20_PARAMS is needed"));
    };
    let Ok(block) = counter64(counter) else { return Err(Reason::MechanismParam("pBlockCounter is missing")) };
    Ok(Mode::Stream(if let Ok(nonce) = <[u8; 8]>::try_from(nonce.as_slice()) {
        StreamCipher::Salsa20 { block, nonce }
    } else if let Ok(nonce) = <[u8; 24]>::try_from(nonce.as_slice()) {
        StreamCipher::XSalsa20 { block, nonce }
    } else {
        return Err(Reason::MechanismParam("the nonce has neither 64 nor 192 bits"));
    }))
}
