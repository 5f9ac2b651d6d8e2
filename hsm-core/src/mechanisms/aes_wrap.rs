//! AES key wrap: CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_WRAP_PKCS7 and Luna's numbers for the
//! first two.
//!
//! CKM_AES_KEY_WRAP takes multiples of 8 bytes from 16; whatever else goes by KWP. CKM_AES_KEY_WRAP_PAD
//! had no clear definition in v2.40; it is RFC 5649 here, as in SoftHSM, nShield and Luna's tools, so it
//! is the same as KWP. CKM_AES_KEY_WRAP_PKCS7 is CKM_AES_KEY_WRAP behind PKCS#7 padding to 8 bytes, so it takes 8 bytes at least.
//! Rule source: PKCS#11 v2.40, 2.14 (AES key wrap) and its successors; NIST SP 800-38F, RFC 3394, RFC 5649.

use super::aes_modes::AES;
use super::parts::{OnePartCrypter, OneShotSize, crypt_and_wrap};
use super::{Crypter, EVERYTHING, Row, Wraps, faults, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::{CKM_AES_KW, CKM_AES_KWP};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::KeyWrap;

macro_rules! kw {
    ($kind:ident) => {
        crypt_and_wrap!(
            |env, params, key| encrypt(KeyWrap::Kw, env, params, key),
            |env, params, key| decrypt(KeyWrap::Kw, env, params, key),
            Wraps::SecretAndPrivateKeys,
            Row {
                kind: $kind,
                name: stringify!($kind),
                shape: ParamShape::OptionalIv(8),
                approved: EVERYTHING,
                vectors: "Wycheproof aes_wrap",
                ..AES
            }
        )
    };
}

macro_rules! kwp {
    ($kind:ident) => {
        crypt_and_wrap!(
            |env, params, key| encrypt(KeyWrap::Kwp, env, params, key),
            |env, params, key| decrypt(KeyWrap::Kwp, env, params, key),
            Wraps::SecretAndPrivateKeys,
            Row {
                kind: $kind,
                name: stringify!($kind),
                shape: ParamShape::OptionalIv(4),
                approved: EVERYTHING,
                vectors: "Wycheproof aes_kwp",
                ..AES
            }
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(kw!(CKM_AES_KEY_WRAP)),
    row!(kwp!(CKM_AES_KEY_WRAP_KWP)),
    row!(kwp!(CKM_AES_KEY_WRAP_PAD)),
    row!(crypt_and_wrap!(
        |env, params, key| encrypt(KeyWrap::Pkcs7, env, params, key),
        |env, params, key| decrypt(KeyWrap::Pkcs7, env, params, key),
        Wraps::SecretAndPrivateKeys,
        Row {
            kind: CKM_AES_KEY_WRAP_PKCS7,
            name: "CKM_AES_KEY_WRAP_PKCS7",
            shape: ParamShape::OptionalIv(8),
            approved: EVERYTHING,
            vectors: "made with the cryptography library of Python (aes_key_wrap of the padded key)",
            ..AES
        }
    )),
    row!(kw!(CKM_AES_KW)),
    row!(kwp!(CKM_AES_KWP)),
];

/// Length in bytes of a half block: what wrapping adds, and what KWP fills up to.
const HALF_BLOCK_BYTES: usize = 8;

fn encrypt(kind: KeyWrap, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::with_secret(env, key, |key| Ok(SecretBytes::copy_of(key.expose())))?;
    let iv = initial_value(params);
    let size = match kind {
        KeyWrap::Kw => OneShotSize::InputPlus(HALF_BLOCK_BYTES),
        KeyWrap::Kwp => OneShotSize::UnitsPlusOne(HALF_BLOCK_BYTES),
        KeyWrap::Pkcs7 => OneShotSize::PaddedPlusOne(HALF_BLOCK_BYTES),
    };
    Ok(Box::new(OnePartCrypter {
        size,
        run: move |env: &Env<'_>, input: &[u8]| {
            faults::data((env.engine.key_wrap)(kind, key.expose(), iv.as_deref(), input)).map(SecretBytes::new)
        },
    }))
}

fn decrypt(kind: KeyWrap, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::with_secret(env, key, |key| Ok(SecretBytes::copy_of(key.expose())))?;
    let iv = initial_value(params);
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::InputPlus(0),
        run: move |env: &Env<'_>, input: &[u8]| {
            faults::ciphertext((env.engine.key_unwrap)(kind, key.expose(), iv.as_deref(), input))
        },
    }))
}

/// The caller's initial value; its length was judged with the parameter's shape.
fn initial_value(params: &Params) -> Option<Vec<u8>> {
    match params {
        Params::Iv(iv) => Some(iv.clone()),
        _ => None,
    }
}
