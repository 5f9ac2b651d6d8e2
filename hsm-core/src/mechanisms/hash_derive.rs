//! CKM_SHA*_KEY_DERIVATION, CKM_BLAKE2B_*_KEY_DERIVE, CKM_SHAKE_*_KEY_DERIVATION: the digest of a key's value, or its first bytes, as a key.
//!
//! Rule source: PKCS#11 v2.40, 2.10.5 (SHA-1) and the sections of the other hashes; v3.1, 6.21 and on.

use super::combine::{SECRETS, length};
use super::derive::{Derive, Request};
use super::{KeyRule, Row, SizeUnit, named};
use crate::limits::SECRET_BYTES_MAX;
use crate::reason::{Reason, Result};
use ffi_headers::*;
use hsm_crypto::{Hash, SecretBytes, kdf};

macro_rules! digest {
    ($kind:ident, $hash:expr) => {
        Row {
            keys: KeyRule::Types(SECRETS),
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: SECRET_BYTES_MAX as u64,
            vectors: "the digests of FIPS 180-4, FIPS 202 and RFC 7693 as keys",
            derive: Some(Derive::Secret(|request, wanted| derive($hash, request, wanted))),
            ..named!($kind)
        }
    };
}

macro_rules! shake {
    ($kind:ident, $xof:expr) => {
        Row {
            keys: KeyRule::Types(SECRETS),
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: SECRET_BYTES_MAX as u64,
            vectors: "computed with Python's hashlib",
            derive: Some(Derive::Secret(|request, wanted| {
                // There is no natural length to fall back on.
                let bytes = wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
                Ok(kdf::xof($xof, request.base_value()?, bytes))
            })),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(digest!(CKM_SHA1_KEY_DERIVATION, Hash::Sha1)),
    row!(digest!(CKM_SHA224_KEY_DERIVATION, Hash::Sha224)),
    row!(digest!(CKM_SHA256_KEY_DERIVATION, Hash::Sha256)),
    row!(digest!(CKM_SHA384_KEY_DERIVATION, Hash::Sha384)),
    row!(digest!(CKM_SHA512_KEY_DERIVATION, Hash::Sha512)),
    row!(digest!(CKM_SHA512_224_KEY_DERIVATION, Hash::Sha512_224)),
    row!(digest!(CKM_SHA512_256_KEY_DERIVATION, Hash::Sha512_256)),
    row!(digest!(CKM_SHA3_224_KEY_DERIVATION, Hash::Sha3_224)),
    row!(digest!(CKM_SHA3_256_KEY_DERIVATION, Hash::Sha3_256)),
    row!(digest!(CKM_SHA3_384_KEY_DERIVATION, Hash::Sha3_384)),
    row!(digest!(CKM_SHA3_512_KEY_DERIVATION, Hash::Sha3_512)),
    row!(digest!(CKM_BLAKE2B_160_KEY_DERIVE, Hash::Blake2b160)),
    row!(digest!(CKM_BLAKE2B_256_KEY_DERIVE, Hash::Blake2b256)),
    row!(digest!(CKM_BLAKE2B_384_KEY_DERIVE, Hash::Blake2b384)),
    row!(digest!(CKM_BLAKE2B_512_KEY_DERIVE, Hash::Blake2b512)),
    row!(shake!(CKM_SHAKE_128_KEY_DERIVATION, kdf::Xof::Shake128)),
    row!(shake!(CKM_SHAKE_256_KEY_DERIVATION, kdf::Xof::Shake256)),
];

fn derive(hash: Hash, request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let bytes = length(wanted, hash.output_bytes())?;
    let mut value = kdf::digest_of(request.env.engine, hash, request.base_value()?);
    value.truncate(bytes);
    Ok(value)
}
