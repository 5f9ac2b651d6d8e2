//! CKM_POLY1305_KEY_GEN and CKM_POLY1305: a MAC whose key is used for one message.
//!
//! Two messages under one key give the key away (RFC 8439, 3): whoever uses the mechanism alone answers for that.
//! Rule source: PKCS#11 v3.0 and later, "Poly1305"; RFC 8439, 2.5.

use super::chacha20::{STREAM, generate};
use super::mac::MacOperation;
use super::{KeyRule, Row, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::hash::CipherMac;

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_POLY1305_KEY_GEN,
        name: "CKM_POLY1305_KEY_GEN",
        vectors: "none can be (random by nature): the value is the random source's, which the test plays",
        generate: Some(|env, _, template| generate(env, template, CKK_POLY1305)),
        ..STREAM
    }),
    row!(Row {
        kind: CKM_POLY1305,
        name: "CKM_POLY1305",
        keys: KeyRule::Types(&[CKK_POLY1305]),
        vectors: "RFC 8439, 2.5.2 and A.3",
        sign: Some(|env, params, key| Ok(Box::new(start(env, params, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(start(env, params, key)?))),
        ..STREAM
    }),
];

fn start(env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&CipherMac::Poly1305, key)?))?;
    MacOperation::new(mac, params)
}
