//! Link options of the shared library.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // All symbols are bound when the library is loaded, and the tables of function pointers are read-only then.
        // It is never unmapped: threads of the host hold thread-local destructors of it (as with OpenSSL and p11-kit),
        // and a host that closes it too early would run into code that is gone.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now,-z,nodelete");
        // What the system refuses comes from the reserve, for Rust and for AWS-LC alike; src/reserve.rs tells the rest. This is for
        // the library alone: programs that link the crate (tests, xtask) keep the C library's functions.
        if ["x86_64", "aarch64"].contains(&std::env::var("CARGO_CFG_TARGET_ARCH").as_deref().unwrap_or_default()) {
            for function in ["malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc"] {
                println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={function}");
            }
        }
    }
}
