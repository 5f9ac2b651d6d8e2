//! Link options of the shared library.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // All symbols are bound when the library is loaded, and the tables of function pointers are read-only then.
        // It is never unmapped: threads of the host hold thread-local destructors of it (as with OpenSSL and p11-kit),
        // and a host that closes it too early would run into code that is gone.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now,-z,nodelete");
    }
}
