//! The memory of AWS-LC, which is secret pages like that of everything else here.
//!
//! Parsed keys, numbers and their parts, key schedules and running operations of AWS-LC are secrets or next to them, and AWS-LC does not say which.
//! So all of its memory comes from `secret-memory`. AWS-LC asks for it by weak references to four functions (`crypto/mem.c`),
//! which the library brings as hidden symbols: no other library of the process ever sees them, and they serve the very first allocation, before
//! anything of ours has run. What is given back is wiped, as AWS-LC demands of these functions.
//!
//! AWS-LC calls them from wherever it is, with locks held, in the destructors of threads and at exit; they wait for nothing and
//! call nothing of AWS-LC. Hosts with an allocator of their own (jemalloc in BIND, loading with `RTLD_DEEPBIND`) have no part in it.
//!
//! Elsewhere than on Linux on x86-64 and 64-bit ARM AWS-LC takes its memory from the C library.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use core::ffi::c_void;
use core::ptr::{NonNull, copy_nonoverlapping, null_mut};
use secret_memory::{give_back, take, usable_bytes};

unsafe extern "C" fn alloc(bytes: usize) -> *mut c_void {
    take(bytes).map_or(null_mut(), |block| block.as_ptr().cast())
}

unsafe extern "C" fn free(block: *mut c_void) {
    if let Some(block) = NonNull::new(block.cast()) {
        // SAFETY: AWS-LC gives back what `alloc` or `realloc` gave it, once.
        unsafe { give_back(block) }
    }
}

unsafe extern "C" fn get_size(block: *mut c_void) -> usize {
    match NonNull::new(block.cast()) {
        // SAFETY: AWS-LC asks about what it has from here.
        Some(block) => unsafe { usable_bytes(block) },
        None => 0,
    }
}

unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    let Some(old) = NonNull::new(block.cast::<u8>()) else {
        // SAFETY: as for any allocation.
        return unsafe { alloc(bytes) };
    };
    // SAFETY: AWS-LC passes what it has from here.
    let room = unsafe { usable_bytes(old) };
    if bytes <= room && bytes > room / 2 {
        return block;
    }
    let Some(new) = take(bytes) else { return null_mut() };
    // SAFETY: both have so many bytes, and they are two blocks.
    unsafe { copy_nonoverlapping(old.as_ptr(), new.as_ptr(), room.min(bytes)) };
    // SAFETY: AWS-LC has no use for the old block when it gets another one.
    unsafe { give_back(old) };
    new.as_ptr().cast()
}

hidden! {
    "OPENSSL_memory_alloc" = alloc;
    "OPENSSL_memory_free" = free;
    "OPENSSL_memory_get_size" = get_size;
    "OPENSSL_memory_realloc" = realloc;
}

mod reference {
    use core::ffi::c_void;

    unsafe extern "C" {
        fn OPENSSL_memory_alloc(bytes: usize) -> *mut c_void;
    }

    /// Makes the linker take the symbols along; a weak reference alone does not.
    #[used]
    static ALLOC: unsafe extern "C" fn(usize) -> *mut c_void = OPENSSL_memory_alloc;
}
