//! Sealing of records with AES-256-GCM, for the store.

use crate::error::Result;
use crate::secret::SecretBytes;

/// Length of a sealing key in bytes.
pub const KEY_BYTES: usize = 32;
/// Length of a nonce in bytes; nonces are random, so one key seals at most 2^32 records.
pub const NONCE_BYTES: usize = 12;
/// Length of the tag that `seal` appends.
pub const TAG_BYTES: usize = 16;

/// A key that seals and opens records; wiped on drop.
#[derive(Clone)]
pub struct SealKey {
    bytes: SecretBytes,
}

impl SealKey {
    /// Takes 32 bytes as a key.
    ///
    /// # Errors
    /// `InvalidKey` for any other length.
    pub fn new(_bytes: SecretBytes) -> Result<Self> {
        todo!("contract skeleton")
    }
    /// Lends the key bytes, for wrapping under another key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }
    /// Derives an independent key for the purpose `info` (HKDF-SHA-256).
    #[must_use]
    pub fn derive(&self, _info: &[u8]) -> SealKey {
        todo!("contract skeleton")
    }
    /// Encrypts `plaintext` bound to `aad` and returns ciphertext and tag.
    ///
    /// # Errors
    /// `InputLength` above the mode's limit.
    pub fn seal(&self, _nonce: &[u8; NONCE_BYTES], _aad: &[u8], _plaintext: &[u8]) -> Result<Vec<u8>> {
        todo!("contract skeleton")
    }
    /// Checks and decrypts what `seal` returned.
    ///
    /// # Errors
    /// `DecryptionFailed` when anything differs.
    pub fn open(&self, _nonce: &[u8; NONCE_BYTES], _aad: &[u8], _sealed: &[u8]) -> Result<SecretBytes> {
        todo!("contract skeleton")
    }
}
