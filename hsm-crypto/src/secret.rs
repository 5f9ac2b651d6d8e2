//! Bytes that must not outlive their use: keys, PINs, seeds, shared secrets, plaintext of private objects.
//!
//! A [`SecretBytes`] wipes itself when dropped, never prints its content, compares in constant time
//! and leaves its type only through [`SecretBytes::into_public`], which names the reason.

use crate::error::Result;
use crate::memory;
use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Owned bytes that are wiped on drop and never printed.
#[derive(Clone, Default)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership of `bytes`; no copy is made.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Copies `bytes` into a secret of its own.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }

    /// Makes a secret of `len` zero bytes, to be filled.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self::new(vec![0; len])
    }

    /// As [`copy_of`](Self::copy_of), for bytes whose number somebody else decides.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn try_copy_of(bytes: &[u8]) -> Result<Self> {
        memory::copied(bytes).map(Self::new)
    }

    /// As [`zeroed`](Self::zeroed), for a number of bytes that somebody else decides.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn try_zeroed(len: usize) -> Result<Self> {
        memory::zeroed(len).map(Self::new)
    }

    /// Lends the bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Lends the bytes for writing in place; the length cannot change, so no unwiped copy is left behind.
    #[must_use]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the bytes out of the secret type; `why` says at the call site what makes that right.
    #[must_use]
    pub fn into_public(mut self, why: &'static str) -> Vec<u8> {
        debug_assert!(!why.is_empty(), "a secret leaves its type for a stated reason");
        core::mem::take(&mut self.0)
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }

    /// Shortens to `len` bytes and wipes the rest; longer values of `len` change nothing.
    pub fn truncate(&mut self, len: usize) {
        if len < self.0.len() {
            self.0[len..].zeroize();
            self.0.truncate(len);
        }
    }
}

/// Runs `work` and overwrites what it left on the stack, [`STACK_BYTES`] of it: for code of others that does not wipe its own copies
/// of a key.
pub(crate) fn on_wiped_stack<T>(work: impl FnOnce() -> T) -> T {
    let answer = below(work);
    wipe();
    answer
}

/// Keeps the frames of `work` below that of its caller, where the wiping reaches them.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn wipe() {
    let mut space = [0_u8; STACK_BYTES];
    core::hint::black_box(&mut space);
}

/// How much of the stack is overwritten; the deepest function that needs it has less than half of that.
const STACK_BYTES: usize = 8 << 10;

impl Drop for SecretBytes {
    fn drop(&mut self) {
        // A vector without memory points nowhere, and C libraries that wipe with masked instructions (glibc with AVX-512) take
        // longer for no byte there than for a thousand elsewhere.
        if self.0.capacity() > 0 {
            self.0.zeroize();
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other.expose())
    }
}

impl Eq for SecretBytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_the_length_and_nothing_else() {
        let secret = SecretBytes::copy_of(b"hunter2");
        assert_eq!(format!("{secret:?}"), "SecretBytes(7 bytes)");
    }

    #[test]
    fn comparison_sees_value_and_length() {
        let secret = SecretBytes::copy_of(b"abc");
        assert!(secret.ct_eq(b"abc"));
        assert!(!secret.ct_eq(b"abd"));
        assert!(!secret.ct_eq(b"ab"));
    }
}
