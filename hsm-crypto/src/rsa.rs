//! RSA as the engines offer it: key parts, private and public operations.
//!
//! Integers are unsigned big-endian without leading zeros. Inputs and outputs of the raw operations,
//! ciphertexts and signatures are exactly as long as the modulus.

use crate::error::Result;
use crate::hash::Hash;
use crate::made_by::MadeBy;
use crate::random::Random;
use crate::rsa_parts;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// All numbers of an RSA private key in the order of PKCS#1 (RFC 8017, A.1.2).
#[derive(Debug, Clone)]
pub struct RsaParts {
    /// Modulus `n`.
    pub modulus: Vec<u8>,
    /// Public exponent `e`.
    pub public_exponent: Vec<u8>,
    /// Private exponent `d`.
    pub private_exponent: SecretBytes,
    /// First prime `p`.
    pub prime_1: SecretBytes,
    /// Second prime `q`.
    pub prime_2: SecretBytes,
    /// `d mod (p-1)`.
    pub exponent_1: SecretBytes,
    /// `d mod (q-1)`.
    pub exponent_2: SecretBytes,
    /// `q^-1 mod p`.
    pub coefficient: SecretBytes,
}

impl RsaParts {
    /// Checks the numbers that are there and computes the ones after the private exponent that are empty.
    ///
    /// # Errors
    /// `InvalidKey` with what does not fit.
    pub fn completed(&self) -> Result<RsaParts> {
        Ok(rsa_parts::parse(self)?.1)
    }
}

/// A fresh key pair, proved by one signature.
pub struct RsaPair {
    /// All numbers of the private key.
    pub parts: RsaParts,
    /// The private key, parsed from them.
    pub private: Arc<dyn RsaPrivateKey>,
    /// The public key, parsed from them.
    pub public: Arc<dyn RsaPublicKey>,
}

/// Parameters of RSASSA-PSS (RFC 8017, 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PssParams {
    /// The hash the message was digested with.
    pub hash: Hash,
    /// The hash of the mask generation function MGF1; may differ from `hash`.
    pub mgf_hash: Hash,
    /// Length of the salt in bytes; on verification exactly this length is required.
    pub salt_bytes: usize,
}

/// Parameters of RSAES-OAEP (RFC 8017, 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OaepParams {
    /// The hash of the label.
    pub hash: Hash,
    /// The hash of the mask generation function MGF1; may differ from `hash`.
    pub mgf_hash: Hash,
    /// The label, usually empty.
    pub label: Vec<u8>,
}

/// A private key, parsed and checked once, used many times; wiped on drop.
pub trait RsaPrivateKey: MadeBy + Send + Sync {
    /// Length of the modulus in bytes.
    fn modulus_bytes(&self) -> usize;

    /// Signs with RSASSA-PKCS1-v1_5 the bytes `payload` as they are (usually a DER `DigestInfo`).
    ///
    /// # Errors
    /// `InputLength` when `payload` is longer than the modulus less 11 bytes.
    fn sign_pkcs1(&self, payload: &[u8], random: &dyn Random) -> Result<Vec<u8>>;

    /// Signs a finished digest with RSASSA-PSS.
    ///
    /// # Errors
    /// `InputLength` when `digest` is not as long as `params.hash`'s output;
    /// `InvalidParameter` when salt and hash do not fit the modulus.
    fn sign_pss(&self, params: &PssParams, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>>;

    /// Decrypts RSAES-PKCS1-v1_5 with implicit rejection: bad padding yields a plaintext that depends on
    /// key and ciphertext only, in the same time, and not an error.
    ///
    /// # Errors
    /// `InputLength` when the ciphertext is not as long as the modulus, `InputRange` when not below it.
    fn decrypt_pkcs1(&self, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes>;

    /// Decrypts RSAES-OAEP.
    ///
    /// # Errors
    /// `InputLength`, `InputRange` as above; every other failure is `DecryptionFailed`.
    fn decrypt_oaep(&self, params: &OaepParams, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes>;

    /// Raises `block`, as long as the modulus, to the private exponent (blinded, constant time).
    ///
    /// # Errors
    /// `InputLength` or `InputRange`.
    fn raw(&self, block: &[u8], random: &dyn Random) -> Result<SecretBytes>;
}

/// A public key, parsed and checked once.
pub trait RsaPublicKey: MadeBy + Send + Sync {
    /// Length of the modulus in bytes.
    fn modulus_bytes(&self) -> usize;

    /// Verifies RSASSA-PKCS1-v1_5 over `payload` as it is (usually a DER `DigestInfo`).
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`; `InputLength` when `payload` cannot fit.
    fn verify_pkcs1(&self, payload: &[u8], signature: &[u8]) -> Result<()>;

    /// Verifies RSASSA-PSS over a finished digest.
    ///
    /// # Errors
    /// `SignatureLength`, `BadSignature`, or as [`RsaPrivateKey::sign_pss`].
    fn verify_pss(&self, params: &PssParams, digest: &[u8], signature: &[u8]) -> Result<()>;

    /// Encrypts with RSAES-PKCS1-v1_5.
    ///
    /// # Errors
    /// `InputLength` when `plaintext` is longer than the modulus less 11 bytes.
    fn encrypt_pkcs1(&self, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>>;

    /// Encrypts with RSAES-OAEP.
    ///
    /// # Errors
    /// `InputLength` when `plaintext` is longer than the modulus less twice the hash less 2 bytes.
    fn encrypt_oaep(&self, params: &OaepParams, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>>;

    /// Raises `block`, as long as the modulus, to the public exponent.
    ///
    /// # Errors
    /// `InputLength` or `InputRange`.
    fn raw(&self, block: &[u8]) -> Result<Vec<u8>>;
}
