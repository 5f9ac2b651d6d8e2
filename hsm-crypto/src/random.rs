//! The source of randomness, handed in by whoever assembles the HSM.

use crate::error::Result;

/// A source of cryptographically strong random bytes that several threads may use at once.
///
/// An implementation must never repeat itself between a process and its forked child.
pub trait Random: Send + Sync {
    /// Fills the whole of `out`.
    ///
    /// # Errors
    /// `CryptoError::RandomFailed`; the content of `out` is then unspecified.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}
