//! Sealing of records with AES-256-GCM, for the store.
//!
//! Owns: [`SealKey`], which keeps its expanded key, so that opening thousands of records at start costs no key
//! schedule each. Does not know: what a record is, and where nonces come from. Called from `token-store`.
//! The cipher is AWS-LC's where that engine is built in, the `aes-gcm` crate otherwise; the bytes are the same.
//! Rule source: SP 800-38D.

use crate::error::{CryptoError, Result};
use crate::memory;
use crate::secret::{SecretBox, SecretBytes};
use hkdf::Hkdf;
use sha2::Sha256;
use std::sync::Arc;

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
    sealer: Arc<Sealer>,
}

impl SealKey {
    /// Takes 32 bytes as a key.
    ///
    /// # Errors
    /// `InvalidKey` for any other length.
    pub fn new(bytes: SecretBytes) -> Result<Self> {
        let sealer = Arc::new(Sealer::new(bytes.expose())?);
        Ok(Self { bytes, sealer })
    }

    /// Lends the key bytes, for wrapping under another key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// Derives an independent key for the purpose `info` (HKDF-SHA-256).
    #[must_use]
    #[expect(clippy::expect_used, reason = "both lengths are this file's own constant, and no other error exists")]
    pub fn derive(&self, info: &[u8]) -> SealKey {
        let mut bytes = SecretBytes::zeroed(KEY_BYTES);
        let expanded = Hkdf::<Sha256>::new(None, self.bytes.expose()).expand(info, bytes.expose_mut());
        expanded.expect("32 bytes are below the limit of HKDF");
        Self::new(bytes).expect("32 bytes are a key")
    }

    /// Encrypts `plaintext` bound to `aad` and returns ciphertext and tag.
    ///
    /// # Errors
    /// `InputLength` above the mode's limit.
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = memory::with_room(plaintext.len() + TAG_BYTES)?;
        sealed.extend_from_slice(plaintext);
        self.sealer.seal(nonce, aad, &mut sealed)?;
        Ok(sealed)
    }

    /// Checks and decrypts what `seal` returned.
    ///
    /// # Errors
    /// `DecryptionFailed` when anything differs.
    pub fn open(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes> {
        if sealed.len() < TAG_BYTES {
            return Err(CryptoError::DecryptionFailed);
        }
        let mut opened = SecretBytes::try_copy_of(sealed)?;
        self.sealer.open(nonce, aad, opened.expose_mut())?;
        opened.truncate(sealed.len() - TAG_BYTES);
        Ok(opened)
    }
}

/// The prepared cipher of the `aes-gcm` crate, which wipes its round keys on drop.
#[cfg(not(feature = "aws-lc"))]
struct Sealer(SecretBox<aes_gcm::Aes256Gcm>);

#[cfg(not(feature = "aws-lc"))]
impl Sealer {
    fn new(key: &[u8]) -> Result<Self> {
        use aes_gcm::KeyInit;
        // The only error is a wrong length.
        let cipher = aes_gcm::Aes256Gcm::new_from_slice(key).map_err(|_| CryptoError::InvalidKey(KEY_LENGTH))?;
        Ok(Self(SecretBox::new(cipher)))
    }

    fn seal(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buffer: &mut Vec<u8>) -> Result<()> {
        use aes_gcm::AeadInOut;
        // The only error is a message or associated data above the mode's limit.
        self.0.encrypt_in_place(&(*nonce).into(), aad, buffer).map_err(|_| CryptoError::InputLength)
    }

    /// Leaves the plaintext at the beginning of `buffer`, which is ciphertext and tag.
    fn open(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buffer: &mut [u8]) -> Result<()> {
        use aes_gcm::AeadInOut;
        let (text, tag) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
        // The slice has the length of a tag, and decryption has one answer for every failure.
        let tag = <[u8; TAG_BYTES]>::try_from(&*tag).map_err(|_| CryptoError::DecryptionFailed)?;
        self.0
            .decrypt_inout_detached(&(*nonce).into(), aad, text.into(), &tag.into())
            .map_err(|_| CryptoError::DecryptionFailed)
    }
}

/// The prepared cipher of AWS-LC, which wipes its round keys on drop.
#[cfg(feature = "aws-lc")]
struct Sealer(SecretBox<aws_lc_rs::aead::LessSafeKey>);

#[cfg(feature = "aws-lc")]
impl Sealer {
    fn new(key: &[u8]) -> Result<Self> {
        use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
        // The only error is a wrong length.
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| CryptoError::InvalidKey(KEY_LENGTH))?;
        Ok(Self(SecretBox::new(LessSafeKey::new(key))))
    }

    fn seal(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buffer: &mut Vec<u8>) -> Result<()> {
        use aws_lc_rs::aead::{Aad, Nonce};
        let nonce = Nonce::assume_unique_for_key(*nonce);
        // The only error is a message above the mode's limit.
        self.0.seal_in_place_append_tag(nonce, Aad::from(aad), buffer).map_err(|_| CryptoError::InputLength)
    }

    /// Leaves the plaintext at the beginning of `buffer`, which is ciphertext and tag.
    fn open(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buffer: &mut [u8]) -> Result<()> {
        use aws_lc_rs::aead::{Aad, Nonce};
        let nonce = Nonce::assume_unique_for_key(*nonce);
        // Decryption has one answer for every failure.
        self.0.open_in_place(nonce, Aad::from(aad), buffer).map_err(|_| CryptoError::DecryptionFailed)?;
        Ok(())
    }
}

const KEY_LENGTH: &str = "a sealing key has 32 bytes";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::new(SecretBytes::new(vec![byte; KEY_BYTES])).unwrap()
    }

    #[test]
    fn an_opened_record_is_the_sealed_one() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let sealed = key(1).seal(&[2; 12], b"place", &vec![3; len]).unwrap();
            assert_eq!(sealed.len(), len + TAG_BYTES);
            assert_eq!(key(1).open(&[2; 12], b"place", &sealed).unwrap().expose(), vec![3; len]);
        }
    }

    #[test]
    fn a_record_opens_with_nothing_changed_only() {
        let sealed = key(1).seal(&[2; 12], b"place", b"content").unwrap();
        let refused = |outcome: Result<SecretBytes>| assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
        refused(key(9).open(&[2; 12], b"place", &sealed));
        refused(key(1).open(&[9; 12], b"place", &sealed));
        refused(key(1).open(&[2; 12], b"other", &sealed));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            refused(key(1).open(&[2; 12], b"place", &changed));
            refused(key(1).open(&[2; 12], b"place", &sealed[..place]));
        }
    }

    /// Test case 16 of the GCM specification by McGrew and Viega: whatever engine seals, stored records stay readable.
    #[test]
    fn the_sealed_bytes_are_those_of_the_specification() {
        let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                      8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                      76fc6ece0f4e1768cddf8853bb2d551b";
        let nonce = <[u8; 12]>::try_from(hex("cafebabefacedbaddecaf888")).unwrap();
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let key = SealKey::new(SecretBytes::new(hex(key))).unwrap();
        assert_eq!(key.seal(&nonce, &aad, &hex(plain)).unwrap(), hex(sealed));
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_repeat_themselves() {
        let derived = key(1).derive(b"records");
        assert_eq!(derived.expose(), key(1).derive(b"records").expose());
        assert_ne!(derived.expose(), key(1).derive(b"counters").expose());
        assert_ne!(derived.expose(), key(1).expose());
        assert_eq!(derived.expose().len(), KEY_BYTES);
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for len in [0, 16, 31, 33] {
            assert!(matches!(SealKey::new(SecretBytes::zeroed(len)), Err(CryptoError::InvalidKey(_))), "{len} bytes");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}
