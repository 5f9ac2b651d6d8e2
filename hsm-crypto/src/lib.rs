//! Algorithms on bytes and keys, in two engines behind one interface.
//!
//! Owns: hashes, MACs, RSA, elliptic curves, AES modes, key derivation, key encodings, secret types.
//! Does not know: any word of PKCS#11, sessions, objects, files, the clock. Randomness is handed in.
//! Called from `hsm-core` (everything), `token-store` (`aead`, `kdf`, `memory` and `secret` only) and `admin` (`age`).
//!
//! The engines are plain structs of functions ([`Provider`]): [`portable()`] is made of RustCrypto
//! crates and complete, [`preferred()`] takes the hot operations from AWS-LC when the feature
//! `aws-lc` is on.

#![deny(unsafe_code)]

pub mod aead;
pub mod age;
#[cfg(feature = "aws-lc")]
#[allow(unsafe_code, reason = "AWS-LC is a C library; each block says who guarantees what")]
mod aws_lc;
mod brainpool;
pub mod cipher;
pub mod ec;
pub mod encoding;
pub mod error;
pub mod forks;
pub mod hash;
pub mod kdf;
mod made_by;
pub mod memory;
mod modes;
mod portable;
pub mod post_quantum;
pub mod provider;
pub mod random;
pub mod rsa;
mod rsa_parts;
#[cfg(feature = "aws-lc")]
mod rsa_rejection;
pub mod secret;
pub mod selftest;
pub mod stateful;
pub mod symmetric;

pub use error::{CryptoError, Result};
pub use hash::Hash;
pub use made_by::MadeBy;
pub use provider::{Provider, on_processors, portable, preferred};
pub use random::Random;
pub use secret::SecretBytes;
pub use symmetric::SymmetricKey;
