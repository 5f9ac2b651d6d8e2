//! CKM_SHA_1 and the SHA-2 digests.
//!
//! Rule source: PKCS#11 v2.40, the sections SHA-1 to SHA-512; FIPS 180-4.

use super::{EVERYTHING, Row, named};
use ffi_headers::*;
use hsm_crypto::Hash;

macro_rules! digest {
    ($kind:ident, $hash:expr) => {
        Row {
            approved: EVERYTHING,
            vectors: "NIST FIPS 180-4 examples (\"abc\", empty, 448 bits)",
            digest: Some($hash),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    digest!(CKM_SHA_1, Hash::Sha1),
    digest!(CKM_SHA224, Hash::Sha224),
    digest!(CKM_SHA256, Hash::Sha256),
    digest!(CKM_SHA384, Hash::Sha384),
    digest!(CKM_SHA512, Hash::Sha512),
];
