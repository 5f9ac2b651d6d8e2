//! CKM_SHA_1, the SHA-2 digests and the SHA-3 digests.
//!
//! Rule source: PKCS#11 v2.40, the sections SHA-1 to SHA-512; v3.0, the sections SHA-512/224, SHA-512/256 and SHA3-224 to
//! SHA3-512; FIPS 180-4 and FIPS 202.

use super::{EVERYTHING, Row, named};
use ffi_headers::*;
use hsm_crypto::Hash;

macro_rules! digest {
    ($kind:ident, $hash:expr, $vectors:expr) => {
        Row { vectors: $vectors, approved: EVERYTHING, digest: Some(|_params| Ok($hash)), ..named!($kind) }
    };
}

const FIPS_180: &str = "NIST FIPS 180-4 examples (\"abc\", empty, 448 bits)";

pub(super) const ROWS: &[Row] = &[
    row!(digest!(CKM_SHA_1, Hash::Sha1, FIPS_180)),
    row!(digest!(CKM_SHA224, Hash::Sha224, FIPS_180)),
    row!(digest!(CKM_SHA256, Hash::Sha256, FIPS_180)),
    row!(digest!(CKM_SHA384, Hash::Sha384, FIPS_180)),
    row!(digest!(CKM_SHA512, Hash::Sha512, FIPS_180)),
    row!(digest!(CKM_SHA512_224, Hash::Sha512_224, "NIST CAVP SHA512_224ShortMsg")),
    row!(digest!(CKM_SHA512_256, Hash::Sha512_256, "NIST CAVP SHA512_256ShortMsg")),
    row!(digest!(CKM_SHA3_224, Hash::Sha3_224, "NIST CAVP SHA3_224ShortMsg")),
    row!(digest!(CKM_SHA3_256, Hash::Sha3_256, "NIST CAVP SHA3_256ShortMsg")),
    row!(digest!(CKM_SHA3_384, Hash::Sha3_384, "NIST CAVP SHA3_384ShortMsg")),
    row!(digest!(CKM_SHA3_512, Hash::Sha3_512, "NIST CAVP SHA3_512ShortMsg")),
];
