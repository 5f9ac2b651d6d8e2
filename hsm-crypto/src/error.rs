//! What can go wrong in an algorithm, without any word of the caller's protocol.
//!
//! Variants are grouped by who is at fault: the input, the key, a parameter, the machine. Failures
//! that would tell an attacker something (padding, tags) are one variant each, without detail.

use thiserror::Error;

/// The result of every fallible function of this crate.
pub type Result<T> = core::result::Result<T, CryptoError>;

/// Why an algorithm refused or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CryptoError {
    /// The length of the input is one the algorithm cannot take (not a block multiple, too long for the modulus).
    #[error("the length of the input does not fit the algorithm")]
    InputLength,
    /// The input has a fitting length but a value out of range (RSA input not below the modulus, point not on the curve).
    #[error("the value of the input is out of range")]
    InputRange,
    /// The key is malformed, too small, too large or inconsistent in itself.
    #[error("the key is not valid: {0}")]
    InvalidKey(&'static str),
    /// A parameter other than key and input is out of range (IV length, salt length, tag length).
    #[error("a parameter is not valid: {0}")]
    InvalidParameter(&'static str),
    /// The signature or MAC has the right length and is not right.
    #[error("the signature does not match")]
    BadSignature,
    /// The signature or MAC has a length that cannot be right.
    #[error("the signature has a wrong length")]
    SignatureLength,
    /// The ciphertext does not decrypt: padding, tag or integrity value; deliberately without detail.
    #[error("decryption failed")]
    DecryptionFailed,
    /// This engine lacks the operation; a provider never holds such a function for a listed operation.
    #[error("not supported by this engine: {0}")]
    Unsupported(&'static str),
    /// The random source answered with an error.
    #[error("the random source failed")]
    RandomFailed,
    /// Memory could not be had; nothing else is to blame, and nothing was computed.
    #[error("out of memory")]
    OutOfMemory,
    /// The engine's own machinery failed; the input is not to blame.
    #[error("the crypto engine failed: {0}")]
    EngineFailed(&'static str),
    /// A known-answer test or the proof of a fresh key pair failed.
    #[error("self-test failed: {0}")]
    SelfTest(&'static str),
}
