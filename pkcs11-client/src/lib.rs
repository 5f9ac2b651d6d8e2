//! A safe, thin face over the C interface of any PKCS#11 module.
//!
//! Owns: loading a module, its function list, and the memory behind every pointer of a call. Does not know: what
//! a right answer is, sizes, sessions that close themselves. Called from the bench of the command `perilune`, and from
//! the micro benches: so each function is exactly one C call (or Init and the call), without allocation.
//!
//! One unsafe block calls C, in the macro of `module`; everything passed to it is made from slices there.
#![deny(unsafe_code)]

mod mechanism;
#[allow(unsafe_code, reason = "loads libraries and calls C functions; see the notes there")]
mod module;
mod template;

pub use mechanism::{Mechanism, Parameter};
pub use module::{Answer, LoadError, Module, Rv, TokenInfo, Version};
pub use template::Template;
