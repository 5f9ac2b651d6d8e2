//! CKM_RSA_PKCS: PKCS#1 v1.5 signatures of what the caller digested, encryption and key transport.
//!
//! Decryption rejects implicitly: bad padding gives a plaintext that only the key decides, never an
//! error, so C_Decrypt and C_UnwrapKey are no oracle for it.
//! Rule source: PKCS#11 v2.40, 2.1.6; RFC 8017, 7.2 and 8.2.

use super::parts::{OnePartCrypter, OnePartSigner, OnePartVerifier, OneShotSize, crypt_and_wrap};
use super::{Crypter, KeyRule, Row, Signer, SizeUnit, Verifier, Wraps, faults, named, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

pub(super) use crate::limits::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};

pub(super) const ROWS: &[Row] = &[crypt_and_wrap!(
    encrypt,
    decrypt,
    Wraps::SecretKeys,
    Row {
        keys: KeyRule::Types(&[CKK_RSA]),
        unit: SizeUnit::Bits,
        size_min: RSA_BITS_MIN,
        size_max: RSA_BITS_MAX,
        approved: CKF_SIGN | CKF_VERIFY,
        approved_size_min: RSA_APPROVED_BITS_MIN,
        vectors: "RSA Laboratories pkcs1v15sign 1.2 and Wycheproof rsa_signature_* (DigestInfo made by the test), rsa_pkcs1_2048 (decryption)",
        sign: Some(sign),
        verify: Some(verify),
        ..named!(CKM_RSA_PKCS)
    }
)];

fn sign(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(OnePartSigner {
        bytes: key.modulus_bytes(),
        sign: move |env: &Env<'_>, data: &[u8]| faults::data(key.sign_pkcs1(data, env.random)),
    }))
}

fn verify(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartVerifier(move |data: &[u8], signature: &[u8]| {
        faults::signature(key.verify_pkcs1(data, signature))
    })))
}

fn encrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| {
            faults::data(key.encrypt_pkcs1(input, env.random)).map(SecretBytes::new)
        },
    }))
}

fn decrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| faults::ciphertext(key.decrypt_pkcs1(input, env.random)),
    }))
}
