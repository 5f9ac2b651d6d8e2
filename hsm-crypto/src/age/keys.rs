//! The keys of people: recipients, which lock, and identities, which unlock.
//!
//! Owns: their spelling, and wrapping a file key for one of them. Does not know: headers, files.
//! Rule source: the age specification, "The X25519 recipient type".

use super::{AgeError, FILE_KEY_BYTES, bech32};
use crate::ec::XPrivateKey;
use crate::error::{CryptoError, Result};
use crate::kdf::hkdf_sha256;
use crate::portable;
use crate::random::Random;
use crate::secret::SecretBytes;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key};
use zeroize::Zeroize;

/// A public key that files are locked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// A secret key that opens what is locked for its recipient; wiped on drop.
pub struct Identity(SecretBytes);

/// Length of a wrapped file key.
pub(super) const WRAPPED_BYTES: usize = FILE_KEY_BYTES + 16;
const RECIPIENT_NAME: &str = "age";
const IDENTITY_NAME: &str = "age-secret-key-";
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";

impl Recipient {
    /// Reads `age1...`; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, bytes) = bech32::decode(text)?;
        let lower = text.bytes().all(|letter| !letter.is_ascii_uppercase());
        // Only the length can be wrong.
        let bytes = bytes.try_into().ok()?;
        (name == RECIPIENT_NAME && lower).then_some(Self(bytes))
    }

    /// Wraps a file key: the share that goes beside it, and the wrapped key.
    pub(super) fn wrap(&self, file_key: &SecretBytes, random: &dyn Random) -> Result<([u8; 32], Vec<u8>)> {
        let mut secret = SecretBytes::zeroed(32);
        random.fill(secret.expose_mut())?;
        let ephemeral = (portable().x25519_private)(secret.expose())?;
        let share = public_value(&*ephemeral)?;
        let key = wrap_key(&ephemeral.agree(&self.0)?, &share, &self.0)?;
        Ok((share, seal(&key, file_key.expose())?))
    }
}

impl core::fmt::Display for Recipient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT_NAME, &self.0))
    }
}

impl Identity {
    /// Reads `AGE-SECRET-KEY-1...`; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, bytes) = bech32::decode(text)?;
        let bytes = SecretBytes::new(bytes);
        let upper = text.bytes().all(|letter| !letter.is_ascii_lowercase());
        (name == IDENTITY_NAME && upper && bytes.len() == 32).then_some(Self(bytes))
    }

    /// The recipient that belongs to it.
    ///
    /// # Errors
    /// The engine's.
    pub fn recipient(&self) -> Result<Recipient> {
        Ok(Recipient(public_value(&*(portable().x25519_private)(self.0.expose())?)?))
    }

    /// Unwraps a file key; `None` when it is locked for somebody else.
    pub(super) fn unwrap(
        &self,
        share: &[u8; 32],
        wrapped: &[u8],
    ) -> core::result::Result<Option<SecretBytes>, AgeError> {
        let private = (portable().x25519_private)(self.0.expose())?;
        let shared = match private.agree(share) {
            Ok(shared) => shared,
            Err(CryptoError::InputRange) => return Err(AgeError::Header("a share is a point of small order")),
            Err(other) => return Err(other.into()),
        };
        let key = wrap_key(&shared, share, &public_value(&*private)?)?;
        Ok(open(&key, wrapped)?)
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Identity")
    }
}

/// The public value of an X25519 key, which has 32 bytes.
fn public_value(key: &dyn XPrivateKey) -> Result<[u8; 32]> {
    key.public_key().try_into().map_err(|_| CryptoError::EngineFailed("X25519"))
}

fn wrap_key(shared: &SecretBytes, share: &[u8; 32], recipient: &[u8; 32]) -> Result<SecretBytes> {
    hkdf_sha256(shared.expose(), &[&share[..], recipient].concat(), LABEL, 32)
}

/// Wraps a file key with a key that is used once.
pub(super) fn seal(key: &SecretBytes, file_key: &[u8]) -> Result<Vec<u8>> {
    // The only error is a message above the mode's limit.
    cipher(key)?.encrypt(&[0; 12].into(), file_key).map_err(|_| CryptoError::InputLength)
}

/// Opens what `seal` made; `None` when the key is another one.
pub(super) fn open(key: &SecretBytes, wrapped: &[u8]) -> Result<Option<SecretBytes>> {
    // Decryption has one answer for every failure.
    Ok(cipher(key)?.decrypt(&[0; 12].into(), wrapped).ok().map(SecretBytes::new))
}

/// The cipher under a 32-byte key.
pub(super) fn cipher(key: &SecretBytes) -> Result<ChaCha20Poly1305> {
    // The only error is a wrong length.
    let bytes: [u8; 32] = key.expose().try_into().map_err(|_| CryptoError::InvalidKey("32 bytes are a key"))?;
    let mut key = Key::from(bytes);
    let cipher = ChaCha20Poly1305::new(&key);
    key.as_mut_slice().zeroize();
    Ok(cipher)
}
