//! The device key: 32 random bytes that play the HSM's tamper key.
//!
//! It seals public records, counters, role and partition records, and is mixed into every PIN's wrap
//! key, so that a stolen store without it cannot be searched for PINs.

use crate::error::Result;
use hsm_crypto::{Random, SecretBytes};
use std::path::Path;

/// The key that belongs to one device; wiped on drop.
pub struct DeviceKey {
    #[allow(dead_code, reason = "contract skeleton")]
    bytes: SecretBytes,
}

impl DeviceKey {
    /// Takes 32 bytes from elsewhere (a file descriptor, a test).
    ///
    /// # Errors
    /// `StoreError::Crypto(InvalidKey)` for any other length.
    pub fn new(_bytes: SecretBytes) -> Result<Self> {
        todo!("contract skeleton")
    }

    /// Reads the key file; where there is none, makes one (mode 0600, whole or not at all) and reads it back.
    ///
    /// # Errors
    /// `Io`, `Unsafe` for a symbolic link, a foreign owner or a mode wider than 0600.
    pub fn load_or_create(_path: &Path, _random: &dyn Random) -> Result<Self> {
        todo!("contract skeleton")
    }
}
