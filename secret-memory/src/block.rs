//! Bytes in secret pages, and their owner.
//!
//! Owns: wiping, and [`Block`]. Does not know: where blocks come from, and what the bytes mean.

use crate::source::{give_back_written, take};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

/// Overwrites bytes with zeros, whether or not anybody reads them afterwards.
///
/// # Safety
/// `block` has so many bytes.
#[inline]
pub(crate) unsafe fn wipe(block: NonNull<u8>, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe { ptr::write_bytes(block.as_ptr(), 0, bytes) };
    // For all that the compiler knows, this reads them.
    core::hint::black_box(block);
}

/// Owned bytes in secret pages, wiped when they go.
pub struct Block {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a block owns its bytes, as a vector does, and can be given back by any thread.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

impl Block {
    /// A block without bytes, which takes no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self { start: NonNull::dangling(), len: 0 }
    }

    /// A block of `len` zero bytes; `None` when the system gives no more memory.
    #[must_use]
    pub fn try_zeroed(len: usize) -> Option<Self> {
        if len == 0 {
            return Some(Self::empty());
        }
        take(len).map(|start| Self { start, len })
    }

    /// Shortens the block and wipes what is cut off; longer values of `len` change nothing.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        if len == 0 {
            *self = Self::empty();
            return;
        }
        let cut = self.start.as_ptr().wrapping_add(len);
        if let Some(cut) = NonNull::new(cut) {
            // SAFETY: the bytes from the new end to the old one.
            unsafe { wipe(cut, self.len - len) };
        }
        self.len = len;
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the block has so many bytes, all of which are initialised: zero at first.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Block {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for reading, and the owner is borrowed for writing.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::empty()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: a block with bytes came from `take`; nothing beyond its length was written that `truncate` has not wiped.
            unsafe { give_back_written(self.start, self.len) }
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.len)
    }
}
