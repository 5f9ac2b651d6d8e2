//! What an algorithm's working memory holds when it is given back: an allocator that looks at each large block it frees.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hsm_crypto::kdf::{Argon2Cost, argon2id};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks of this many bytes and more are looked at; nothing else in this program is as large.
const LARGE_BYTES: usize = 512 * 1024;

static FREED: AtomicUsize = AtomicUsize::new(0);
static FREED_WITH_CONTENT: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: every request is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about the layout are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= LARGE_BYTES {
            // SAFETY: the block is alive until the line below and has this size; whoever frees it has written all of it.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            FREED.fetch_add(1, Ordering::SeqCst);
            if bytes.iter().any(|byte| *byte != 0) {
                FREED_WITH_CONTENT.fetch_add(1, Ordering::SeqCst);
            }
        }
        // SAFETY: the block came from `alloc` above with this layout, as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Who finds the memory of Argon2id can test PINs without paying its cost.
#[test]
fn the_memory_of_argon2id_is_wiped() {
    let cost = Argon2Cost { memory_kib: 1024, passes: 1, lanes: 1 };
    argon2id(b"1234", b"some salt", cost).unwrap();
    assert_eq!(FREED.load(Ordering::SeqCst), 1, "the memory was not seen");
    assert_eq!(FREED_WITH_CONTENT.load(Ordering::SeqCst), 0);
}
