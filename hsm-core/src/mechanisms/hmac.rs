//! CKM_SHA*_HMAC and CKM_SHA*_HMAC_GENERAL.
//!
//! Keys are generic secrets of any length, and the key type of the hash. No key is too short: the
//! strength of a key is its maker's choice (SoftHSM asks for 64 bytes with SHA-512, and clients fail).
//! Rule source: PKCS#11 v2.40, 2.7 (HMAC) and the sections of the hashes; v3.0, the sections of SHA-3; FIPS 198-1.

use super::mac::MacOperation;
use super::{Row, Signer, Verifier, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::Hash;

/// A row of HMAC with the whole MAC.
macro_rules! plain {
    ($kind:ident, $key_type:ident, $hash:expr) => {
        $crate::mechanisms::Row {
            keys: $crate::mechanisms::KeyRule::Types(&[CKK_GENERIC_SECRET, $key_type]),
            unit: $crate::mechanisms::SizeUnit::Bytes,
            size_min: 1,
            size_max: $crate::limits::ATTRIBUTE_BYTES_MAX as u64,
            approved: $crate::mechanisms::EVERYTHING,
            approved_size_min: $crate::mechanisms::hmac::APPROVED_KEY_BYTES_MIN,
            vectors: "Wycheproof hmac_sha*",
            sign: Some(|env, params, key| $crate::mechanisms::hmac::sign($hash, env, params, key)),
            verify: Some(|env, params, key| $crate::mechanisms::hmac::verify($hash, env, params, key)),
            ..$crate::mechanisms::named!($kind)
        }
    };
}
pub(super) use plain;

/// A row of HMAC with the MAC's length as parameter.
macro_rules! general {
    ($kind:ident, $key_type:ident, $hash:expr) => {
        $crate::mechanisms::Row {
            shape: $crate::types::ParamShape::MacLength,
            judge: |params| $crate::mechanisms::mac::judge_length(params, $hash.output_bytes()).map(|_| ()),
            ..$crate::mechanisms::hmac::plain!($kind, $key_type, $hash)
        }
    };
}
pub(super) use general;

/// 112 bits of security (SP 800-131A, 10).
pub(super) const APPROVED_KEY_BYTES_MIN: u64 = 14;

pub(super) const ROWS: &[Row] = &[
    row!(plain!(CKM_SHA_1_HMAC, CKK_SHA_1_HMAC, Hash::Sha1)),
    row!(general!(CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC, Hash::Sha1)),
    row!(plain!(CKM_SHA224_HMAC, CKK_SHA224_HMAC, Hash::Sha224)),
    row!(general!(CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC, Hash::Sha224)),
    row!(plain!(CKM_SHA256_HMAC, CKK_SHA256_HMAC, Hash::Sha256)),
    row!(general!(CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC, Hash::Sha256)),
    row!(plain!(CKM_SHA384_HMAC, CKK_SHA384_HMAC, Hash::Sha384)),
    row!(general!(CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC, Hash::Sha384)),
    row!(plain!(CKM_SHA512_HMAC, CKK_SHA512_HMAC, Hash::Sha512)),
    row!(general!(CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC, Hash::Sha512)),
    row!(plain!(CKM_SHA512_224_HMAC, CKK_SHA512_224_HMAC, Hash::Sha512_224)),
    row!(general!(CKM_SHA512_224_HMAC_GENERAL, CKK_SHA512_224_HMAC, Hash::Sha512_224)),
    row!(plain!(CKM_SHA512_256_HMAC, CKK_SHA512_256_HMAC, Hash::Sha512_256)),
    row!(general!(CKM_SHA512_256_HMAC_GENERAL, CKK_SHA512_256_HMAC, Hash::Sha512_256)),
    row!(plain!(CKM_SHA3_224_HMAC, CKK_SHA3_224_HMAC, Hash::Sha3_224)),
    row!(general!(CKM_SHA3_224_HMAC_GENERAL, CKK_SHA3_224_HMAC, Hash::Sha3_224)),
    row!(plain!(CKM_SHA3_256_HMAC, CKK_SHA3_256_HMAC, Hash::Sha3_256)),
    row!(general!(CKM_SHA3_256_HMAC_GENERAL, CKK_SHA3_256_HMAC, Hash::Sha3_256)),
    row!(plain!(CKM_SHA3_384_HMAC, CKK_SHA3_384_HMAC, Hash::Sha3_384)),
    row!(general!(CKM_SHA3_384_HMAC_GENERAL, CKK_SHA3_384_HMAC, Hash::Sha3_384)),
    row!(plain!(CKM_SHA3_512_HMAC, CKK_SHA3_512_HMAC, Hash::Sha3_512)),
    row!(general!(CKM_SHA3_512_HMAC_GENERAL, CKK_SHA3_512_HMAC, Hash::Sha3_512)),
];

pub(super) fn sign(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    Ok(Box::new(start(hash, env, params, key)?))
}

pub(super) fn verify(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    Ok(Box::new(start(hash, env, params, key)?))
}

fn start(hash: Hash, env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.hmac)(hash, key)?))?;
    MacOperation::new(mac, params)
}
