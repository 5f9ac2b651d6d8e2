//! The interface of an engine: a plain struct of functions.
//!
//! Every field of every provider is a working function; what one engine lacks is filled from the other.

use crate::cipher::{Aead, AeadParams, Cipher, Direction, GcmParams, KeyWrap, Mode};
use crate::ec::{Curve, EcPair, EcPrivateKey, EcPublicKey, EdPrivateKey, EdPublicKey, ScalarMethod, XPrivateKey};
use crate::error::Result;
use crate::hash::{CipherMac, Digest, Hash, KmacParams, Mac};
use crate::post_quantum::PostQuantum;
use crate::random::Random;
use crate::rsa::{RsaPair, RsaParts, RsaPrivateKey, RsaPublicKey};
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::stateful::Stateful;
use crate::symmetric::SymmetricKey;
use std::sync::Arc;

/// An engine: every algorithm of this crate as a function.
///
/// Parsed keys are `Arc`s, so that they can be cached with their object and shared by sessions.
#[expect(clippy::type_complexity, reason = "the signatures are the interface; a name for each would only hide them")]
pub struct Provider {
    /// Name for logs and documents.
    pub name: &'static str,
    /// Starts a digest.
    pub digest: fn(Hash) -> SecretBox<dyn Digest>,
    /// Starts an HMAC with a key of any length.
    pub hmac: fn(Hash, &SymmetricKey) -> Result<SecretBox<dyn Mac>>,
    /// Starts the BLAKE2b of this output length with a key of 1 to 64 bytes; `InvalidParameter` for a hash that is no BLAKE2b.
    pub keyed_blake2b: fn(Hash, &SymmetricKey) -> Result<SecretBox<dyn Mac>>,
    /// Starts a KMAC with a key of any length.
    pub kmac: fn(&KmacParams<'_>, &SymmetricKey) -> Result<SecretBox<dyn Mac>>,
    /// Starts an AES-CMAC; the key has 16, 24 or 32 bytes.
    pub cmac: fn(&SymmetricKey) -> Result<SecretBox<dyn Mac>>,
    /// Generates an RSA pair of so many bits with the public exponent given big-endian, and proves it by one signature.
    pub rsa_generate: fn(usize, &[u8], &dyn Random) -> Result<RsaPair>,
    /// Parses and checks a private key. `prime_1` to `coefficient` may all be empty: they are then recovered from `d`.
    pub rsa_private: fn(&RsaParts) -> Result<Arc<dyn RsaPrivateKey>>,
    /// Parses and checks a public key from modulus and exponent.
    pub rsa_public: fn(&[u8], &[u8]) -> Result<Arc<dyn RsaPublicKey>>,
    /// Generates a pair, and proves it by computing the point from the scalar once more.
    pub ec_generate: fn(Curve, ScalarMethod, &dyn Random) -> Result<EcPair>,
    /// Parses a private scalar (shorter ones are padded).
    pub ec_private: fn(Curve, &[u8]) -> Result<Arc<dyn EcPrivateKey>>,
    /// Parses a SEC1 point and checks that it is on the curve and not the identity.
    pub ec_public: fn(Curve, &[u8]) -> Result<Arc<dyn EcPublicKey>>,
    /// Makes an Ed25519 key from its 32-byte seed.
    pub ed25519_private: fn(&[u8]) -> Result<Arc<dyn EdPrivateKey>>,
    /// Parses a 32-byte Ed25519 public key.
    pub ed25519_public: fn(&[u8]) -> Result<Arc<dyn EdPublicKey>>,
    /// Makes an X25519 key from its 32 bytes.
    pub x25519_private: fn(&[u8]) -> Result<Arc<dyn XPrivateKey>>,
    /// Starts another MAC from a cipher, with a key of its length.
    pub cipher_mac: fn(&CipherMac<'_>, &SymmetricKey) -> Result<SecretBox<dyn Mac>>,
    /// Makes an Ed448 key from its 57-byte seed.
    pub ed448_private: fn(&[u8]) -> Result<Arc<dyn EdPrivateKey>>,
    /// Parses a 57-byte Ed448 public key.
    pub ed448_public: fn(&[u8]) -> Result<Arc<dyn EdPublicKey>>,
    /// Makes an X448 key from its 56 bytes.
    pub x448_private: fn(&[u8]) -> Result<Arc<dyn XPrivateKey>>,
    /// Starts a cipher; the key of AES has 16, 24 or 32 bytes, and that of another cipher or of XTS as its mode says.
    pub cipher: fn(&Mode, Direction, &SymmetricKey) -> Result<SecretBox<dyn Cipher>>,
    /// Starts AES-GCM with a key of 16, 24 or 32 bytes.
    pub gcm: fn(&GcmParams<'_>, Direction, &SymmetricKey) -> Result<SecretBox<dyn Aead>>,
    /// Starts another authenticated encryption; the key has 16, 24 or 32 bytes with AES, and 32 with ChaCha20.
    pub aead: fn(&AeadParams<'_>, Direction, &SymmetricKey) -> Result<SecretBox<dyn Aead>>,
    /// Wraps key material; arguments: kind, key-encryption key, initial value (`None` for the default), data.
    pub key_wrap: fn(KeyWrap, &[u8], Option<&[u8]>, &[u8]) -> Result<Vec<u8>>,
    /// Unwraps what `key_wrap` made; any integrity failure is `DecryptionFailed`.
    pub key_unwrap: fn(KeyWrap, &[u8], Option<&[u8]>, &[u8]) -> Result<SecretBytes>,
    /// Fills a buffer with PBKDF2 over HMAC; arguments: hash, password, salt, rounds (1 at least), buffer.
    pub pbkdf2: fn(Hash, &[u8], &[u8], u32, &mut [u8]) -> Result<()>,
    /// ML-KEM, ML-DSA and SLH-DSA.
    pub post_quantum: PostQuantum,
    /// HSS/LMS, XMSS and XMSS^MT.
    pub stateful: Stateful,
}

/// The engine made of RustCrypto crates alone; complete on every platform.
#[must_use]
pub fn portable() -> &'static Provider {
    &crate::portable::PROVIDER
}

/// What the engine to use is made of, without its self-tests: on processors with instructions for SHA, and on those without. For documents.
#[must_use]
pub fn on_processors() -> [&'static Provider; 2] {
    #[cfg(feature = "aws-lc")]
    {
        crate::aws_lc::begin();
        let [with, without] = &crate::aws_lc::ON_PROCESSORS;
        [with, without]
    }
    #[cfg(not(feature = "aws-lc"))]
    [portable(), portable()]
}

/// The engine to use: AWS-LC for the hot operations where it is built in, the portable one otherwise.
///
/// Each family of algorithms is tested against known answers once, when it is first used (see [`crate::selftest`]).
#[must_use]
pub fn preferred() -> &'static Provider {
    #[cfg(feature = "aws-lc")]
    crate::aws_lc::begin();
    &crate::selftest::gate::PROVIDER
}
