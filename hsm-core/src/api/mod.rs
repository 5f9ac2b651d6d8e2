//! The functions of PKCS#11 as methods of [`Hsm`](crate::Hsm), one file a chapter of the standard.
//!
//! Owns: the order of checks in each function, and which room answers which. Does not know: pointers,
//! `CKR_*`. Called from `pkcs11-module` and `admin`.

pub mod backup;
mod crypto;
mod encapsulation;
pub mod examine;
mod jobs;
mod keys;
mod messages;
pub(crate) mod migration;
mod more_crypto;
mod objects;
mod one_time;
mod sessions;
mod slots;
pub mod state;
