//! Keys as standard bytes: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280).

use crate::ec::Curve;
use crate::error::Result;
use crate::rsa::RsaParts;
use crate::secret::SecretBytes;

/// A private key in any of the forms that PKCS#8 carries here.
#[derive(Debug, Clone)]
pub enum PrivateForm {
    /// RSA, all parts.
    Rsa(RsaParts),
    /// A scalar on a Weierstrass curve and, where the encoding has it, the SEC1 point.
    Ec {
        /// The curve.
        curve: Curve,
        /// The scalar at full field length.
        scalar: SecretBytes,
        /// The public point, uncompressed, where known.
        point: Option<Vec<u8>>,
    },
    /// The 32-byte seed of an Ed25519 key.
    Ed25519(SecretBytes),
    /// The 32 bytes of an X25519 key.
    X25519(SecretBytes),
}

/// A public key in any of the forms that SubjectPublicKeyInfo carries here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicForm {
    /// RSA modulus and exponent, big-endian.
    Rsa {
        /// Modulus.
        modulus: Vec<u8>,
        /// Public exponent.
        public_exponent: Vec<u8>,
    },
    /// A SEC1 point on a Weierstrass curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// The point, uncompressed.
        point: Vec<u8>,
    },
    /// A 32-byte Ed25519 key.
    Ed25519(Vec<u8>),
    /// A 32-byte X25519 key.
    X25519(Vec<u8>),
}

/// Encodes as DER `PrivateKeyInfo` (PKCS#8, version 1).
///
/// # Errors
/// `InvalidKey` when a part cannot be encoded.
pub fn encode_pkcs8(_key: &PrivateForm) -> Result<SecretBytes> {
    todo!("contract skeleton")
}

/// Decodes DER `PrivateKeyInfo` or `OneAsymmetricKey`; trailing bytes are refused.
///
/// # Errors
/// `InvalidKey` for malformed DER, an unknown algorithm or curve.
pub fn decode_pkcs8(_der: &[u8]) -> Result<PrivateForm> {
    todo!("contract skeleton")
}

/// Encodes as DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// `InvalidKey` when a part cannot be encoded.
pub fn encode_spki(_key: &PublicForm) -> Result<Vec<u8>> {
    todo!("contract skeleton")
}

/// Decodes DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// `InvalidKey` for malformed DER, an unknown algorithm or curve.
pub fn decode_spki(_der: &[u8]) -> Result<PublicForm> {
    todo!("contract skeleton")
}
