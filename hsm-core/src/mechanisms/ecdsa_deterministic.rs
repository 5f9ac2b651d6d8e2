//! CKM_ECDSA_DETERMINISTIC and CKM_ECDSA_DETERMINISTIC_SHA*: ECDSA whose nonce follows from key and digest (RFC 6979).
//!
//! The same key and message give the same signature, which is what code signing with reproducible builds and wallets want, and
//! no random source can betray the key. The standard has no mechanism for it and no other maker a number that could be shared, so
//! these are Perilune's own. A mechanism, not an attribute of the key: CKA_ALLOWED_MECHANISMS can then bind a key to it. The
//! signatures are ordinary ones, and CKM_ECDSA verifies them. The nonce is made with the hash of the digest (3.6 of
//! the RFC leaves the choice); where the caller brings the digest, its length says which: 20, 28, 32, 48 or 64 bytes of SHA-1
//! or SHA-2.
//! Rule source: RFC 6979, 3.2; FIPS 186-5, 6.3.2.

use super::ec_keygen::{EC_BITS_MIN, EC_FLAGS};
use super::ecdsa::{private, verify, verify_hashed};
use super::parts::{HashedSigner, Hashing, OnePartSigner};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, faults};
use crate::limits::EC_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::CKK_EC;
use ffi_headers::vendor::*;
use hsm_crypto::Hash;

const COMMON: Row = Row {
    keys: KeyRule::Types(&[CKK_EC]),
    unit: SizeUnit::Bits,
    size_min: EC_BITS_MIN,
    size_max: EC_BITS_MAX,
    extra_flags: EC_FLAGS,
    approved: EVERYTHING,
    vectors: "RFC 6979, A.2.4 to A.2.7",
    ..Row::BLANK
};

macro_rules! hashed {
    ($kind:ident, $hash:expr) => {
        Row {
            kind: $kind,
            name: stringify!($kind),
            sign: Some(|env, _params, key| sign_hashed(env, $hash, key)),
            verify: Some(|env, _params, key| verify_hashed(env, $hash, key)),
            ..COMMON
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_ECDSA_DETERMINISTIC,
        name: "CKM_ECDSA_DETERMINISTIC",
        one_part: true,
        sign: Some(sign),
        verify: Some(verify),
        ..COMMON
    }),
    row!(hashed!(CKM_ECDSA_DETERMINISTIC_SHA224, Hash::Sha224)),
    row!(hashed!(CKM_ECDSA_DETERMINISTIC_SHA256, Hash::Sha256)),
    row!(hashed!(CKM_ECDSA_DETERMINISTIC_SHA384, Hash::Sha384)),
    row!(hashed!(CKM_ECDSA_DETERMINISTIC_SHA512, Hash::Sha512)),
];

fn sign(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let key = private(env, key)?;
    Ok(Box::new(OnePartSigner {
        bytes: 2 * key.curve().field_bytes(),
        sign: move |_env: &Env<'_>, digest: &[u8]| faults::data(key.sign_deterministic(hash_of(digest.len())?, digest)),
    }))
}

/// The hash that a digest of this length was made with.
fn hash_of(digest_bytes: usize) -> Result<Hash> {
    [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512]
        .into_iter()
        .find(|hash| hash.output_bytes() == digest_bytes)
        .ok_or(Reason::DataLength)
}

fn sign_hashed(env: &Env<'_>, hash: Hash, key: &Object) -> Result<Box<dyn Signer>> {
    let key = private(env, key)?;
    Ok(Box::new(HashedSigner {
        bytes: 2 * key.curve().field_bytes(),
        digest: Hashing::new(env, hash),
        sign: move |_env: &Env<'_>, digest: &[u8]| faults::data(key.sign_deterministic(hash, digest)),
    }))
}
