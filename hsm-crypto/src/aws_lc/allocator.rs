//! Keeps AWS-LC to the one allocator that its memory comes from.
//!
//! AWS-LC frees with `sdallocx` when the process has a symbol of that name, by a weak reference. A host with
//! jemalloc has one, and when it loads the module with `RTLD_DEEPBIND` (as pkcs11-provider does for BIND), `malloc`
//! is libc's while `sdallocx` is jemalloc's: freeing there what was never taken there is a crash. So the library brings
//! a `sdallocx` of its own, which is `free`. It is hidden: no other library of the process ever sees it.

// A symbol with hidden visibility cannot be written in Rust; these are one jump each.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
core::arch::global_asm!(
    ".pushsection .text.sdallocx,\"ax\",@progbits",
    ".globl sdallocx",
    ".hidden sdallocx",
    ".type sdallocx,@function",
    "sdallocx:",
    "jmp free@PLT",
    ".size sdallocx, . - sdallocx",
    ".popsection",
);

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
core::arch::global_asm!(
    ".pushsection .text.sdallocx,\"ax\",%progbits",
    ".globl sdallocx",
    ".hidden sdallocx",
    ".type sdallocx,%function",
    "sdallocx:",
    "b free",
    ".size sdallocx, . - sdallocx",
    ".popsection",
);

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod reference {
    use core::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn sdallocx(pointer: *mut c_void, bytes: usize, flags: c_int);
    }

    /// Makes the linker take the symbol along; a weak reference alone does not.
    #[used]
    static SDALLOCX: unsafe extern "C" fn(*mut c_void, usize, c_int) = sdallocx;
}
