//! Elliptic curves as the engines offer them: Weierstrass curves, Ed25519 and X25519.
//!
//! Scalars and coordinates are big-endian and padded to the field length; points are SEC1, compressed
//! or uncompressed on input and uncompressed on output; ECDSA signatures are `r || s`.

use crate::error::Result;
use crate::random::Random;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// A Weierstrass curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
    /// secp256k1.
    K256,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Curve; 4] = [Curve::P256, Curve::P384, Curve::P521, Curve::K256];

    /// Length of a field element, and of a scalar, in bytes.
    #[must_use]
    pub const fn field_bytes(self) -> usize {
        match self {
            Curve::P256 | Curve::K256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// Size of the curve in bits, as key sizes are counted.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Curve::P256 | Curve::K256 => 256,
            Curve::P384 => 384,
            Curve::P521 => 521,
        }
    }
}

/// A fresh key pair on a Weierstrass curve, proved: the point was computed from the scalar twice, with one result
/// (SP 800-56A revision 3, 5.6.2.1.4).
pub struct EcPair {
    /// The scalar at full field length.
    pub scalar: SecretBytes,
    /// The private key, parsed from the scalar.
    pub private: Arc<dyn EcPrivateKey>,
    /// The public key, parsed from the point that belongs to the scalar.
    pub public: Arc<dyn EcPublicKey>,
}

/// A private key on a Weierstrass curve, parsed and checked once; wiped on drop.
pub trait EcPrivateKey: Send + Sync {
    /// The curve.
    fn curve(&self) -> Curve;
    /// The public point, SEC1 uncompressed.
    fn public_point(&self) -> Vec<u8>;
    /// Signs a digest of any length from 1 byte; longer ones are truncated to the order (FIPS 186-5, 6.4.1).
    ///
    /// # Errors
    /// `InputLength` when `digest` is empty.
    fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>>;
    /// Agrees with `peer`, a SEC1 point, and returns the x coordinate at full field length.
    ///
    /// # Errors
    /// `InputRange` when the point is not on the curve or is the identity.
    fn agree(&self, peer: &[u8]) -> Result<SecretBytes>;
}

/// A public key on a Weierstrass curve, parsed and checked once.
pub trait EcPublicKey: Send + Sync {
    /// The curve.
    fn curve(&self) -> Curve;
    /// The point, SEC1 uncompressed.
    fn point(&self) -> Vec<u8>;
    /// Verifies `r || s`, each half as long as the field (or any equal split not longer than that).
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`; `InputLength` when `digest` is empty.
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<()>;
}

/// An Ed25519 private key (RFC 8032), made from its 32-byte seed; wiped on drop.
pub trait EdPrivateKey: Send + Sync {
    /// The 32-byte public key.
    fn public_key(&self) -> [u8; 32];
    /// Signs the message (pure Ed25519).
    ///
    /// # Errors
    /// None today; the engine may report an internal failure.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64]>;
}

/// An Ed25519 public key.
pub trait EdPublicKey: Send + Sync {
    /// Verifies a 64-byte signature; small-order keys and non-canonical values are refused.
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()>;
}

/// An X25519 private key (RFC 7748), 32 bytes; wiped on drop.
pub trait XPrivateKey: Send + Sync {
    /// The 32-byte public value.
    fn public_key(&self) -> [u8; 32];
    /// Agrees with a 32-byte public value.
    ///
    /// # Errors
    /// `InputLength`, or `InputRange` when the shared value is all zero (small-order peer).
    fn agree(&self, peer: &[u8]) -> Result<SecretBytes>;
}
