//! A symmetric key, and what the engines have prepared from it.
//!
//! Owns: the key's bytes, and one place for each engine's preparations (key schedules, keyed hash states), which are
//! made when an operation first has a use for them and wiped with the key. Does not know: modes and MACs. Each operation starts
//! from a copy, so operations with one key share nothing that is written.

use crate::portable;
use crate::secret::SecretBytes;
use core::fmt;

#[cfg(feature = "aws-lc")]
use crate::aws_lc;

/// The key of a cipher or MAC, of any length; an operation refuses lengths that it has no use for.
pub struct SymmetricKey {
    bytes: SecretBytes,
    pub(crate) portable: portable::hmac::Prepared,
    #[cfg(feature = "aws-lc")]
    pub(crate) aws_lc: aws_lc::Prepared,
}

impl SymmetricKey {
    /// Takes bytes as a key; prepares nothing yet.
    #[must_use]
    pub fn new(bytes: SecretBytes) -> Self {
        Self {
            bytes,
            portable: portable::hmac::Prepared::default(),
            #[cfg(feature = "aws-lc")]
            aws_lc: aws_lc::Prepared::default(),
        }
    }

    /// Copies bytes into a key of its own.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::new(SecretBytes::copy_of(bytes))
    }

    /// Lends the key's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({} bytes)", self.bytes.len())
    }
}
