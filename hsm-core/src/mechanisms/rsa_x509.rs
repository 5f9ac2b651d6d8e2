//! CKM_RSA_X_509: RSA without padding; the caller pads. libp11 falls back to it.
//!
//! Input shorter than the modulus is filled up with zero bytes in front, as the standard says. Wrapping
//! is left out: an unpadded key under RSA can be searched for. An encapsulated secret is as long as the modulus, and cannot. What C_VerifyRecover gives is the whole block, as long as the modulus:
//! whether it means anything is the caller's question.
//! Rule source: PKCS#11 v2.40, 2.1 (X.509 raw RSA).

use super::parts::{OnePartCrypter, OnePartSigner, OnePartVerifier, OneShotSize};
use super::rsa_pkcs::RSA_BITS_MIN;
use super::{Crypter, KeyRule, Row, Signer, SizeUnit, Verifier, faults, named, rsa_encapsulation, rules};
use crate::limits::RSA_BITS_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

pub(super) const ROWS: &[Row] = &[row!(Row {
    keys: KeyRule::Types(&[CKK_RSA]),
    unit: SizeUnit::Bits,
    size_min: RSA_BITS_MIN,
    size_max: RSA_BITS_MAX,
    vectors: "RSA Laboratories pkcs1v15sign 1.2 and Wycheproof rsa_signature_* (EMSA-PKCS1-v1_5 block made by the test); RSASVE of OpenSSL (decapsulation)",
    one_part: true,
    sign: Some(sign),
    verify: Some(verify),
    sign_recover: Some(sign_recover),
    verify_recover: Some(verify_recover),
    encrypt: Some(encrypt),
    decrypt: Some(decrypt),
    encapsulate: Some(rsa_encapsulation::RAW),
    decapsulate: Some(rsa_encapsulation::open_raw),
    ..named!(CKM_RSA_X_509)
})];

fn sign(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let key = rules::rsa_private(env, key)?;
    let bytes = key.modulus_bytes();
    Ok(Box::new(OnePartSigner {
        bytes,
        sign: move |env: &Env<'_>, data: &[u8]| {
            let signature = faults::data(key.raw(block(data, bytes)?.expose(), env.random))?;
            Ok(signature.into_public("a signature is returned to the caller")?)
        },
    }))
}

fn verify(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartVerifier(move |data: &[u8], signature: &[u8]| {
        let expected = block(data, key.modulus_bytes())?;
        let opened = faults::opened(key.raw(signature))?;
        if expected.ct_eq(&opened) { Ok(()) } else { Err(Reason::SignatureInvalid) }
    })))
}

fn sign_recover(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_private(env, key)?;
    let bytes = key.modulus_bytes();
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(bytes),
        run: move |env: &Env<'_>, data: &[u8]| faults::data(key.raw(block(data, bytes)?.expose(), env.random)),
    }))
}

fn verify_recover(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_public(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |_env: &Env<'_>, signature: &[u8]| faults::opened(key.raw(signature)).map(SecretBytes::new),
    }))
}

fn encrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_public(env, key)?;
    let bytes = key.modulus_bytes();
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(bytes),
        run: move |_env: &Env<'_>, input: &[u8]| {
            faults::data(key.raw(block(input, bytes)?.expose())).map(SecretBytes::new)
        },
    }))
}

fn decrypt(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    let key = rules::rsa_private(env, key)?;
    Ok(Box::new(OnePartCrypter {
        size: OneShotSize::AtMost(key.modulus_bytes()),
        run: move |env: &Env<'_>, input: &[u8]| faults::ciphertext(key.raw(input, env.random)),
    }))
}

/// Fills `data` up to `bytes` with zero bytes in front.
fn block(data: &[u8], bytes: usize) -> Result<SecretBytes> {
    let pad = bytes.checked_sub(data.len()).ok_or(Reason::DataLength)?;
    let mut block = SecretBytes::zeroed(bytes);
    block.expose_mut()[pad..].copy_from_slice(data);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_block_is_filled_up_in_front_and_a_long_one_is_refused() {
        assert_eq!(block(&[7, 8], 4).unwrap().expose(), [0, 0, 7, 8]);
        assert_eq!(block(&[], 2).unwrap().expose(), [0, 0]);
        assert!(matches!(block(&[1, 2, 3], 2), Err(Reason::DataLength)));
    }
}
