//! Hashes and MACs: their names, sizes and the running state of a computation.

use crate::error::{CryptoError, Result};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1 (FIPS 180-4), 20 bytes; legacy.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    /// Every hash, smallest first.
    pub const ALL: [Hash; 5] = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn output_bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha224 => 28,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    /// Length of the internal block in bytes, as HMAC uses it.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Hash::Sha1 | Hash::Sha224 | Hash::Sha256 => 64,
            Hash::Sha384 | Hash::Sha512 => 128,
        }
    }
}

/// A digest in the making.
pub trait Digest: Send {
    /// Takes in more of the message.
    fn update(&mut self, data: &[u8]);
    /// Returns the digest of everything taken in and starts anew.
    fn finish(&mut self) -> Vec<u8>;
    /// Copies the running state.
    fn fork(&self) -> Box<dyn Digest>;
}

/// A MAC in the making (HMAC or CMAC); holds key material and wipes it on drop.
pub trait Mac: Send {
    /// Takes in more of the message.
    ///
    /// # Errors
    /// `EngineFailed`, also after `finish` or `verify`.
    fn update(&mut self, data: &[u8]) -> Result<()>;
    /// Returns the full-length tag of everything taken in; the computation is over.
    ///
    /// # Errors
    /// As `update`.
    fn finish(&mut self) -> Result<Vec<u8>>;
    /// Length of the full tag in bytes.
    fn tag_bytes(&self) -> usize;
    /// Compares in constant time `tag`, which may be a truncation, with the computed one; the computation is over.
    ///
    /// # Errors
    /// `SignatureLength` when `tag` is empty or longer than the full tag, `BadSignature` when it differs; as `update`.
    fn verify(&mut self, tag: &[u8]) -> Result<()> {
        let mut full = self.finish()?;
        let expected = full.get(..tag.len()).filter(|part| !part.is_empty()).ok_or(CryptoError::SignatureLength);
        let same = expected.map(|expected| bool::from(expected.ct_eq(tag)));
        full.zeroize();
        if same? { Ok(()) } else { Err(CryptoError::BadSignature) }
    }
}

/// The answer of a MAC that has ended.
pub(crate) const MAC_IS_OVER: CryptoError = CryptoError::EngineFailed("the MAC is over");
