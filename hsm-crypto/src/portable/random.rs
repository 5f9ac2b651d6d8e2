//! The bridge from this crate's random source to the trait of the RustCrypto crates.
//!
//! Owns: nothing but the translation; every call reaches the [`Random`] that the caller handed in, and its
//! error comes back as it is. Called from the portable engine only.

use crate::error::CryptoError;
use crate::random::Random;
use rand_core::{TryCryptoRng, TryRng};

/// A [`Random`] in the clothes of `rand_core`.
pub(crate) struct Source<'a>(pub(crate) &'a dyn Random);

impl TryRng for Source<'_> {
    type Error = CryptoError;

    fn try_next_u32(&mut self) -> Result<u32, CryptoError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, CryptoError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.fill(out)
    }
}

impl TryCryptoRng for Source<'_> {}
