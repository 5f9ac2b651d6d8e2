//! Elliptic curves as the engines offer them: Weierstrass curves, Ed25519, Ed448, X25519 and X448.
//!
//! The orders of all Weierstrass curves here are as long as their fields, and their cofactors are 1.
//!
//! Scalars and coordinates are big-endian and padded to the field length; points are SEC1, compressed
//! or uncompressed on input and uncompressed on output; ECDSA signatures are `r || s`.

use crate::error::Result;
use crate::hash::Hash;
use crate::made_by::MadeBy;
use crate::random::Random;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// A Weierstrass curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-224, secp224r1.
    P224,
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
    /// secp256k1.
    K256,
    /// brainpoolP224r1 (RFC 5639).
    BrainpoolP224r1,
    /// brainpoolP224t1 (RFC 5639).
    BrainpoolP224t1,
    /// brainpoolP256r1 (RFC 5639).
    BrainpoolP256r1,
    /// brainpoolP256t1 (RFC 5639).
    BrainpoolP256t1,
    /// brainpoolP320r1 (RFC 5639).
    BrainpoolP320r1,
    /// brainpoolP320t1 (RFC 5639).
    BrainpoolP320t1,
    /// brainpoolP384r1 (RFC 5639).
    BrainpoolP384r1,
    /// brainpoolP384t1 (RFC 5639).
    BrainpoolP384t1,
    /// brainpoolP512r1 (RFC 5639).
    BrainpoolP512r1,
    /// brainpoolP512t1 (RFC 5639).
    BrainpoolP512t1,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Curve; 15] = [
        Curve::P224,
        Curve::P256,
        Curve::P384,
        Curve::P521,
        Curve::K256,
        Curve::BrainpoolP224r1,
        Curve::BrainpoolP224t1,
        Curve::BrainpoolP256r1,
        Curve::BrainpoolP256t1,
        Curve::BrainpoolP320r1,
        Curve::BrainpoolP320t1,
        Curve::BrainpoolP384r1,
        Curve::BrainpoolP384t1,
        Curve::BrainpoolP512r1,
        Curve::BrainpoolP512t1,
    ];

    /// Length of a field element, and of a scalar, in bytes.
    #[must_use]
    pub const fn field_bytes(self) -> usize {
        match self {
            Curve::P521 => 66,
            _ => self.bits() / 8,
        }
    }

    /// Size of the curve in bits, as key sizes are counted.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Curve::P224 | Curve::BrainpoolP224r1 | Curve::BrainpoolP224t1 => 224,
            Curve::P256 | Curve::K256 | Curve::BrainpoolP256r1 | Curve::BrainpoolP256t1 => 256,
            Curve::BrainpoolP320r1 | Curve::BrainpoolP320t1 => 320,
            Curve::P384 | Curve::BrainpoolP384r1 | Curve::BrainpoolP384t1 => 384,
            Curve::BrainpoolP512r1 | Curve::BrainpoolP512t1 => 512,
            Curve::P521 => 521,
        }
    }
}

/// How a fresh scalar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarMethod {
    /// Numbers of the order's length until one is a scalar (FIPS 186-5, A.2.2, "testing candidates").
    Rejection,
    /// One number of 64 more bits, modulo the order less one (FIPS 186-5, A.2.1, "extra random bits").
    ExtraBits,
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
pub trait EcPrivateKey: MadeBy + Send + Sync {
    /// The curve.
    fn curve(&self) -> Curve;
    /// The public point, SEC1 uncompressed.
    fn public_point(&self) -> Vec<u8>;
    /// Signs a digest of any length from 1 byte; longer ones are truncated to the order (FIPS 186-5, 6.4.1).
    ///
    /// # Errors
    /// `InputLength` when `digest` is empty.
    fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>>;
    /// Signs a digest made by this hash with the nonce that follows from key and digest (RFC 6979, 3.2): the same input gives
    /// the same signature. On secp256k1 the lower one of the two values of `s` is taken, as `sign` does.
    ///
    /// # Errors
    /// `InputLength` unless the digest is as long as the hash; `Unsupported` for other hashes than SHA-1 and SHA-2.
    fn sign_deterministic(&self, hash: Hash, digest: &[u8]) -> Result<Vec<u8>>;
    /// Agrees with `peer`, a SEC1 point, and returns the x coordinate at full field length.
    ///
    /// # Errors
    /// `InputRange` when the point is not on the curve or is the identity.
    fn agree(&self, peer: &[u8]) -> Result<SecretBytes>;
}

/// A public key on a Weierstrass curve, parsed and checked once.
pub trait EcPublicKey: MadeBy + Send + Sync {
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

/// A scheme of RFC 8032: what is hashed together with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdScheme<'a> {
    /// Ed25519, or Ed448 with an empty context.
    Pure,
    /// Ed25519ctx, or Ed448 with this context of at most 255 bytes. An empty one is `Pure`: RFC 8032 (8.3) has no use for
    /// Ed25519ctx without a context.
    Context(&'a [u8]),
    /// Ed25519ph or Ed448ph: the message is hashed first (SHA-512, SHAKE256 of 64 bytes); the context may be empty.
    Prehash(&'a [u8]),
}

/// Longest context of [`EdScheme`], bytes.
pub const CONTEXT_BYTES_MAX: usize = 255;

/// Lengths of Ed25519: seed, public key, signature.
pub const ED25519_BYTES: (usize, usize, usize) = (32, 32, 64);
/// Lengths of Ed448: seed, public key, signature.
pub const ED448_BYTES: (usize, usize, usize) = (57, 57, 114);

/// An Ed25519 or Ed448 private key (RFC 8032), made from its seed; wiped on drop.
pub trait EdPrivateKey: MadeBy + Send + Sync {
    /// The public key.
    fn public_key(&self) -> Vec<u8>;
    /// Signs the message by a scheme.
    ///
    /// # Errors
    /// `InputLength` for a context that is too long; the engine may report an internal failure.
    fn sign_as(&self, scheme: EdScheme<'_>, message: &[u8]) -> Result<Vec<u8>>;
    /// Signs the message (`Pure`).
    ///
    /// # Errors
    /// As `sign_as`.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.sign_as(EdScheme::Pure, message)
    }
    /// Length of a signature in bytes.
    fn signature_bytes(&self) -> usize;
}

/// An Ed25519 or Ed448 public key.
pub trait EdPublicKey: MadeBy + Send + Sync {
    /// Verifies a signature by a scheme; small-order points and non-canonical values are refused.
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`; `InputLength` for a context that is too long.
    fn verify_as(&self, scheme: EdScheme<'_>, message: &[u8], signature: &[u8]) -> Result<()>;
    /// Verifies a signature (`Pure`).
    ///
    /// # Errors
    /// As `verify_as`.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.verify_as(EdScheme::Pure, message, signature)
    }
}

/// An X25519 or X448 private key (RFC 7748), 32 or 56 bytes; wiped on drop.
pub trait XPrivateKey: MadeBy + Send + Sync {
    /// The public value, as long as the key.
    fn public_key(&self) -> Vec<u8>;
    /// Agrees with a public value of the same length.
    ///
    /// # Errors
    /// `InputLength`, or `InputRange` when the shared value is all zero (small-order peer).
    fn agree(&self, peer: &[u8]) -> Result<SecretBytes>;
}
