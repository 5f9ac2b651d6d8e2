//! CKM_SHA*_KEY_GEN and CKM_BLAKE2B_*_KEY_GEN: keys of the MAC key types.
//!
//! Rule source: PKCS#11 v3.0, the sections "HMAC key generation" of the hashes: CKA_VALUE_LEN must be given; sizes are in bytes.

use super::hmac::APPROVED_KEY_BYTES_MIN;
use super::{EVERYTHING, Row, SizeUnit, named};
use crate::keys::material;
use crate::limits::{BLAKE2B_KEY_BYTES_MAX, SECRET_BYTES_MAX};
use crate::object::Attributes;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

macro_rules! keygen {
    ($kind:ident, $key_type:ident, $bytes_max:expr, $approved:expr) => {
        Row {
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: $bytes_max as u64,
            approved: $approved,
            approved_size_min: APPROVED_KEY_BYTES_MIN,
            vectors: "none can be (random by nature): the value is the random source's, which the test plays",
            generate: Some(|env, _params, template| generate($key_type, env, template)),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(keygen!(CKM_SHA_1_KEY_GEN, CKK_SHA_1_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA224_KEY_GEN, CKK_SHA224_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA256_KEY_GEN, CKK_SHA256_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA384_KEY_GEN, CKK_SHA384_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA512_KEY_GEN, CKK_SHA512_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA512_224_KEY_GEN, CKK_SHA512_224_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA512_256_KEY_GEN, CKK_SHA512_256_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA512_T_KEY_GEN, CKK_SHA512_T_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA3_224_KEY_GEN, CKK_SHA3_224_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA3_256_KEY_GEN, CKK_SHA3_256_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA3_384_KEY_GEN, CKK_SHA3_384_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_SHA3_512_KEY_GEN, CKK_SHA3_512_HMAC, SECRET_BYTES_MAX, EVERYTHING)),
    row!(keygen!(CKM_BLAKE2B_160_KEY_GEN, CKK_BLAKE2B_160_HMAC, BLAKE2B_KEY_BYTES_MAX, 0)),
    row!(keygen!(CKM_BLAKE2B_256_KEY_GEN, CKK_BLAKE2B_256_HMAC, BLAKE2B_KEY_BYTES_MAX, 0)),
    row!(keygen!(CKM_BLAKE2B_384_KEY_GEN, CKK_BLAKE2B_384_HMAC, BLAKE2B_KEY_BYTES_MAX, 0)),
    row!(keygen!(CKM_BLAKE2B_512_KEY_GEN, CKK_BLAKE2B_512_HMAC, BLAKE2B_KEY_BYTES_MAX, 0)),
];

fn generate(key_type: u64, env: &Env<'_>, template: &Template) -> Result<Attributes> {
    let bytes = material::value_len(template)?.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    if !material::fits(key_type, bytes) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "no key of this type has so many bytes" });
    }
    let mut value = SecretBytes::zeroed(bytes);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(key_type, value))
}
