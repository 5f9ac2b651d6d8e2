//! Keys of single ciphers: which bytes make one.
//!
//! Owns: lengths, the two halves of an XTS key, the parity of DES keys. Does not know: templates, mechanisms. Called when a
//! key is completed, and by the families that generate.
//! Rule source: PKCS#11 v3.1, 6: the key objects of AES, AES-XTS, DES3, ChaCha20, Salsa20 and Poly1305.

use super::material::fits;
use crate::reason::{Reason, Result};
use ffi_headers::*;
use hsm_crypto::SecretBytes;

/// Length of a key of triple DES in bytes.
pub(crate) const DES3_KEY_BYTES: usize = 24;

/// Whether keys of this `CKK_*` belong to one cipher, which has a mechanism of its own to make them.
pub(crate) const fn is_cipher_type(key_type: u64) -> bool {
    matches!(key_type, CKK_AES | CKK_AES_XTS | CKK_CHACHA20 | CKK_DES3 | CKK_POLY1305 | CKK_SALSA20)
}

/// Judges the value of a cipher's key.
///
/// # Errors
/// `KeyMaterial`.
pub(crate) fn judge_value(key_type: u64, value: &[u8]) -> Result<()> {
    if !fits(key_type, value.len()) {
        return Err(Reason::KeyMaterial(match key_type {
            CKK_AES => "an AES key has 16, 24 or 32 bytes",
            CKK_AES_XTS => "an XTS key has 32 or 64 bytes",
            CKK_DES3 => "a key of triple DES has 24 bytes",
            _ => "a key of this cipher has 32 bytes",
        }));
    }
    let (first, second) = value.split_at(value.len() / 2);
    match key_type {
        CKK_AES_XTS if SecretBytes::copy_of(first).ct_eq(second) => {
            Err(Reason::KeyMaterial("the halves of an XTS key differ"))
        }
        CKK_DES3 if value.iter().any(|byte| byte.count_ones() % 2 == 0) => {
            Err(Reason::KeyMaterial("each byte of a DES key has an odd number of ones"))
        }
        _ => Ok(()),
    }
}

/// Bytes that a derivation or a random source gave, as a key of this type: a DES key gets its parity bits.
pub(crate) fn derived(key_type: u64, mut value: SecretBytes) -> SecretBytes {
    if key_type == CKK_DES3 {
        for byte in value.expose_mut() {
            let seven = *byte & 0xFE;
            *byte = seven | u8::from(seven.count_ones() % 2 == 0);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_des_key_gets_its_parity_and_is_refused_without() {
        let made = derived(CKK_DES3, SecretBytes::new((0..24).collect()));
        assert_eq!(made.expose()[..8], [1, 1, 2, 2, 4, 4, 7, 7]);
        assert!(judge_value(CKK_DES3, made.expose()).is_ok());
        assert!(judge_value(CKK_DES3, &[0; 24]).is_err());
        assert!(judge_value(CKK_DES3, &made.expose()[..16]).is_err());
        assert_eq!(derived(CKK_AES, SecretBytes::zeroed(16)).expose(), [0; 16]);
    }

    #[test]
    fn an_xts_key_has_two_different_halves() {
        let key: Vec<u8> = (0..64).collect();
        assert!(judge_value(CKK_AES_XTS, &key).is_ok() && judge_value(CKK_AES_XTS, &key[..32]).is_ok());
        for wrong in [&key[..16], &key[..48], &[7; 32], &[7; 64]] {
            assert!(matches!(judge_value(CKK_AES_XTS, wrong), Err(Reason::KeyMaterial(_))), "{}", wrong.len());
        }
    }
}
