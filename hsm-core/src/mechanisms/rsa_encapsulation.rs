//! C_EncapsulateKey and C_DecapsulateKey over RSA.
//!
//! Under CKM_RSA_PKCS and CKM_RSA_PKCS_OAEP a fresh key of the length that the template names travels as one that is wrapped. With
//! CKM_RSA_X_509 the secret is a random number below the modulus, which travels without padding (RSASVE): as long as the modulus, or the
//! end of it where the template asks for less, as unwrapping without padding takes it.
//! Rule source: PKCS#11 v3.2, 6.1.6, 6.1.8 and 6.1.12; SP 800-56B revision 2, 7.2.1.

use super::parts::{unwrap_by, wrap_by};
use super::{Crypter, Encapsulation, Start, Wanted, faults, rsa_oaep, rsa_pkcs, rules};
use crate::keys::ciphers;
use crate::keys::material;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::post_quantum::Encapsulated;
use hsm_crypto::{CryptoError, SecretBytes};

/// C_EncapsulateKey of CKM_RSA_PKCS.
pub(super) const PKCS: Encapsulation = Encapsulation {
    ciphertext_bytes,
    run: |env, params, key, wanted| transport(rsa_pkcs::encrypt, env, params, key, wanted),
};

/// C_EncapsulateKey of CKM_RSA_PKCS_OAEP.
pub(super) const OAEP: Encapsulation = Encapsulation {
    ciphertext_bytes,
    run: |env, params, key, wanted| transport(rsa_oaep::encrypt, env, params, key, wanted),
};

/// C_EncapsulateKey of CKM_RSA_X_509.
pub(super) const RAW: Encapsulation = Encapsulation { ciphertext_bytes, run: number };

fn ciphertext_bytes(env: &Env<'_>, _: &Params, key: &Object) -> Result<usize> {
    rules::rsa_public(env, key).map(|key| key.modulus_bytes())
}

/// Makes a key and wraps it.
fn transport(
    encrypt: Start<dyn Crypter>,
    env: &Env<'_>,
    params: &Params,
    key: &Object,
    wanted: Wanted,
) -> Result<Encapsulated> {
    let bytes = wanted.bytes.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    let mut secret = SecretBytes::zeroed(bytes);
    env.random.fill(secret.expose_mut())?;
    let secret = ciphers::derived(wanted.key_type, secret);
    let ciphertext = wrap_by(encrypt, env, params, key, &secret).map_err(|reason| match reason {
        // The data is the key, and its length the caller's wish.
        Reason::DataLength => {
            Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than the modulus has room for" }
        }
        other => other,
    })?;
    Ok(Encapsulated { ciphertext, secret })
}

/// C_DecapsulateKey of CKM_RSA_PKCS.
pub(super) fn open_pkcs(
    env: &Env<'_>,
    params: &Params,
    key: &Object,
    ciphertext: &[u8],
    wanted: Wanted,
) -> Result<SecretBytes> {
    opened(unwrap_by(rsa_pkcs::decrypt, env, params, key, ciphertext), wanted)
}

/// C_DecapsulateKey of CKM_RSA_PKCS_OAEP.
pub(super) fn open_oaep(
    env: &Env<'_>,
    params: &Params,
    key: &Object,
    ciphertext: &[u8],
    wanted: Wanted,
) -> Result<SecretBytes> {
    opened(unwrap_by(rsa_oaep::decrypt, env, params, key, ciphertext), wanted)
}

/// What was decrypted, if it is the key that the template asks for; all that depends on the decrypted bytes is one answer.
fn opened(content: Result<SecretBytes>, wanted: Wanted) -> Result<SecretBytes> {
    let content = content.map_err(told)?;
    let fits =
        wanted.bytes.is_none_or(|bytes| bytes == content.len()) && material::fits(wanted.key_type, content.len());
    if fits { Ok(content) } else { Err(Reason::WrappedKeyInvalid) }
}

fn told(reason: Reason) -> Reason {
    match reason {
        Reason::EncryptedDataLength => Reason::WrappedKeyLength,
        Reason::EncryptedDataInvalid => Reason::WrappedKeyInvalid,
        other => other,
    }
}

/// Makes a random number between 1 and n - 1, both excluded, and raises it to the public exponent (RSASVE.GENERATE).
fn number(env: &Env<'_>, _: &Params, key: &Object, wanted: Wanted) -> Result<Encapsulated> {
    let modulus = modulus(key)?;
    let key = rules::rsa_public(env, key)?;
    for _ in 0..TRIES {
        let mut secret = SecretBytes::zeroed(modulus.len());
        env.random.fill(secret.expose_mut())?;
        if let (Some(first), Some(top)) = (secret.expose_mut().first_mut(), modulus.first()) {
            *first &= u8::MAX >> top.leading_zeros();
        }
        if within(secret.expose(), modulus) {
            let ciphertext = faults::data(key.raw(secret.expose()))?;
            return Ok(Encapsulated { ciphertext, secret: ending(secret, wanted)? });
        }
    }
    Err(CryptoError::RandomFailed.into())
}

/// C_DecapsulateKey of CKM_RSA_X_509 (RSASVE.RECOVER).
pub(super) fn open_raw(
    env: &Env<'_>,
    _: &Params,
    key: &Object,
    ciphertext: &[u8],
    wanted: Wanted,
) -> Result<SecretBytes> {
    let modulus = modulus(key)?;
    if ciphertext.len() != modulus.len() {
        return Err(Reason::WrappedKeyLength);
    }
    if !within(ciphertext, modulus) {
        return Err(Reason::WrappedKeyInvalid);
    }
    let secret = faults::ciphertext(rules::rsa_private(env, key)?.raw(ciphertext, env.random)).map_err(told)?;
    ending(secret, wanted)
}

/// How often a number is drawn; every second one is below the modulus at the least.
const TRIES: usize = 128;

fn modulus(key: &Object) -> Result<&[u8]> {
    let modulus = key.bytes(CKA_MODULUS).ok_or(Reason::KeyMaterial("CKA_MODULUS is missing"))?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    Ok(modulus.get(zeros..).unwrap_or_default())
}

/// Whether 1 < number < n - 1, for numbers of the modulus' length.
fn within(number: &[u8], modulus: &[u8]) -> bool {
    let (Some((last, head)), Some((low, high))) = (number.split_last(), modulus.split_last()) else { return false };
    let above_one = *last > 1 || head.iter().any(|byte| *byte != 0);
    // The modulus is odd, so one less than it differs from it in the last byte alone.
    above_one && (head, *last) < (high, low.saturating_sub(1))
}

/// The last bytes of the number, where fewer are asked for.
fn ending(secret: SecretBytes, wanted: Wanted) -> Result<SecretBytes> {
    let Some(bytes) = wanted.bytes else { return Ok(secret) };
    let cut = secret
        .len()
        .checked_sub(bytes)
        .ok_or(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than the modulus" })?;
    Ok(SecretBytes::copy_of(&secret.expose()[cut..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_above_one_and_below_the_modulus_less_one() {
        let modulus = [0x80, 0x00, 0x01];
        for good in [[0, 0, 2], [0, 1, 0], [0x7f, 0xff, 0xff]] {
            assert!(within(&good, &modulus), "{good:?}");
        }
        for bad in [[0, 0, 0], [0, 0, 1], [0x80, 0, 0], [0x80, 0, 1], [0xff, 0, 0]] {
            assert!(!within(&bad, &modulus), "{bad:?}");
        }
        assert!(within(&[0x7f, 0xff, 0xfe], &[0x80, 0, 0xff]) && !within(&[], &[]));
    }

    #[test]
    fn a_shorter_secret_is_the_end_of_the_number() {
        let wanted = |bytes| Wanted { key_type: CKK_GENERIC_SECRET, bytes };
        let secret = || SecretBytes::copy_of(&[1, 2, 3]);
        assert_eq!(ending(secret(), wanted(None)).unwrap().expose(), [1, 2, 3]);
        assert_eq!(ending(secret(), wanted(Some(2))).unwrap().expose(), [2, 3]);
        assert!(matches!(ending(secret(), wanted(Some(4))), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })));
    }
}
