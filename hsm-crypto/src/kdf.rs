//! Key derivation: from PINs (Argon2id), from keys (HKDF), from shared secrets (ANSI X9.63).

use crate::error::Result;
use crate::hash::Hash;
use crate::provider::Provider;
use crate::secret::SecretBytes;

/// What one Argon2id computation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB, 8 per lane at least.
    pub memory_kib: u32,
    /// Passes over the memory, 1 at least.
    pub passes: u32,
    /// Lanes, 1 at least.
    pub lanes: u32,
}

/// Derives 32 bytes from a PIN with Argon2id version 1.3 (RFC 9106).
///
/// # Errors
/// `InvalidParameter` when the cost or the salt (8 bytes at least) is out of range.
pub fn argon2id(_pin: &[u8], _salt: &[u8], _cost: Argon2Cost) -> Result<SecretBytes> {
    todo!("contract skeleton")
}

/// Derives `len` bytes with HKDF-SHA-256 (RFC 5869).
///
/// # Errors
/// `InvalidParameter` above 8160 bytes.
pub fn hkdf_sha256(_key: &[u8], _salt: &[u8], _info: &[u8], _len: usize) -> Result<SecretBytes> {
    todo!("contract skeleton")
}

/// Derives `len` bytes from a shared secret with the ANSI X9.63 KDF (SEC 1, 3.6.1).
///
/// # Errors
/// `InvalidParameter` when `len` is above the counter's range.
pub fn x963(_engine: &Provider, _hash: Hash, _shared: &[u8], _info: &[u8], _len: usize) -> Result<SecretBytes> {
    todo!("contract skeleton")
}
