//! MD5 and RIPEMD-160: digests, HMAC and RSA signatures.
//!
//! MD5 is broken, RIPEMD-160 has outlived its length of 160 bits; both are met in old files and protocols. A signature of an MD5 digest says
//! nothing against a forger; what was signed before is verified with CKM_MD5_RSA_PKCS.
//! Rule source: PKCS#11 v2.40, 2.1 (PKCS #1 v1.5 with MD5 and RIPE-MD 160), the sections MD5 and RIPE-MD; RFC 1321; RFC 2104.

use super::{Row, hmac, named, rsa_hash};
use ffi_headers::*;
use hsm_crypto::Hash;

macro_rules! legacy {
    ($row:expr, $vectors:expr) => {
        Row { legacy: true, approved: 0, approved_size_min: 0, vectors: $vectors, ..$row }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(legacy!(Row { digest: Some(|_params| Ok(Hash::Md5)), ..named!(CKM_MD5) }, "RFC 1321, A.5")),
    row!(legacy!(hmac::plain!(CKM_MD5_HMAC, CKK_MD5_HMAC, Hash::Md5), "RFC 2202, 2")),
    row!(legacy!(hmac::general!(CKM_MD5_HMAC_GENERAL, CKK_MD5_HMAC, Hash::Md5), "RFC 2202, 2")),
    row!(legacy!(rsa_hash::pkcs1!(CKM_MD5_RSA_PKCS, Hash::Md5, ""), "made with the cryptography library of Python")),
    row!(legacy!(
        Row { digest: Some(|_params| Ok(Hash::Ripemd160)), ..named!(CKM_RIPEMD160) },
        "its authors' examples"
    )),
    row!(legacy!(hmac::plain!(CKM_RIPEMD160_HMAC, CKK_RIPEMD160_HMAC, Hash::Ripemd160), "RFC 2286, 2")),
    row!(legacy!(hmac::general!(CKM_RIPEMD160_HMAC_GENERAL, CKK_RIPEMD160_HMAC, Hash::Ripemd160), "RFC 2286, 2")),
    row!(legacy!(rsa_hash::pkcs1!(CKM_RIPEMD160_RSA_PKCS, Hash::Ripemd160, ""), "made with OpenSSL 3.0")),
];
