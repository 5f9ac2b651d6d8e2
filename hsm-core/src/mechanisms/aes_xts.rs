//! CKM_AES_XTS and CKM_AES_XTS_KEY_GEN.
//!
//! The parameter is the number of the data unit, 16 bytes little-endian, and the whole message is that unit: 16 bytes to 16 MiB.
//! In parts, all of it waits for C_EncryptFinal, because the end decides how the last blocks are made.
//! Luna's older number is not here: its parameter has the handle of a second key.
//! Rule source: PKCS#11 v3.0 and later, "AES XTS"; NIST SP 800-38E, IEEE 1619.

use super::aes_modes::{iv, start};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, named};
use crate::keys::ciphers;
use crate::keys::material;
use crate::object::Attributes;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::{Direction, Mode};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        unit: SizeUnit::Bytes,
        size_min: 32,
        size_max: 64,
        approved: EVERYTHING,
        vectors: "none can be (random by nature): the value is the random source's, which the test plays",
        generate: Some(generate),
        ..named!(CKM_AES_XTS_KEY_GEN)
    }),
    row!(Row {
        shape: ParamShape::Iv16,
        keys: KeyRule::Types(&[CKK_AES_XTS]),
        unit: SizeUnit::Bytes,
        size_min: 32,
        size_max: 64,
        approved: EVERYTHING,
        vectors: "Wycheproof aes_xts; IEEE 1619, vectors 2 and 15",
        encrypt: Some(|env, params, key| start(env, &Mode::Xts { tweak: iv(params)? }, Direction::Encrypt, key)),
        decrypt: Some(|env, params, key| start(env, &Mode::Xts { tweak: iv(params)? }, Direction::Decrypt, key)),
        ..named!(CKM_AES_XTS)
    }),
];

fn generate(env: &Env<'_>, _params: &Params, template: &Template) -> Result<Attributes> {
    let bytes = material::value_len(template)?.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    if !material::fits(CKK_AES_XTS, bytes) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "an XTS key has 32 or 64 bytes" });
    }
    let mut value = SecretBytes::zeroed(bytes);
    env.random.fill(value.expose_mut())?;
    // Equal halves are no accident: the random source is broken.
    ciphers::judge_value(CKK_AES_XTS, value.expose())
        .map_err(|_| Reason::Internal("the random source repeats itself"))?;
    Ok(material::secret(CKK_AES_XTS, value))
}
