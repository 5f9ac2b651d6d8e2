//! Bytes that must not outlive their use: keys, PINs, seeds, shared secrets, plaintext of private objects.
//!
//! A [`SecretBytes`] lies in pages that are locked and left out of core dumps, wipes itself when dropped, never prints its content, compares
//! in constant time and leaves its type only through [`SecretBytes::into_public`], which names the reason.
//! A [`SecretBox`] is the same for values: parsed keys, and operations that hold one.

use crate::error::{CryptoError, Result};
use crate::memory;
use core::fmt;
use secret_memory::Block;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

pub use secret_memory::{SecretBox, Standing, prepare, standing};

/// A value that has the trait which `O` is the object of.
pub(crate) trait SeenAs<O: ?Sized>: Sized {
    /// Moves it into a box that shows the trait only.
    fn boxed(self) -> SecretBox<O>;
}

/// Says of a trait that values of it can be [`boxed`].
macro_rules! seen_as {
    ($name:ident) => {
        impl<T: $name + 'static> crate::secret::SeenAs<dyn $name> for T {
            fn boxed(self) -> crate::secret::SecretBox<dyn $name> {
                crate::secret::SecretBox::new(self).seen_as(|value| value as &mut dyn $name)
            }
        }
    };
}
pub(crate) use seen_as;

/// Moves a value into a [`SecretBox`], as an object of the trait that the place asks for.
pub(crate) fn boxed<O: ?Sized>(value: impl SeenAs<O>) -> SecretBox<O> {
    value.boxed()
}

/// Owned bytes in secret pages (`secret-memory`): wiped on drop, never printed.
#[derive(Default)]
pub struct SecretBytes(Kept);

/// Where the bytes are.
enum Kept {
    Pages(Block),
    /// Where the system gives no more pages, and somebody who cannot be refused needs them.
    Heap(Zeroizing<Vec<u8>>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Pages(Block::empty())
    }
}

impl SecretBytes {
    /// Takes bytes over: copies them into secret pages, and wipes them where they were.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        match Self::try_copy_of(&bytes) {
            Ok(secret) => {
                // A vector without memory points nowhere, and C libraries that wipe with masked instructions (glibc with AVX-512) take
                // longer for no byte there than for a thousand elsewhere.
                if bytes.capacity() > 0 {
                    bytes.zeroize();
                }
                secret
            }
            Err(_no_pages) => Self(Kept::Heap(Zeroizing::new(bytes))),
        }
    }

    /// Copies `bytes` into a secret of its own.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut secret = Self::zeroed(bytes.len());
        secret.expose_mut().copy_from_slice(bytes);
        secret
    }

    /// Makes a secret of `len` zero bytes, to be filled.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self(match Block::try_zeroed(len) {
            Some(block) => Kept::Pages(block),
            None => Kept::Heap(Zeroizing::new(vec![0; len])),
        })
    }

    /// As [`copy_of`](Self::copy_of), for bytes whose number somebody else decides.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn try_copy_of(bytes: &[u8]) -> Result<Self> {
        let mut secret = Self::try_zeroed(bytes.len())?;
        secret.expose_mut().copy_from_slice(bytes);
        Ok(secret)
    }

    /// As [`zeroed`](Self::zeroed), for a number of bytes that somebody else decides.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn try_zeroed(len: usize) -> Result<Self> {
        Block::try_zeroed(len).map(|block| Self(Kept::Pages(block))).ok_or(CryptoError::OutOfMemory)
    }

    /// Lends the bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        match &self.0 {
            Kept::Pages(block) => block,
            Kept::Heap(bytes) => bytes,
        }
    }

    /// Lends the bytes for writing in place; the length cannot change, so no unwiped copy is left behind.
    #[must_use]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kept::Pages(block) => block,
            Kept::Heap(bytes) => bytes,
        }
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// Gives a copy of the bytes out of the secret type; `why` says at the call site what makes that right.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn into_public(self, why: &'static str) -> Result<Vec<u8>> {
        debug_assert!(!why.is_empty(), "a secret leaves its type for a stated reason");
        memory::copied(self.expose())
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.expose().ct_eq(other).into()
    }

    /// Shortens to `len` bytes and wipes the rest; longer values of `len` change nothing.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            Kept::Pages(block) => block.truncate(len),
            Kept::Heap(bytes) if len < bytes.len() => {
                bytes[len..].zeroize();
                bytes.truncate(len);
            }
            Kept::Heap(_) => {}
        }
    }
}

impl Clone for SecretBytes {
    fn clone(&self) -> Self {
        Self::copy_of(self.expose())
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

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
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
