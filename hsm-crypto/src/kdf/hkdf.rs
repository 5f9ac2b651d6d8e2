//! HKDF (RFC 5869) over the HMAC of an engine, so that every hash of the engine serves it.

use crate::error::{CryptoError, Result};
use crate::hash::{Hash, Mac};
use crate::provider::Provider;
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::symmetric::SymmetricKey;

/// Extracts a pseudorandom key, as long as the hash, from a key and a salt of any lengths (RFC 5869, 2.2). No salt is the empty one.
///
/// # Errors
/// The engine's.
pub fn hkdf_extract(engine: &Provider, hash: Hash, salt: &[u8], key: &[u8]) -> Result<SecretBytes> {
    // RFC 5869 takes zeros as long as the hash for an absent salt; HMAC fills an empty key up with just those.
    let salt = if salt.is_empty() { SecretBytes::zeroed(hash.output_bytes()) } else { SecretBytes::copy_of(salt) };
    let mut mac = (engine.hmac)(hash, &SymmetricKey::new(salt))?;
    mac.update(key)?;
    mac.finish().map(SecretBytes::new)
}

/// Expands a pseudorandom key to so many bytes (RFC 5869, 2.3).
///
/// # Errors
/// `InvalidParameter` above 255 times the length of the hash; the engine's.
pub fn hkdf_expand(engine: &Provider, hash: Hash, key: &[u8], info: &[u8], len: usize) -> Result<SecretBytes> {
    if len > 255 * hash.output_bytes() {
        return Err(CryptoError::InvalidParameter("HKDF gives 255 times the length of its hash at most"));
    }
    let key = SymmetricKey::copy_of(key);
    let mut out = SecretBytes::zeroed(len);
    let mut last = SecretBytes::default();
    for (counter, chunk) in (1_u8..=255).zip(out.expose_mut().chunks_mut(hash.output_bytes())) {
        let mut mac: SecretBox<dyn Mac> = (engine.hmac)(hash, &key)?;
        mac.update(last.expose())?;
        mac.update(info)?;
        mac.update(&[counter])?;
        last = SecretBytes::new(mac.finish()?);
        for (place, byte) in chunk.iter_mut().zip(last.expose()) {
            *place = *byte;
        }
    }
    Ok(out)
}
