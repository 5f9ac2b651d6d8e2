//! Blocks out of secret pages, small and large.
//!
//! Owns: which of the two a block is. Called from [`crate::Block`], [`crate::SecretBox`], and by libraries in C.

use crate::block::wipe;
use crate::sizes::{SHARED_MAX, UNIT, class};
use crate::{region, shelf};
use core::ptr::NonNull;

/// The largest alignment that a block can have.
pub(crate) const ALIGNMENT_MAX: usize = UNIT;

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
