//! The words of the C interface: types and constants of PKCS#11 3.2 and of the Luna vendor range.
//!
//! Owns: the names. Does not know: what they mean. `include/` holds the C headers that are installed.
pub use cryptoki_sys::*;

pub mod names;
pub mod vendor;
