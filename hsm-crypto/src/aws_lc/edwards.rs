//! Ed25519 and X25519 of AWS-LC, through the safe interface of `aws-lc-rs`.
//!
//! Owns: the strict reading that AWS-LC leaves out: public keys are parsed by the portable engine, which refuses points
//! of small order and second encodings, and signatures whose `R` has small order are refused here. `S` and the
//! encoding of `R` are checked by AWS-LC. Called from `aws_lc::PROVIDER`. Rule source: RFC 8032, RFC 7748 (6.1).

use crate::ec::{EdPrivateKey, EdPublicKey, XPrivateKey};
use crate::error::{CryptoError, Result};
use crate::portable::edwards::{fixed_key, strict_public};
use crate::secret::SecretBytes;
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use curve25519_dalek::constants::EIGHT_TORSION;
use std::sync::{Arc, OnceLock};

/// Makes an Ed25519 key from its seed.
///
/// # Errors
/// `InvalidKey` unless the seed has 32 bytes.
pub(super) fn ed25519_private(seed: &[u8]) -> Result<Arc<dyn EdPrivateKey>> {
    let seed = fixed_key(seed)?;
    // Every 32 bytes are a seed, so only the machine can fail.
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| FAILED)?;
    let public = pair.public_key().as_ref().try_into().map_err(|_| FAILED)?;
    Ok(Arc::new(EdPrivate { pair, public }))
}

/// Parses an Ed25519 public key.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
pub(super) fn ed25519_public(key: &[u8]) -> Result<Arc<dyn EdPublicKey>> {
    strict_public(key)?;
    // The key is right by the stricter rule, so only the machine can fail.
    let key = ParsedPublicKey::new(&ED25519, key).map_err(|_| FAILED)?;
    Ok(Arc::new(EdPublic(key)))
}

/// Makes an X25519 key.
///
/// # Errors
/// `InvalidKey` unless it has 32 bytes.
pub(super) fn x25519_private(key: &[u8]) -> Result<Arc<dyn XPrivateKey>> {
    let key = fixed_key(key)?;
    // Every 32 bytes are a key, so only the machine can fail.
    let private = PrivateKey::from_private_key(&X25519, &*key).map_err(|_| FAILED)?;
    let public = private.compute_public_key().map_err(|_| FAILED)?.as_ref().try_into().map_err(|_| FAILED)?;
    Ok(Arc::new(XPrivate { private, public }))
}

const FAILED: CryptoError = CryptoError::EngineFailed("Ed25519 or X25519");

/// AWS-LC wipes the seed when it is freed.
struct EdPrivate {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl EdPrivateKey for EdPrivate {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64]> {
        // Signing has no input that it refuses, so only the machine can fail.
        let signature = self.pair.try_sign(message).map_err(|_| FAILED)?;
        signature.as_ref().try_into().map_err(|_| FAILED)
    }
}

struct EdPublic(ParsedPublicKey);

impl EdPublicKey for EdPublic {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        if signature.len() != 64 {
            return Err(CryptoError::SignatureLength);
        }
        if small_order_encodings().iter().any(|point| signature.starts_with(point)) {
            return Err(CryptoError::BadSignature);
        }
        // A refusal has but one meaning.
        self.0.verify_sig(message, signature).map_err(|_| CryptoError::BadSignature)
    }
}

/// The canonical encodings of the eight points of small order; AWS-LC itself refuses any other encoding of them.
fn small_order_encodings() -> &'static [[u8; 32]; 8] {
    static ENCODINGS: OnceLock<[[u8; 32]; 8]> = OnceLock::new();
    ENCODINGS.get_or_init(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()))
}

/// AWS-LC wipes the key when it is freed.
struct XPrivate {
    private: PrivateKey,
    public: [u8; 32],
}

impl XPrivateKey for XPrivate {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn agree(&self, peer: &[u8]) -> Result<SecretBytes> {
        if peer.len() != 32 {
            return Err(CryptoError::InputLength);
        }
        // Every 32 bytes are a public value, so the one refusal is a shared value of all zeros.
        let peer = UnparsedPublicKey::new(&X25519, peer);
        agree(&self.private, peer, CryptoError::InputRange, |shared| Ok(SecretBytes::copy_of(shared)))
    }
}
