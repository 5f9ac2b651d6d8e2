//! CKM_RSA_PKCS: PKCS#1 v1.5 signatures of what the caller digested, encryption and key transport.
//!
//! Decryption rejects implicitly: bad padding gives a plaintext that only the key decides, never an
//! error, so C_Decrypt and C_UnwrapKey are no oracle for it.
//! Rule source: PKCS#11 v2.40, 2.1.6; RFC 8017, 7.2 and 8.2.

use super::parts::{OnePartCrypter, OnePartSigner, OnePartVerifier, OneShotSize, crypt_and_wrap};
use super::{Crypter, KeyRule, Row, Signer, SizeUnit, Verifier, Wraps, faults, named, rsa_encapsulation, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

pub(super) use crate::limits::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};

pub(super) const ROWS: &[Row] = &[row!(crypt_and_wrap!(
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
        vectors: "RSA Laboratories pkcs1v15sign 1.2 and Wycheproof rsa_signature_* (DigestInfo made by the test), rsa_pkcs1_2048 (decryption, decapsulation)",
        encapsulate: Some(rsa_encapsulation::PKCS),
        decapsulate: Some(rsa_encapsulation::open_pkcs),
        one_part: true,
        sign: Some(sign),
        verify: Some(verify),
        sign_recover: Some(sign_recover),
        verify_recover: Some(verify_recover),
        ..named!(CKM_RSA_PKCS)
    }
))];

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

fn sign_recover(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, data: &[u8]| faults::data(key.sign_pkcs1(data, env.random)).map(SecretBytes::new),
    }))
}

fn verify_recover(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |_env: &Env<'_>, signature: &[u8]| {
            let block = faults::opened(key.raw(signature))?;
            data_of(&block).map(SecretBytes::copy_of).ok_or(Reason::SignatureInvalid)
        },
    }))
}

/// The data in the block of a signature: 00 01, eight bytes FF at least, 00, data (RFC 8017, 9.2).
///
/// All of it is public, so the time that this takes tells nothing.
fn data_of(block: &[u8]) -> Option<&[u8]> {
    let padded = block.strip_prefix(&[0, 1])?;
    let padding = padded.iter().take_while(|byte| **byte == 0xff).count();
    let data = padded.get(padding..)?.strip_prefix(&[0])?;
    (padding >= PADDING_BYTES_MIN).then_some(data)
}

/// Fewest bytes of padding in a signature's block.
const PADDING_BYTES_MIN: usize = 8;

pub(super) fn encrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| {
            faults::data(key.encrypt_pkcs1(input, env.random)).map(SecretBytes::new)
        },
    }))
}

pub(super) fn decrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| faults::ciphertext(key.decrypt_pkcs1(input, env.random)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stands_behind_eight_bytes_of_padding_at_least_and_a_zero() {
        let block = |start: &[u8], padding: usize, rest: &[u8]| [start, &vec![0xff; padding][..], rest].concat();
        assert_eq!(data_of(&block(&[0, 1], 8, &[0, 7, 0, 9])), Some(&[7, 0, 9][..]));
        assert_eq!(data_of(&block(&[0, 1], 20, &[0])), Some(&[][..]));
        for bad in [
            block(&[0, 1], 7, &[0, 7]),
            block(&[0, 1], 8, &[1, 7]),
            block(&[0, 2], 8, &[0, 7]),
            block(&[1, 1], 8, &[0, 7]),
            block(&[0, 1], 30, &[]),
            vec![0],
            vec![],
        ] {
            assert_eq!(data_of(&bad), None, "{bad:?}");
        }
    }
}
