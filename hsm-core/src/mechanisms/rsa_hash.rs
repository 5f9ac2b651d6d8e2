//! CKM_SHA*_RSA_PKCS and CKM_SHA*_RSA_PKCS_PSS, with SHA-1, SHA-2 and SHA-3: RSA signatures that hash the message, in parts.
//!
//! Owns: the DER `DigestInfo` of each hash. A PSS parameter that names another hash than the mechanism
//! is refused.
//! Rule source: PKCS#11 v2.40, 2.1 (PKCS #1 v1.5 and PSS with SHA) and v3.0, 2.1 (with SHA-3); RFC 8017, 9.2, note 1.

use super::parts::{HashedSigner, HashedVerifier, Hashing};
use super::rsa_pkcs::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};
use super::{KeyRule, Row, Signer, SizeUnit, Verifier, faults, named, rsa_pss, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::Hash;
use hsm_crypto::rsa::PssParams;

/// A row of PKCS#1 v1.5 signatures that hash.
macro_rules! pkcs1 {
    ($kind:ident, $hash:expr, $vectors:expr) => {
        $crate::mechanisms::Row {
            keys: $crate::mechanisms::KeyRule::Types(&[CKK_RSA]),
            unit: $crate::mechanisms::SizeUnit::Bits,
            size_min: $crate::mechanisms::rsa_pkcs::RSA_BITS_MIN,
            size_max: $crate::limits::RSA_BITS_MAX,
            approved: $crate::mechanisms::rules::approved_signature($hash),
            approved_size_min: $crate::mechanisms::rsa_pkcs::RSA_APPROVED_BITS_MIN,
            vectors: $vectors,
            sign: Some(|env, _params, key| $crate::mechanisms::rsa_hash::sign_pkcs1(env, $hash, key)),
            verify: Some(|env, _params, key| $crate::mechanisms::rsa_hash::verify_pkcs1(env, $hash, key)),
            ..$crate::mechanisms::named!($kind)
        }
    };
}
pub(super) use pkcs1;

macro_rules! pss {
    ($kind:ident, $hash:expr, $vectors:expr) => {
        Row {
            shape: ParamShape::Pss,
            judge: |params| parse_pss($hash, params).map(|_| ()),
            keys: KeyRule::Types(&[CKK_RSA]),
            unit: SizeUnit::Bits,
            size_min: RSA_BITS_MIN,
            size_max: RSA_BITS_MAX,
            approved: rules::approved_signature($hash),
            approved_size_min: RSA_APPROVED_BITS_MIN,
            vectors: $vectors,
            sign: Some(|env, params, key| sign_pss(env, $hash, params, key)),
            verify: Some(|env, params, key| verify_pss(env, $hash, params, key)),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(pkcs1!(CKM_SHA1_RSA_PKCS, Hash::Sha1, "RSA Laboratories pkcs1v15sign 1.2")),
    row!(pkcs1!(CKM_SHA224_RSA_PKCS, Hash::Sha224, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA256_RSA_PKCS, Hash::Sha256, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA384_RSA_PKCS, Hash::Sha384, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA512_RSA_PKCS, Hash::Sha512, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA3_224_RSA_PKCS, Hash::Sha3_224, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA3_256_RSA_PKCS, Hash::Sha3_256, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA3_384_RSA_PKCS, Hash::Sha3_384, "Wycheproof rsa_signature_*")),
    row!(pkcs1!(CKM_SHA3_512_RSA_PKCS, Hash::Sha3_512, "Wycheproof rsa_signature_*")),
    row!(pss!(CKM_SHA1_RSA_PKCS_PSS, Hash::Sha1, WYCHEPROOF_PSS)),
    row!(pss!(CKM_SHA224_RSA_PKCS_PSS, Hash::Sha224, WYCHEPROOF_PSS)),
    row!(pss!(CKM_SHA256_RSA_PKCS_PSS, Hash::Sha256, WYCHEPROOF_PSS)),
    row!(pss!(CKM_SHA384_RSA_PKCS_PSS, Hash::Sha384, WYCHEPROOF_PSS)),
    row!(pss!(CKM_SHA512_RSA_PKCS_PSS, Hash::Sha512, WYCHEPROOF_PSS)),
    row!(pss!(CKM_SHA3_224_RSA_PKCS_PSS, Hash::Sha3_224, OPENSSL_PSS)),
    row!(pss!(CKM_SHA3_256_RSA_PKCS_PSS, Hash::Sha3_256, OPENSSL_PSS)),
    row!(pss!(CKM_SHA3_384_RSA_PKCS_PSS, Hash::Sha3_384, OPENSSL_PSS)),
    row!(pss!(CKM_SHA3_512_RSA_PKCS_PSS, Hash::Sha3_512, OPENSSL_PSS)),
];

const WYCHEPROOF_PSS: &str = "Wycheproof rsa_pss_*";
const OPENSSL_PSS: &str = "made with OpenSSL 3.0 (no published set has SHA-3 and MGF1)";

pub(super) fn sign_pkcs1(env: &Env<'_>, hash: Hash, key: &Object) -> Result<Box<dyn Signer>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(HashedSigner {
        bytes: key.modulus_bytes(),
        digest: Hashing::new(env, hash),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign_pkcs1(&digest_info(hash, digest)?, env.random)),
    }))
}

pub(super) fn verify_pkcs1(env: &Env<'_>, hash: Hash, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(HashedVerifier {
        digest: Hashing::new(env, hash),
        verify: move |digest: &[u8], signature: &[u8]| {
            faults::signature(key.verify_pkcs1(&digest_info(hash, digest)?, signature))
        },
    }))
}

fn sign_pss(env: &Env<'_>, hash: Hash, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let params = parse_pss(hash, params)?;
    let key = rules::rsa_private(env, key)?;
    rsa_pss::judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(HashedSigner {
        bytes: key.modulus_bytes(),
        digest: Hashing::new(env, hash),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign_pss(&params, digest, env.random)),
    }))
}

fn verify_pss(env: &Env<'_>, hash: Hash, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let params = parse_pss(hash, params)?;
    let key = rules::rsa_public(env, key)?;
    rsa_pss::judge_fit(&params, key.modulus_bytes())?;
    Ok(Box::new(HashedVerifier {
        digest: Hashing::new(env, hash),
        verify: move |digest: &[u8], signature: &[u8]| faults::signature(key.verify_pss(&params, digest, signature)),
    }))
}

fn parse_pss(hash: Hash, params: &Params) -> Result<PssParams> {
    let params = rsa_pss::parse(params)?;
    if params.hash == hash {
        Ok(params)
    } else {
        Err(Reason::MechanismParam("hashAlg is not the hash of the mechanism"))
    }
}

/// The DER `DigestInfo` of a digest.
fn digest_info(hash: Hash, digest: &[u8]) -> Result<Vec<u8>> {
    let prefix = digest_info_prefix(hash).ok_or(Reason::Internal("a row has a hash without DigestInfo"))?;
    Ok([prefix, digest].concat())
}

/// What stands in front of the digest in `DigestInfo`: algorithm identifier with NULL, header of the OCTET STRING.
const fn digest_info_prefix(hash: Hash) -> Option<&'static [u8]> {
    Some(match hash {
        Hash::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14],
        Hash::Sha224 => const { &nist_prefix(0x04, 28) },
        Hash::Sha256 => const { &nist_prefix(0x01, 32) },
        Hash::Sha384 => const { &nist_prefix(0x02, 48) },
        Hash::Sha512 => const { &nist_prefix(0x03, 64) },
        Hash::Sha3_224 => const { &nist_prefix(0x07, 28) },
        Hash::Sha3_256 => const { &nist_prefix(0x08, 32) },
        Hash::Sha3_384 => const { &nist_prefix(0x09, 48) },
        Hash::Sha3_512 => const { &nist_prefix(0x0a, 64) },
        Hash::Md5 => &[
            0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10,
        ],
        Hash::Ripemd160 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x24, 0x03, 0x02, 0x01, 0x05, 0x00, 0x04, 0x14],
        _ => return None,
    })
}

/// NIST's hashes differ in the last arc of 2.16.840.1.101.3.4.2 and in lengths only.
const fn nist_prefix(arc: u8, digest_bytes: u8) -> [u8; 19] {
    [
        0x30,
        0x11 + digest_bytes,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        arc,
        0x05,
        0x00,
        0x04,
        digest_bytes,
    ]
}
