//! CKM_BLAKE2B_*, CKM_BLAKE2B_*_HMAC and CKM_BLAKE2B_*_HMAC_GENERAL.
//!
//! What the standard calls HMAC here is the keyed variant of BLAKE2b, with the length of the whole MAC as its output length, and not
//! the construction of FIPS 198-1. Its keys have 64 bytes at most.
//! Rule source: PKCS#11 v3.0, the sections BLAKE2B-160 to BLAKE2B-512; RFC 7693.

use super::mac::{MacOperation, judge_length};
use super::{KeyRule, Row, Signer, SizeUnit, Verifier, named, rules};
use crate::limits::BLAKE2B_KEY_BYTES_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::Hash;

macro_rules! digest {
    ($kind:ident, $hash:expr, $vectors:expr) => {
        Row { vectors: $vectors, digest: Some(|_params| Ok($hash)), ..named!($kind) }
    };
}

macro_rules! plain {
    ($kind:ident, $key_type:ident, $hash:expr, $vectors:expr) => {
        Row {
            keys: KeyRule::Types(&[CKK_GENERIC_SECRET, $key_type]),
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: BLAKE2B_KEY_BYTES_MAX as u64,
            vectors: $vectors,
            sign: Some(|env, params, key| sign($hash, env, params, key)),
            verify: Some(|env, params, key| verify($hash, env, params, key)),
            ..named!($kind)
        }
    };
}

macro_rules! general {
    ($kind:ident, $key_type:ident, $hash:expr, $vectors:expr) => {
        Row {
            shape: ParamShape::MacLength,
            judge: |params| judge_length(params, $hash.output_bytes()).map(|_| ()),
            ..plain!($kind, $key_type, $hash, $vectors)
        }
    };
}

const BLAKE2_AUTHORS: &str = "known answers of BLAKE2's authors";
const PYTHON: &str = "made with Python's hashlib (the code of BLAKE2's authors)";

pub(super) const ROWS: &[Row] = &[
    row!(digest!(CKM_BLAKE2B_160, Hash::Blake2b160, PYTHON)),
    row!(plain!(CKM_BLAKE2B_160_HMAC, CKK_BLAKE2B_160_HMAC, Hash::Blake2b160, PYTHON)),
    row!(general!(CKM_BLAKE2B_160_HMAC_GENERAL, CKK_BLAKE2B_160_HMAC, Hash::Blake2b160, PYTHON)),
    row!(digest!(CKM_BLAKE2B_256, Hash::Blake2b256, PYTHON)),
    row!(plain!(CKM_BLAKE2B_256_HMAC, CKK_BLAKE2B_256_HMAC, Hash::Blake2b256, PYTHON)),
    row!(general!(CKM_BLAKE2B_256_HMAC_GENERAL, CKK_BLAKE2B_256_HMAC, Hash::Blake2b256, PYTHON)),
    row!(digest!(CKM_BLAKE2B_384, Hash::Blake2b384, PYTHON)),
    row!(plain!(CKM_BLAKE2B_384_HMAC, CKK_BLAKE2B_384_HMAC, Hash::Blake2b384, PYTHON)),
    row!(general!(CKM_BLAKE2B_384_HMAC_GENERAL, CKK_BLAKE2B_384_HMAC, Hash::Blake2b384, PYTHON)),
    row!(digest!(CKM_BLAKE2B_512, Hash::Blake2b512, BLAKE2_AUTHORS)),
    row!(plain!(CKM_BLAKE2B_512_HMAC, CKK_BLAKE2B_512_HMAC, Hash::Blake2b512, BLAKE2_AUTHORS)),
    row!(general!(CKM_BLAKE2B_512_HMAC_GENERAL, CKK_BLAKE2B_512_HMAC, Hash::Blake2b512, BLAKE2_AUTHORS)),
];

fn sign(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    Ok(Box::new(start(hash, env, params, key)?))
}

fn verify(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    Ok(Box::new(start(hash, env, params, key)?))
}

fn start(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.keyed_blake2b)(hash, key)?))?;
    MacOperation::new(mac, params)
}
