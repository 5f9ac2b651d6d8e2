//! SHAKE and Keccak digests under the numbers of Luna clients; the standard has none for them.
//!
//! A SHAKE has no length of its own. As a message digest it has the one that CMS (RFC 8702) and HashML-DSA (FIPS 204) give it: 256
//! bits for SHAKE128, 512 for SHAKE256. Keccak is the hash before FIPS 202 changed its padding; Ethereum uses it.
//! Rule source: FIPS 202, 6.2; RFC 8702, 2; the Keccak reference 3.0.

use super::{EVERYTHING, Row, named};
use ffi_headers::vendor::*;
use hsm_crypto::Hash;

macro_rules! digest {
    ($kind:ident, $hash:expr, $approved:expr, $vectors:expr) => {
        Row { vectors: $vectors, approved: $approved, digest: Some(|_params| Ok($hash)), ..named!($kind) }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(digest!(CKM_SHAKE_128, Hash::Shake128, EVERYTHING, "NIST CAVP SHAKE128VariableOut")),
    row!(digest!(CKM_SHAKE_256, Hash::Shake256, EVERYTHING, "NIST CAVP SHAKE256VariableOut")),
    row!(digest!(CKM_KECCAK_224, Hash::Keccak224, 0, "published examples (empty, \"abc\", pangram)")),
    row!(digest!(CKM_KECCAK_256, Hash::Keccak256, 0, "published examples (empty, \"abc\", pangram)")),
    row!(digest!(CKM_KECCAK_384, Hash::Keccak384, 0, "published examples (empty, \"abc\", pangram)")),
    row!(digest!(CKM_KECCAK_512, Hash::Keccak512, 0, "published examples (empty, \"abc\", pangram)")),
];
