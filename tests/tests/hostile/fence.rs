//! The allocator of a case's process: each piece of memory ends where an unreadable page begins.
//!
//! Owns: where buffers lie. What reads or writes one byte beyond a buffer is ended by the kernel at once, and so is what uses a
//! buffer after the caller has given it back, because no address is given twice. The page before a piece is unreadable, too.
//! Does not know: who uses the memory. Armed in the process of a case only.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// Addresses that are set aside; pages cost nothing until they are used.
const REGION_BYTES: usize = 1 << 38;
const PAGE: usize = 4096;

/// The allocator.
pub struct Fence;

static ARMED: AtomicBool = AtomicBool::new(false);
static BEGIN: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// From here on each allocation of this program lies between unreadable pages.
///
/// # Panics
/// When the kernel gives no addresses.
pub fn arm() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping of addresses that nobody may touch yet.
    let region = unsafe { libc::mmap(null_mut(), REGION_BYTES, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(region, libc::MAP_FAILED, "addresses for the fence");
    BEGIN.store(region as usize, SeqCst);
    NEXT.store(region as usize + PAGE, SeqCst);
    ARMED.store(true, SeqCst);
}

fn pages(layout: Layout) -> usize {
    layout.size().next_multiple_of(layout.align().max(1)).div_ceil(PAGE) * PAGE
}

/// Whether a piece came from the fence; pieces from before it was armed did not.
fn fenced(address: usize) -> bool {
    let begin = BEGIN.load(SeqCst);
    begin != 0 && (begin..begin + REGION_BYTES).contains(&address)
}

// SAFETY: each piece has pages of its own that nobody else gets; its end is at the end of the last one, rounded down to the alignment.
unsafe impl GlobalAlloc for Fence {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !ARMED.load(SeqCst) || layout.align() > PAGE {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc(layout) };
        }
        let bytes = pages(layout);
        let begin = NEXT.fetch_add(bytes + PAGE, SeqCst);
        if begin + bytes + PAGE > BEGIN.load(SeqCst) + REGION_BYTES {
            return null_mut();
        }
        // SAFETY: pages of our own region that were given to nobody.
        if unsafe { libc::mprotect(begin as *mut libc::c_void, bytes, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
            return null_mut();
        }
        ((begin + bytes - layout.size()) & !(layout.align() - 1)) as *mut u8
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if !fenced(place as usize) {
            // SAFETY: it came from there.
            return unsafe { System.dealloc(place, layout) };
        }
        let begin = (place as usize & !(PAGE - 1)) as *mut libc::c_void;
        // SAFETY: the pages belong to this piece alone, which is not used any more; a failure leaves them readable and is no harm.
        unsafe { libc::mprotect(begin, pages(layout), libc::PROT_NONE) };
        // SAFETY: as above.
        unsafe { libc::madvise(begin, pages(layout), libc::MADV_DONTNEED) };
    }
}
