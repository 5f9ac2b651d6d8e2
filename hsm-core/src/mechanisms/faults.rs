//! What an engine's refusal means to the caller of each kind of operation.
//!
//! The same `CryptoError` is a different mistake of the caller's in encryption and in decryption. All
//! that a decryption finds wrong besides the length is one answer, so that no caller becomes an oracle.
//! Called from the families.

use crate::reason::{Reason, Result};
use hsm_crypto::CryptoError;

/// Signing and encrypting: the input is the caller's data.
pub(super) fn data<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        CryptoError::InputLength => Reason::DataLength,
        CryptoError::InputRange => Reason::DataInvalid,
        other => Reason::Crypto(other),
    })
}

/// Verifying: the input is data and signature.
pub(super) fn signature<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        CryptoError::BadSignature => Reason::SignatureInvalid,
        CryptoError::SignatureLength => Reason::SignatureLength,
        CryptoError::InputLength => Reason::DataLength,
        other => Reason::Crypto(other),
    })
}

/// Decrypting: the input is ciphertext. Padding, tag, range: one answer.
pub(super) fn ciphertext<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        CryptoError::InputLength => Reason::EncryptedDataLength,
        CryptoError::InputRange | CryptoError::DecryptionFailed => Reason::EncryptedDataInvalid,
        other => Reason::Crypto(other),
    })
}

/// Opening a signature with the raw public operation: its length, or its range.
pub(super) fn opened<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        CryptoError::InputLength => Reason::SignatureLength,
        CryptoError::InputRange => Reason::SignatureInvalid,
        other => Reason::Crypto(other),
    })
}
