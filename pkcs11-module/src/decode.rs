//! Inputs that are plain bytes: data, PINs, labels.
//!
//! Owns: their limits, and what a null pointer means for each. Does not know: what is done with them.
//! Mechanisms and templates have files of their own. Rule source: PKCS#11 v2.40, 5.5 and 5.6; `limits`.

use ffi_headers::*;
use hsm_core::{ObjectHandle, Reason, Result, SecretBytes, StateKeys, limits};

use crate::memory::{Input, Raw};

/// Data to encrypt, decrypt, digest, sign or verify.
///
/// # Errors
/// `ArgumentsBad`.
pub fn data(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the data pointer is null, or the length is beyond all memory")
}

/// A signature to verify.
///
/// # Errors
/// `ArgumentsBad`.
pub fn signature(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the signature pointer is null, or the length is beyond all memory")
}

/// A wrapped key.
///
/// # Errors
/// `ArgumentsBad`.
pub fn wrapped(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the wrapped key's pointer is null, or the length is beyond all memory")
}

/// A saved state.
///
/// # Errors
/// `ArgumentsBad`.
pub fn state(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the state's pointer is null, or the length is beyond all memory")
}

/// The keys that come with a saved state.
pub fn state_keys(cipher: CK_OBJECT_HANDLE, authentication: CK_OBJECT_HANDLE) -> StateKeys {
    let given = |handle| Some(handle).filter(|handle| *handle != CK_INVALID_HANDLE).map(ObjectHandle);
    StateKeys { cipher: given(cipher), authentication: given(authentication) }
}

/// The ciphertext of an encapsulated key.
///
/// # Errors
/// `ArgumentsBad`.
pub fn ciphertext(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the ciphertext's pointer is null, or the length is beyond all memory")
}

/// Seed for the random source.
///
/// # Errors
/// `ArgumentsBad`.
pub fn seed(input: Input<'_>) -> Result<&[u8]> {
    input.bytes(limits::INPUT_BYTES_MAX, "the seed pointer is null, or the length is beyond all memory")
}

/// A PIN. Null with length 0 is the empty PIN, which the core refuses by its length.
///
/// # Errors
/// `ArgumentsBad`.
pub fn pin(input: Input<'_>) -> Result<SecretBytes> {
    if input.length() > limits::PIN_BYTES_MAX as CK_ULONG {
        // Such a PIN is never read. Zeros that are too long, too, stand for it: the core refuses them by their length, after the
        // work that any other wrong PIN costs.
        return Ok(SecretBytes::zeroed(limits::PIN_BYTES_MAX + 1));
    }
    Ok(SecretBytes::copy_of(input.bytes(limits::PIN_BYTES_MAX, "the PIN pointer is null")?))
}

/// The PIN of C_Login. A null pointer asks for a PIN pad, which the token does not have.
///
/// # Errors
/// As `pin`.
pub fn login_pin(input: Input<'_>) -> Result<SecretBytes> {
    if input.is_null() {
        return Err(Reason::ArgumentsBad("the PIN pointer is null, and there is no protected authentication path"));
    }
    pin(input)
}

/// The label of C_InitToken: exactly 32 bytes, blank-padded by the caller.
///
/// A label must not be null-terminated; some clients (PyKCS11) do that instead of padding, and what lies behind the
/// null is whatever was in their memory. It does not become part of the label.
///
/// # Errors
/// `ArgumentsBad`.
pub fn token_label(label: Raw<'_, CK_UTF8CHAR>) -> Result<[u8; LABEL_BYTES]> {
    let mut bytes = [b' '; LABEL_BYTES];
    let given = label.input(LABEL_BYTES as CK_ULONG).bytes(LABEL_BYTES, "pLabel is null")?;
    let text = given.iter().position(|byte| *byte == 0).unwrap_or(LABEL_BYTES);
    bytes[..text].copy_from_slice(&given[..text]);
    Ok(bytes)
}

/// Bytes of a token's label.
const LABEL_BYTES: usize = 32;

#[cfg(test)]
#[path = "tests/decode.rs"]
mod tests;
