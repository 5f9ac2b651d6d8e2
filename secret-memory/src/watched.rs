//! Blocks out of the ordinary heap, for tools that watch each allocation: AddressSanitizer, ThreadSanitizer, Miri.
//!
//! They would see the pages as one piece, and miss what is written beyond a block or read after its end. Built in their place with
//! `--cfg perilune_watched`, and under Miri. Blocks are zero when they are taken and wiped when they come back, as in pages.
//! Owns: the length, which stands in front of each block.

use crate::block::wipe;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};

/// The largest alignment that a block can have; all have it.
pub(crate) const ALIGNMENT_MAX: usize = 64;
/// What stands in front of a block, bytes.
const FRONT: usize = ALIGNMENT_MAX;

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(FRONT)?, ALIGNMENT_MAX).ok()
}

/// Takes `bytes`, all zero; `None` when the system gives no more memory.
#[must_use]
pub fn take(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: the layout is not of size zero.
    let front = NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })?;
    // SAFETY: the front is large enough and aligned for a number.
    unsafe { front.cast().write(bytes) };
    // SAFETY: the allocation goes on behind its front, or ends there.
    Some(unsafe { front.add(FRONT) })
}

/// # Safety
/// As [`usable_bytes`].
unsafe fn front_of(block: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: each block has a front.
    unsafe { block.sub(FRONT) }
}

/// How many bytes there are at `block`.
///
/// # Safety
/// `block` came from [`take`] and was not given back.
#[must_use]
pub unsafe fn usable_bytes(block: NonNull<u8>) -> usize {
    // SAFETY: as the caller promises.
    let front = unsafe { front_of(block) };
    // SAFETY: the length was written there when the block was taken.
    unsafe { front.cast().read() }
}

/// Wipes all of `block` and gives it back.
///
/// # Safety
/// `block` came from [`take`], and this is its last use.
pub unsafe fn give_back(block: NonNull<u8>) {
    // SAFETY: as the caller promises.
    let bytes = unsafe { usable_bytes(block) };
    // SAFETY: the block has so many bytes.
    unsafe { wipe(block, bytes) };
    // SAFETY: as the caller promises.
    let front = unsafe { front_of(block) };
    if let Some(layout) = layout(bytes) {
        // SAFETY: the memory came from the heap with this layout.
        unsafe { dealloc(front.as_ptr(), layout) };
    }
}

/// As [`give_back`]; here all is wiped, whatever was written.
///
/// # Safety
/// As [`give_back`].
pub(crate) unsafe fn give_back_written(block: NonNull<u8>, _written: usize) {
    // SAFETY: as the caller promises.
    unsafe { give_back(block) }
}
