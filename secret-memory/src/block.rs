//! Bytes in secret pages, and their owner.
//!
//! Owns: taking, wiping and giving back, for Rust ([`Block`]) and for libraries in C ([`take`], [`give_back`]). Does not know: what the bytes mean.

use crate::sizes::{SHARED_MAX, class};
use crate::{region, shelf};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

/// Takes `bytes` of secret pages, all zero, at a multiple of 16; `None` when the system gives no more memory.
// Not inlined, so that the count of a call's allocations sees each (docs/instructions.md).
#[inline(never)]
#[must_use]
pub fn take(bytes: usize) -> Option<NonNull<u8>> {
    if bytes > SHARED_MAX { region::take_large(bytes) } else { shelf::take(class(bytes)) }
}

/// How many bytes there are at `block`: as many as were asked for, or some more.
///
/// # Safety
/// `block` came from [`take`] and was not given back.
#[must_use]
pub unsafe fn usable_bytes(block: NonNull<u8>) -> usize {
    // SAFETY: as the caller promises.
    let head = unsafe { region::head_of(block) };
    match head.large_bytes() {
        0 => head.span_of(block).block_bytes(),
        large => large,
    }
}

/// Wipes all of `block` and gives it back.
///
/// # Safety
/// `block` came from [`take`], and this is its last use.
pub unsafe fn give_back(block: NonNull<u8>) {
    // SAFETY: as the caller promises.
    let head = unsafe { region::head_of(block) };
    let large = head.large_bytes();
    if large != 0 {
        // SAFETY: the block has so many bytes.
        unsafe { wipe(block, large) };
        // SAFETY: as the caller promises; the block has a mapping of its own.
        return unsafe { region::give_back_large(block) };
    }
    let span = head.span_of(block);
    // SAFETY: the blocks of the span have so many bytes.
    unsafe { wipe(block, span.block_bytes()) };
    // SAFETY: as the caller promises; the block is in a chunk, and wiped.
    unsafe { shelf::give_back(span, block) }
}

/// Wipes the first `written` bytes of `block` and gives it back.
///
/// # Safety
/// As [`give_back`]; all other bytes are zero.
pub(crate) unsafe fn give_back_written(block: NonNull<u8>, written: usize) {
    // SAFETY: the block has so many bytes.
    unsafe { wipe(block, written) };
    // SAFETY: as the caller promises.
    let head = unsafe { region::head_of(block) };
    if head.large_bytes() == 0 {
        // SAFETY: as the caller promises; the block is in a chunk, and wiped.
        unsafe { shelf::give_back(head.span_of(block), block) }
    } else {
        // SAFETY: as the caller promises; the block has a mapping of its own.
        unsafe { region::give_back_large(block) }
    }
}

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
