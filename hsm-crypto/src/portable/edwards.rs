//! Ed25519 and X25519 of the portable engine: `ed25519-dalek` and `x25519-dalek` behind the traits of [`crate::ec`].
//!
//! Ed25519ctx is in no crate; its two equations stand here over the points and scalars of `curve25519-dalek`.
//!
//! Owns: the strict reading of Ed25519 (no small-order points, no second encoding of anything), which the other
//! engine borrows from here for public keys. Called from the providers. Rule source: RFC 8032, RFC 7748 (6.1).

use crate::ec::{CONTEXT_BYTES_MAX, ED25519_BYTES, EdPrivateKey, EdPublicKey, EdScheme, XPrivateKey};
use crate::error::{CryptoError, Result};
use crate::secret::{SecretBox, SecretBytes};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::hazmat::ExpandedSecretKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha512};
use std::sync::Arc;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// Makes an Ed25519 key from its seed.
///
/// # Errors
/// `InvalidKey` unless the seed has 32 bytes.
pub(crate) fn ed25519_private(seed: &[u8]) -> Result<Arc<dyn EdPrivateKey>> {
    let seed = fixed_key(seed)?;
    Ok(Arc::new(EdPrivate(SecretBox::new(SigningKey::from_bytes(&seed)))))
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
    Ok(Arc::new(XPrivate(SecretBox::new(StaticSecret::from(*key)))))
}

/// Reads an Ed25519 public key strictly.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
fn strict_public(key: &[u8]) -> Result<VerifyingKey> {
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
struct EdPrivate(SecretBox<SigningKey>);

impl EdPrivateKey for EdPrivate {
    fn public_key(&self) -> Vec<u8> {
        self.0.verifying_key().to_bytes().to_vec()
    }

    fn sign_as(&self, scheme: EdScheme<'_>, message: &[u8]) -> Result<Vec<u8>> {
        match scheme {
            EdScheme::Pure | EdScheme::Context([]) => Ok(self.0.sign(message).to_bytes().to_vec()),
            EdScheme::Context(context) => Ok(sign_with_context(&self.0, &in_domain(context)?, message)),
            EdScheme::Prehash(context) => {
                // The only error is a context that is too long.
                let signature = self
                    .0
                    .sign_prehashed(Sha512::new_with_prefix(message), Some(context))
                    .map_err(|_| CryptoError::InputLength)?;
                Ok(signature.to_bytes().to_vec())
            }
        }
    }

    fn signature_bytes(&self) -> usize {
        ED25519_BYTES.2
    }
}

/// A hash that has taken in `dom2(0, context)` (RFC 8032, 2).
///
/// # Errors
/// `InputLength` for a context that is too long.
fn in_domain(context: &[u8]) -> Result<Sha512> {
    let length = u8::try_from(context.len()).map_err(|_| CryptoError::InputLength)?;
    Ok(Sha512::new_with_prefix(b"SigEd25519 no Ed25519 collisions").chain_update([0, length]).chain_update(context))
}

/// RFC 8032, 5.1.6, with a domain in front of both hashes.
fn sign_with_context(key: &SigningKey, domain: &Sha512, message: &[u8]) -> Vec<u8> {
    let expanded = ExpandedSecretKey::from(key.as_bytes());
    let hash = domain.clone().chain_update(expanded.hash_prefix).chain_update(message);
    let nonce = Zeroizing::new(Scalar::from_hash(hash));
    let r = EdwardsPoint::mul_base(&nonce).compress();
    let s = challenge(domain, r.as_bytes(), &key.verifying_key(), message) * expanded.scalar + *nonce;
    [r.to_bytes(), s.to_bytes()].concat()
}

/// RFC 8032, 5.1.7, without the cofactor and as strict as `verify_strict` of the crate: no small order, one encoding.
fn verify_with_context(key: &VerifyingKey, domain: &Sha512, message: &[u8], signature: &Signature) -> Result<()> {
    let (r, s) = (CompressedEdwardsY(*signature.r_bytes()), Scalar::from_canonical_bytes(*signature.s_bytes()));
    let s: Scalar = Option::from(s).ok_or(CryptoError::BadSignature)?;
    if r.decompress().is_none_or(|point| point.is_small_order()) {
        return Err(CryptoError::BadSignature);
    }
    let k = challenge(domain, r.as_bytes(), key, message);
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key.to_edwards(), &s);
    if expected.compress() == r { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// The number that binds a signature to its key and message.
fn challenge(domain: &Sha512, r: &[u8; 32], key: &VerifyingKey, message: &[u8]) -> Scalar {
    Scalar::from_hash(domain.clone().chain_update(r).chain_update(key.as_bytes()).chain_update(message))
}

struct EdPublic(VerifyingKey);

impl EdPublicKey for EdPublic {
    fn verify_as(&self, scheme: EdScheme<'_>, message: &[u8], signature: &[u8]) -> Result<()> {
        // The only error is a wrong length; those of the schemes have but one meaning.
        let signature = Signature::from_slice(signature).map_err(|_| CryptoError::SignatureLength)?;
        match scheme {
            EdScheme::Pure | EdScheme::Context([]) => {
                self.0.verify_strict(message, &signature).map_err(|_| CryptoError::BadSignature)
            }
            EdScheme::Context(context) => verify_with_context(&self.0, &in_domain(context)?, message, &signature),
            EdScheme::Prehash(context) if context.len() > CONTEXT_BYTES_MAX => Err(CryptoError::InputLength),
            EdScheme::Prehash(context) => self
                .0
                .verify_prehashed_strict(Sha512::new_with_prefix(message), Some(context), &signature)
                .map_err(|_| CryptoError::BadSignature),
        }
    }
}

/// The crate wipes the key on drop.
struct XPrivate(SecretBox<StaticSecret>);

impl XPrivateKey for XPrivate {
    fn public_key(&self) -> Vec<u8> {
        PublicKey::from(&*self.0).to_bytes().to_vec()
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
