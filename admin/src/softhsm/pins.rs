//! The key of a SoftHSM2 token, out of its wrap, and what it decrypts.
//!
//! Owns: how a PIN becomes a key, how the token's key and the byte strings of private objects are encrypted. Does
//! not know: files. The algorithms are the crypto room's.
//!
//! A wrap is a salt of 8 bytes, an initialisation vector of 16, and AES-256-CBC with PKCS#7 padding over the three
//! bytes `RJR` and the token's key of 32 bytes. Its key is SHA-256 over salt and PIN, hashed again and again: 1500
//! times in all and once more for each unit of the salt's last byte, in the way of RFC 4880, 3.7.1.3. A byte string of
//! a private object is an initialisation vector and AES-256-CBC under the token's key; an empty one stays empty.

use hsm_crypto::cipher::{Direction, Mode};
use hsm_crypto::{CryptoError, Hash, SecretBytes, SymmetricKey};
use thiserror::Error;

/// The key of a token.
pub struct TokenKey(SecretBytes);

/// Why a key or a value does not open.
#[derive(Debug, Error)]
pub enum Closed {
    /// The PIN is not the one of the wrap.
    #[error("the PIN is wrong")]
    WrongPin,
    /// The wrap has a length that none has.
    #[error("the wrapped key of the token has {0} bytes, not 72")]
    WrapLength(usize),
    /// The value is not what the token's key encrypted.
    #[error("an encrypted value does not decrypt")]
    Value,
    /// The engine failed.
    #[error(transparent)]
    Engine(CryptoError),
}

impl TokenKey {
    /// Opens a wrap with a PIN.
    ///
    /// # Errors
    /// `WrongPin`, `WrapLength`, `Engine`.
    pub fn open(wrap: &[u8], pin: &SecretBytes) -> Result<Self, Closed> {
        let length = || Closed::WrapLength(wrap.len());
        let (salt, rest) = wrap.split_first_chunk::<SALT_BYTES>().ok_or_else(length)?;
        if rest.len() != IV_BYTES + PLAIN_BYTES.next_multiple_of(IV_BYTES) {
            return Err(length());
        }
        let plain = match decrypt(&stretched(salt, pin), rest) {
            // A wrong key makes bad padding far more often than a wrong first word.
            Err(Closed::Value) => return Err(Closed::WrongPin),
            other => other?,
        };
        match plain.expose().split_first_chunk::<{ MAGIC.len() }>() {
            Some((magic, key)) if magic == MAGIC && plain.len() == PLAIN_BYTES => Ok(Self(SecretBytes::copy_of(key))),
            _ => Err(Closed::WrongPin),
        }
    }

    /// Whether two wraps hold the same key.
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Decrypts a byte string of a private object.
    ///
    /// # Errors
    /// `Value`, `Engine`.
    pub fn decrypt(&self, value: &SecretBytes) -> Result<SecretBytes, Closed> {
        match value.is_empty() {
            true => Ok(SecretBytes::default()),
            false => decrypt(&self.0, value.expose()),
        }
    }
}

/// The key that a PIN and a salt make.
fn stretched(salt: &[u8; SALT_BYTES], pin: &SecretBytes) -> SecretBytes {
    let mut digest = (hsm_crypto::preferred().digest)(Hash::Sha256);
    digest.update(salt);
    digest.update(pin.expose());
    let mut key = SecretBytes::new(digest.finish());
    for _ in 1..ROUNDS + u32::from(salt[SALT_BYTES - 1]) {
        digest.update(key.expose());
        key = SecretBytes::new(digest.finish());
    }
    key
}

/// Decrypts what stands behind its initialisation vector.
fn decrypt(key: &SecretBytes, value: &[u8]) -> Result<SecretBytes, Closed> {
    let (iv, body) = value.split_first_chunk::<IV_BYTES>().ok_or(Closed::Value)?;
    let told = |error| match error {
        CryptoError::DecryptionFailed | CryptoError::InputLength => Closed::Value,
        other => Closed::Engine(other),
    };
    let mode = Mode::CbcPad { iv: *iv };
    let mut cipher = (hsm_crypto::preferred().cipher)(&mode, Direction::Decrypt, &SymmetricKey::copy_of(key.expose()))
        .map_err(told)?;
    // Room for all at once: a vector that grows leaves unwiped copies behind.
    let mut plain = Vec::with_capacity(body.len() + IV_BYTES);
    let outcome = cipher.update(body, &mut plain).and_then(|()| cipher.finish(&mut plain));
    let plain = SecretBytes::new(plain);
    outcome.map_err(told)?;
    Ok(plain)
}

const SALT_BYTES: usize = 8;
const IV_BYTES: usize = 16;
/// Hashes for a salt that ends with 0.
const ROUNDS: u32 = 1500;
const MAGIC: &[u8; 3] = b"RJR";
/// The magic bytes and the key.
const PLAIN_BYTES: usize = MAGIC.len() + 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// From a token that SoftHSM2 2.6.1 made with the PINs `so-pin-1` and `user-pin-1`.
    const SO_WRAP: &str = "d4de8f0c386b204b5816170708ac14c3a487c5f337b7609bad442dc5baee2915fac8fa90b99518818db7f41eaf354da453eda91f175a6a0fe355d7d772574488173baf0dd8b6643f";
    const USER_WRAP: &str = "cff92ebb3162107122544c6957e9b14900613a26358eedd0865c7910e97de3da82a30654b790f94ef2b22d3a46aec6746053a1d7f4a2f01e2535d0a95cbf81d1dc318fd384df21f6";
    /// `ed`, the label of a private object in that token.
    const LABEL: &str = "fd4bbc7a5baa6b66c5d1789aeef21c63faba106e7c5ca37b8876c6af7ba78caf";

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
        hex.as_bytes().chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
    }

    fn pin(text: &str) -> SecretBytes {
        SecretBytes::copy_of(text.as_bytes())
    }

    #[test]
    fn both_pins_open_the_same_key_and_it_decrypts() {
        let so = TokenKey::open(&bytes(SO_WRAP), &pin("so-pin-1")).unwrap();
        let user = TokenKey::open(&bytes(USER_WRAP), &pin("user-pin-1")).unwrap();
        assert!(so.is(&user));
        let label = SecretBytes::new(bytes(LABEL));
        assert_eq!(so.decrypt(&label).unwrap().expose(), b"ed");
        assert!(so.decrypt(&SecretBytes::default()).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_pin_and_the_other_pin_do_not_open_it() {
        for wrong in ["", "user-pin-1", "so-pin-2", "so-pin-1 "] {
            assert!(matches!(TokenKey::open(&bytes(SO_WRAP), &pin(wrong)), Err(Closed::WrongPin)), "{wrong}");
        }
    }

    #[test]
    fn a_wrap_of_another_length_is_told() {
        for length in [0, 7, 8, 24, 71, 73, 88] {
            let wrap = vec![1; length];
            assert!(matches!(TokenKey::open(&wrap, &pin("x")), Err(Closed::WrapLength(told)) if told == length));
        }
    }

    #[test]
    fn a_changed_value_does_not_decrypt() {
        let key = TokenKey::open(&bytes(SO_WRAP), &pin("so-pin-1")).unwrap();
        let label = bytes(LABEL);
        for length in [1, 15, 16, 17, 31] {
            assert!(matches!(key.decrypt(&SecretBytes::copy_of(&label[..length])), Err(Closed::Value)), "{length}");
        }
        let mut turned = label.clone();
        // The last byte of the vector is the last byte of the plaintext: the padding.
        turned[15] ^= 0xff;
        assert!(matches!(key.decrypt(&SecretBytes::new(turned)), Err(Closed::Value)));
    }
}
