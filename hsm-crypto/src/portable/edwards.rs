//! Ed25519 and X25519 of the portable engine: `ed25519-dalek` and `x25519-dalek` behind the traits of [`crate::ec`].
//!
//! Owns: the strict reading of Ed25519 (no small-order points, no second encoding of anything), which the other
//! engine borrows from here for public keys. Called from the providers. Rule source: RFC 8032, RFC 7748 (6.1).

use crate::ec::{EdPrivateKey, EdPublicKey, XPrivateKey};
use crate::error::{CryptoError, Result};
use crate::secret::SecretBytes;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::sync::Arc;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// Makes an Ed25519 key from its seed.
///
/// # Errors
/// `InvalidKey` unless the seed has 32 bytes.
pub(crate) fn ed25519_private(seed: &[u8]) -> Result<Arc<dyn EdPrivateKey>> {
    let seed = fixed_key(seed)?;
    Ok(Arc::new(EdPrivate(SigningKey::from_bytes(&seed))))
}

/// Parses an Ed25519 public key.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
pub(crate) fn ed25519_public(key: &[u8]) -> Result<Arc<dyn EdPublicKey>> {
    Ok(Arc::new(EdPublic(strict_public(key)?)))
}

/// Makes an X25519 key.
///
/// # Errors
/// `InvalidKey` unless it has 32 bytes.
pub(crate) fn x25519_private(key: &[u8]) -> Result<Arc<dyn XPrivateKey>> {
    let key = fixed_key(key)?;
    Ok(Arc::new(XPrivate(StaticSecret::from(*key))))
}

/// Reads an Ed25519 public key strictly.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
pub(crate) fn strict_public(key: &[u8]) -> Result<VerifyingKey> {
    let bytes = fixed_key(key)?;
    // The only error is bytes that encode no point.
    let key = VerifyingKey::from_bytes(&bytes)
        .map_err(|_| CryptoError::InvalidKey("the Ed25519 public key is not a point on the curve"))?;
    if key.is_weak() {
        return Err(CryptoError::InvalidKey("the Ed25519 public key has small order"));
    }
    if key.to_edwards().compress().as_bytes() != &*bytes {
        return Err(CryptoError::InvalidKey("the Ed25519 public key is not encoded canonically"));
    }
    Ok(key)
}

/// Reads exactly 32 bytes.
///
/// # Errors
/// `InvalidKey` for any other length.
pub(crate) fn fixed_key(key: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    if key.len() != 32 {
        return Err(CryptoError::InvalidKey("an Ed25519 or X25519 key has 32 bytes"));
    }
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(key);
    Ok(bytes)
}

/// The crate wipes the seed on drop.
struct EdPrivate(SigningKey);

impl EdPrivateKey for EdPrivate {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64]> {
        Ok(self.0.sign(message).to_bytes())
    }
}

struct EdPublic(VerifyingKey);

impl EdPublicKey for EdPublic {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        // The only error of the first step is a wrong length; the second has but one meaning.
        let signature = Signature::from_slice(signature).map_err(|_| CryptoError::SignatureLength)?;
        self.0.verify_strict(message, &signature).map_err(|_| CryptoError::BadSignature)
    }
}

/// The crate wipes the key on drop.
struct XPrivate(StaticSecret);

impl XPrivateKey for XPrivate {
    fn public_key(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    fn agree(&self, peer: &[u8]) -> Result<SecretBytes> {
        // The only error is a wrong length.
        let peer = <[u8; 32]>::try_from(peer).map_err(|_| CryptoError::InputLength)?;
        let shared = self.0.diffie_hellman(&PublicKey::from(peer));
        if shared.was_contributory() {
            Ok(SecretBytes::copy_of(shared.as_bytes()))
        } else {
            Err(CryptoError::InputRange)
        }
    }
}
