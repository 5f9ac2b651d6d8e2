//! Operations put together from a closure: in one part, or over a digest in parts.
//!
//! Owns: how a mechanism that needs the whole message, and one that hashes first, meet the operation
//! traits. Does not know: algorithms. Called from the families.

use super::{Crypter, Signer, Start, Verifier};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use hsm_crypto::hash::{self, Digest};
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{Hash, SecretBytes};

/// Signs the whole message by a closure.
pub(super) struct OnePartSigner<F> {
    /// Size of the signature in bytes.
    pub bytes: usize,
    /// Signs.
    pub sign: F,
}

impl<F: FnMut(&Env<'_>, &[u8]) -> Result<Vec<u8>> + Send> Signer for OnePartSigner<F> {
    fn signature_bytes(&self) -> usize {
        self.bytes
    }
    fn multi_part(&self) -> bool {
        false
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        (self.sign)(env, data)
    }
    fn update(&mut self, _data: &[u8]) -> Result<()> {
        Err(Reason::SinglePartOnly)
    }
    fn finish(&mut self, _env: &Env<'_>) -> Result<Vec<u8>> {
        Err(Reason::SinglePartOnly)
    }
}

/// Verifies the whole message by a closure of message and signature.
pub(super) struct OnePartVerifier<F>(pub F);

impl<F: FnMut(&[u8], &[u8]) -> Result<()> + Send> Verifier for OnePartVerifier<F> {
    fn multi_part(&self) -> bool {
        false
    }
    fn verify(&mut self, _env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        (self.0)(data, signature)
    }
    fn update(&mut self, _data: &[u8]) -> Result<()> {
        Err(Reason::SinglePartOnly)
    }
    fn finish(&mut self, _env: &Env<'_>, _signature: &[u8]) -> Result<()> {
        Err(Reason::SinglePartOnly)
    }
}

/// The hash of a message that is signed or verified, at once or in parts.
pub(super) struct Hashing {
    hash: Hash,
    digest: SecretBox<dyn Digest>,
    /// Whether no part was taken in.
    fresh: bool,
}

impl Hashing {
    /// Starts with nothing taken in.
    pub(super) fn new(env: &Env<'_>, hash: Hash) -> Self {
        Self { hash, digest: (env.engine.digest)(hash), fresh: true }
    }

    /// The digest of a message that came whole.
    fn whole(&mut self, data: &[u8]) -> Vec<u8> {
        self.digest.update(data);
        self.digest.finish()
    }

    fn take_part(&mut self, data: &[u8]) {
        // An operation in parts may be asked for its state. Where the engine's hash cannot tell it, another one takes over.
        if core::mem::take(&mut self.fresh)
            && !self.digest.is_resumable()
            && let Some(other) = hash::start_resumable(self.hash)
        {
            self.digest = other;
        }
        self.digest.update(data);
    }

    fn finish(&mut self) -> Vec<u8> {
        self.digest.finish()
    }

    fn save(&self) -> Option<SecretBytes> {
        if self.fresh { Some(SecretBytes::default()) } else { self.digest.save() }
    }

    fn resume(&mut self, state: &[u8]) -> Result<()> {
        if !state.is_empty() {
            // Another version of the library may have saved what this one does not understand.
            self.digest = hash::resume(self.hash, state).map_err(|_| Reason::SavedStateInvalid)?;
            self.fresh = false;
        }
        Ok(())
    }
}

/// Hashes the message and signs the digest by a closure.
pub(super) struct HashedSigner<F> {
    /// Size of the signature in bytes; exact, or an upper bound.
    pub bytes: usize,
    /// The hash.
    pub digest: Hashing,
    /// Signs the finished digest.
    pub sign: F,
}

impl<F: FnMut(&Env<'_>, &[u8]) -> Result<Vec<u8>> + Send> Signer for HashedSigner<F> {
    fn signature_bytes(&self) -> usize {
        self.bytes
    }
    fn multi_part(&self) -> bool {
        true
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        (self.sign)(env, &self.digest.whole(data))
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.digest.take_part(data);
        Ok(())
    }
    fn finish(&mut self, env: &Env<'_>) -> Result<Vec<u8>> {
        (self.sign)(env, &self.digest.finish())
    }
    fn save(&self) -> Option<SecretBytes> {
        self.digest.save()
    }
    fn resume(&mut self, state: &[u8]) -> Result<()> {
        self.digest.resume(state)
    }
}

/// Hashes the message and verifies the digest by a closure of digest and signature.
pub(super) struct HashedVerifier<F> {
    /// The hash.
    pub digest: Hashing,
    /// Verifies the signature of the finished digest.
    pub verify: F,
}

impl<F: FnMut(&[u8], &[u8]) -> Result<()> + Send> Verifier for HashedVerifier<F> {
    fn multi_part(&self) -> bool {
        true
    }
    fn verify(&mut self, _env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        (self.verify)(&self.digest.whole(data), signature)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.digest.take_part(data);
        Ok(())
    }
    fn finish(&mut self, _env: &Env<'_>, signature: &[u8]) -> Result<()> {
        (self.verify)(&self.digest.finish(), signature)
    }
    fn save(&self) -> Option<SecretBytes> {
        self.digest.save()
    }
    fn resume(&mut self, state: &[u8]) -> Result<()> {
        self.digest.resume(state)
    }
}

/// Encrypts or decrypts the whole message by a closure.
pub(super) struct OnePartCrypter<F> {
    /// Size of the result for so many input bytes: these, or the input and these.
    pub size: OneShotSize,
    /// Encrypts or decrypts.
    pub run: F,
}

/// How large the result of a one-part operation is.
#[derive(Debug, Clone, Copy)]
pub(super) enum OneShotSize {
    /// At most so many bytes whatever the input.
    AtMost(usize),
    /// The input and so many bytes; exact in encryption.
    InputPlus(usize),
    /// The input filled up to whole units of this many bytes, and one unit; exact in encryption.
    UnitsPlusOne(usize),
    /// The input filled up to whole units by one byte at least, and one unit; exact in encryption.
    PaddedPlusOne(usize),
}

impl<F: FnMut(&Env<'_>, &[u8]) -> Result<SecretBytes> + Send> Crypter for OnePartCrypter<F> {
    fn multi_part(&self) -> bool {
        false
    }
    fn one_shot_bytes(&self, input_bytes: usize) -> usize {
        match self.size {
            OneShotSize::AtMost(bytes) => bytes,
            OneShotSize::InputPlus(bytes) => input_bytes.saturating_add(bytes),
            OneShotSize::PaddedPlusOne(unit) => (input_bytes / unit).saturating_add(2).saturating_mul(unit),
            OneShotSize::UnitsPlusOne(unit) => input_bytes.div_ceil(unit).saturating_add(1).saturating_mul(unit),
        }
    }
    fn one_shot(&mut self, env: &Env<'_>, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let result = (self.run)(env, input)?;
        let place = out.get_mut(..result.len()).ok_or(Reason::Internal("a result is larger than announced"))?;
        place.copy_from_slice(result.expose());
        Ok(result.len())
    }
    fn update_bytes(&self, _input_bytes: usize) -> usize {
        0
    }
    fn update(&mut self, _input: &[u8], _out: &mut [u8]) -> Result<usize> {
        Err(Reason::SinglePartOnly)
    }
    fn finish_bytes(&self) -> usize {
        0
    }
    fn finish(&mut self, _env: &Env<'_>, _out: &mut [u8]) -> Result<usize> {
        Err(Reason::SinglePartOnly)
    }
}

/// Wraps key material with what the mechanism's encryption does.
pub(super) fn wrap_by(
    encrypt: Start<dyn Crypter>,
    env: &Env<'_>,
    params: &Params,
    key: &Object,
    material: &SecretBytes,
) -> Result<Vec<u8>> {
    let mut operation = encrypt(env, params, key)?;
    // A secret until it is known to be ciphertext: wiped when the encryption fails half-way.
    let mut out = SecretBytes::try_zeroed(operation.one_shot_bytes(material.len()))?;
    let made = operation.one_shot(env, material.expose(), out.expose_mut())?;
    out.truncate(made);
    Ok(out.into_public("the caller gets the wrapped key")?)
}

/// Unwraps key material with what the mechanism's decryption does.
pub(super) fn unwrap_by(
    decrypt: Start<dyn Crypter>,
    env: &Env<'_>,
    params: &Params,
    key: &Object,
    wrapped: &[u8],
) -> Result<SecretBytes> {
    let mut operation = decrypt(env, params, key)?;
    // A half-decrypted key is wiped when it is dropped.
    let mut out = SecretBytes::try_zeroed(operation.one_shot_bytes(wrapped.len()))?;
    let made = operation.one_shot(env, wrapped, out.expose_mut())?;
    out.truncate(made);
    Ok(out)
}

/// The columns `encrypt`, `decrypt`, `wrap` and `unwrap` of a mechanism whose wrapping is its encryption.
macro_rules! crypt_and_wrap {
    ($encrypt:expr, $decrypt:expr, $wraps:expr, $row:expr) => {
        $crate::mechanisms::Row {
            encrypt: Some($encrypt),
            decrypt: Some($decrypt),
            wraps: $wraps,
            wrap: Some(|env, params, key, material| {
                $crate::mechanisms::parts::wrap_by($encrypt, env, params, key, material)
            }),
            unwrap: Some(|env, params, key, wrapped| {
                $crate::mechanisms::parts::unwrap_by($decrypt, env, params, key, wrapped)
            }),
            ..$row
        }
    };
}
pub(super) use crypt_and_wrap;
