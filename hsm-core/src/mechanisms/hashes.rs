//! The numbers under which hashes appear in mechanism parameters.
//!
//! Owns: `hashAlg`, `mgf` and `kdf` to hash. Called from the PSS, OAEP and ECDH families. A 0 where a
//! number must be is refused, not guessed (pkcs11-provider sends it when no digest was named).

use crate::reason::{Reason, Result};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_crypto::Hash;

/// The hash of `hashAlg`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn by_mechanism(kind: u64) -> Result<Hash> {
    match kind {
        CKM_SHA_1 => Ok(Hash::Sha1),
        CKM_SHA224 => Ok(Hash::Sha224),
        CKM_SHA256 => Ok(Hash::Sha256),
        CKM_SHA384 => Ok(Hash::Sha384),
        CKM_SHA512 => Ok(Hash::Sha512),
        CKM_SHA512_224 => Ok(Hash::Sha512_224),
        CKM_SHA512_256 => Ok(Hash::Sha512_256),
        CKM_SHA3_224 => Ok(Hash::Sha3_224),
        CKM_SHA3_256 => Ok(Hash::Sha3_256),
        CKM_SHA3_384 => Ok(Hash::Sha3_384),
        CKM_SHA3_512 => Ok(Hash::Sha3_512),
        _ => Err(Reason::MechanismParam("hashAlg is not a hash of the token")),
    }
}

/// The hash of an HMAC's `CKM_*`.
pub(super) fn by_hmac(kind: u64) -> Option<Hash> {
    match kind {
        CKM_SHA_1_HMAC => Some(Hash::Sha1),
        CKM_SHA224_HMAC => Some(Hash::Sha224),
        CKM_SHA256_HMAC => Some(Hash::Sha256),
        CKM_SHA384_HMAC => Some(Hash::Sha384),
        CKM_SHA512_HMAC => Some(Hash::Sha512),
        CKM_SHA512_224_HMAC => Some(Hash::Sha512_224),
        CKM_SHA512_256_HMAC => Some(Hash::Sha512_256),
        CKM_SHA3_224_HMAC => Some(Hash::Sha3_224),
        CKM_SHA3_256_HMAC => Some(Hash::Sha3_256),
        CKM_SHA3_384_HMAC => Some(Hash::Sha3_384),
        CKM_SHA3_512_HMAC => Some(Hash::Sha3_512),
        _ => None,
    }
}

/// The hash of `mgf`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn by_mgf(mgf: u64) -> Result<Hash> {
    match mgf {
        CKG_MGF1_SHA1 => Ok(Hash::Sha1),
        CKG_MGF1_SHA224 => Ok(Hash::Sha224),
        CKG_MGF1_SHA256 => Ok(Hash::Sha256),
        CKG_MGF1_SHA384 => Ok(Hash::Sha384),
        CKG_MGF1_SHA512 => Ok(Hash::Sha512),
        CKG_MGF1_SHA3_224 | CKG_MGF1_SHA3_224_OLD => Ok(Hash::Sha3_224),
        CKG_MGF1_SHA3_256 | CKG_MGF1_SHA3_256_OLD => Ok(Hash::Sha3_256),
        CKG_MGF1_SHA3_384 | CKG_MGF1_SHA3_384_OLD => Ok(Hash::Sha3_384),
        CKG_MGF1_SHA3_512 | CKG_MGF1_SHA3_512_OLD => Ok(Hash::Sha3_512),
        _ => Err(Reason::MechanismParam("mgf is not a mask generation function of the token")),
    }
}

/// The hash of a `kdf` of SP 800-56A; `None` for all others.
pub(super) fn by_concatenation_kdf(kdf: u64) -> Option<Hash> {
    match kdf {
        CKD_SHA1_KDF_SP800 => Some(Hash::Sha1),
        CKD_SHA224_KDF_SP800 => Some(Hash::Sha224),
        CKD_SHA256_KDF_SP800 => Some(Hash::Sha256),
        CKD_SHA384_KDF_SP800 => Some(Hash::Sha384),
        CKD_SHA512_KDF_SP800 => Some(Hash::Sha512),
        CKD_SHA3_224_KDF_SP800 => Some(Hash::Sha3_224),
        CKD_SHA3_256_KDF_SP800 => Some(Hash::Sha3_256),
        CKD_SHA3_384_KDF_SP800 => Some(Hash::Sha3_384),
        CKD_SHA3_512_KDF_SP800 => Some(Hash::Sha3_512),
        _ => None,
    }
}

/// The hash of `kdf`; `None` for CKD_NULL.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn by_kdf(kdf: u64) -> Result<Option<Hash>> {
    match kdf {
        CKD_NULL => Ok(None),
        CKD_SHA1_KDF => Ok(Some(Hash::Sha1)),
        CKD_SHA224_KDF => Ok(Some(Hash::Sha224)),
        CKD_SHA256_KDF => Ok(Some(Hash::Sha256)),
        CKD_SHA384_KDF => Ok(Some(Hash::Sha384)),
        CKD_SHA512_KDF => Ok(Some(Hash::Sha512)),
        CKD_SHA3_224_KDF => Ok(Some(Hash::Sha3_224)),
        CKD_SHA3_256_KDF => Ok(Some(Hash::Sha3_256)),
        CKD_SHA3_384_KDF => Ok(Some(Hash::Sha3_384)),
        CKD_SHA3_512_KDF => Ok(Some(Hash::Sha3_512)),
        CKD_BLAKE2B_160_KDF => Ok(Some(Hash::Blake2b160)),
        CKD_BLAKE2B_256_KDF => Ok(Some(Hash::Blake2b256)),
        CKD_BLAKE2B_384_KDF => Ok(Some(Hash::Blake2b384)),
        CKD_BLAKE2B_512_KDF => Ok(Some(Hash::Blake2b512)),
        _ => Err(Reason::MechanismParam("kdf is not a key derivation function of the token")),
    }
}
