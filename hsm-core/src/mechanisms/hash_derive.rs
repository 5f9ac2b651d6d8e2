//! CKM_SHA*_KEY_DERIVATION: the digest of a key's value, or its first bytes, as a key.
//!
//! Rule source: PKCS#11 v2.40, 2.10.5 (SHA-1) and the sections of the other hashes; v3.1, 6.21 and on.

use super::combine::{SECRETS, length};
use super::derive::{Derive, Request};
use super::{KeyRule, Row, SizeUnit, named};
use crate::limits::SECRET_BYTES_MAX;
use crate::reason::Result;
use ffi_headers::*;
use hsm_crypto::{Hash, SecretBytes};

macro_rules! digest {
    ($kind:ident, $hash:expr) => {
        Row {
            keys: KeyRule::Types(SECRETS),
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: SECRET_BYTES_MAX as u64,
            vectors: "the digests of FIPS 180-4 and FIPS 202 as keys",
            derive: Some(Derive::Secret(|request, wanted| derive($hash, request, wanted))),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    digest!(CKM_SHA1_KEY_DERIVATION, Hash::Sha1),
    digest!(CKM_SHA224_KEY_DERIVATION, Hash::Sha224),
    digest!(CKM_SHA256_KEY_DERIVATION, Hash::Sha256),
    digest!(CKM_SHA384_KEY_DERIVATION, Hash::Sha384),
    digest!(CKM_SHA512_KEY_DERIVATION, Hash::Sha512),
];

fn derive(hash: Hash, request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let bytes = length(wanted, hash.output_bytes())?;
    let mut digest = (request.env.engine.digest)(hash);
    digest.update(request.base_value()?);
    let mut value = SecretBytes::new(digest.finish());
    value.truncate(bytes);
    Ok(value)
}
