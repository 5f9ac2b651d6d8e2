//! Ed25519 and X25519 of AWS-LC, through the safe interface of `aws-lc-rs`.
//!
//! Owns: the strict reading that AWS-LC leaves out: public keys are parsed by the portable engine, which refuses points
//! of small order and second encodings, and signatures whose `R` has small order are refused here. `S` and the
//! encoding of `R` are checked by AWS-LC. Called from `aws_lc::PROVIDER`. Rule source: RFC 8032, RFC 7748 (6.1).

use crate::ec::{ED25519_BYTES, EdPrivateKey, EdPublicKey, EdScheme, XPrivateKey};
use crate::error::{CryptoError, Result};
use crate::portable::edwards as portable;
use crate::portable::edwards::fixed_key;
use crate::secret::SecretBytes;
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use std::sync::Arc;

/// Makes an Ed25519 key from its seed.
///
/// # Errors
/// `InvalidKey` unless the seed has 32 bytes.
pub(super) fn ed25519_private(seed: &[u8]) -> Result<Arc<dyn EdPrivateKey>> {
    let seed = fixed_key(seed)?;
    // Every 32 bytes are a seed, so only the machine can fail.
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| FAILED)?;
    let public = pair.public_key().as_ref().to_vec();
    Ok(Arc::new(EdPrivate { pair, public, seed: SecretBytes::copy_of(&*seed) }))
}

/// Parses an Ed25519 public key.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
pub(super) fn ed25519_public(key: &[u8]) -> Result<Arc<dyn EdPublicKey>> {
    let other_schemes = portable::ed25519_public(key)?;
    // The key is right by the stricter rule, so only the machine can fail.
    let parsed = ParsedPublicKey::new(&ED25519, key).map_err(|_| FAILED)?;
    Ok(Arc::new(EdPublic { parsed, other_schemes }))
}

/// Makes an X25519 key.
///
/// # Errors
/// `InvalidKey` unless it has 32 bytes.
pub(super) fn x25519_private(key: &[u8]) -> Result<Arc<dyn XPrivateKey>> {
    let key = fixed_key(key)?;
    // Every 32 bytes are a key, so only the machine can fail.
    let private = PrivateKey::from_private_key(&X25519, &*key).map_err(|_| FAILED)?;
    let public = private.compute_public_key().map_err(|_| FAILED)?.as_ref().to_vec();
    Ok(Arc::new(XPrivate { private, public }))
}

const FAILED: CryptoError = CryptoError::EngineFailed("Ed25519 or X25519");

/// AWS-LC wipes the seed when it is freed.
struct EdPrivate {
    pair: Ed25519KeyPair,
    public: Vec<u8>,
    /// For the portable engine.
    seed: SecretBytes,
}

impl EdPrivateKey for EdPrivate {
    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn sign_as(&self, scheme: EdScheme<'_>, message: &[u8]) -> Result<Vec<u8>> {
        if !matches!(scheme, EdScheme::Pure | EdScheme::Context([])) {
            return portable::ed25519_private(self.seed.expose())?.sign_as(scheme, message);
        }
        // Signing has no input that it refuses, so only the machine can fail.
        Ok(self.pair.try_sign(message).map_err(|_| FAILED)?.as_ref().to_vec())
    }

    fn signature_bytes(&self) -> usize {
        ED25519_BYTES.2
    }
}

struct EdPublic {
    parsed: ParsedPublicKey,
    other_schemes: Arc<dyn EdPublicKey>,
}

impl EdPublicKey for EdPublic {
    fn verify_as(&self, scheme: EdScheme<'_>, message: &[u8], signature: &[u8]) -> Result<()> {
        if !matches!(scheme, EdScheme::Pure | EdScheme::Context([])) {
            return self.other_schemes.verify_as(scheme, message, signature);
        }
        if signature.len() != 64 {
            return Err(CryptoError::SignatureLength);
        }
        if SMALL_ORDER.iter().any(|point| signature.starts_with(point)) {
            return Err(CryptoError::BadSignature);
        }
        // A refusal has but one meaning.
        self.parsed.verify_sig(message, signature).map_err(|_| CryptoError::BadSignature)
    }
}

/// The canonical encodings of the eight points of small order; AWS-LC itself refuses any other encoding of them.
const SMALL_ORDER: [[u8; 32]; 8] = {
    let mut points = [[0; 32]; 8];
    points[0][0] = 1;
    points[1] = [0xFF; 32];
    points[1][0] = 0xEC;
    points[1][31] = 0x7F;
    points[3][31] = 0x80;
    let order_8 = [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20,
        0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ];
    let other_order_8 = [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF,
        0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ];
    points[4] = order_8;
    points[5] = order_8;
    points[5][31] |= 0x80;
    points[6] = other_order_8;
    points[7] = other_order_8;
    points[7][31] |= 0x80;
    points
};

/// AWS-LC wipes the key when it is freed.
struct XPrivate {
    private: PrivateKey,
    public: Vec<u8>,
}

impl XPrivateKey for XPrivate {
    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
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

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;

    #[test]
    fn the_table_of_small_order_points_is_complete() {
        for point in EIGHT_TORSION {
            assert!(SMALL_ORDER.contains(point.compress().as_bytes()));
        }
    }
}
