//! MACs as operations: the whole tag, or its first bytes.
//!
//! Owns: truncation and its comparison. Does not know: which MAC. Called from the HMAC and CMAC families.

use super::{Signer, Verifier, faults};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use hsm_crypto::hash::Mac;
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{CryptoError, SecretBytes};

/// A running MAC whose tag has `bytes` bytes, as signature and as verification.
pub(super) struct MacOperation {
    mac: SecretBox<dyn Mac>,
    bytes: usize,
}

impl MacOperation {
    /// Takes a MAC, and the length from a `CK_MAC_GENERAL_PARAMS` where the mechanism has one.
    ///
    /// # Errors
    /// `MechanismParam` as [`judge_length`].
    pub(super) fn new(mac: SecretBox<dyn Mac>, params: &Params) -> Result<Self> {
        let full = mac.tag_bytes();
        let bytes = match params {
            Params::MacLength(_) => judge_length(params, full)?,
            _ => full,
        };
        Ok(Self { mac, bytes })
    }

    /// Takes a MAC of which the first `bytes` bytes are the tag: one at least, and not more than there are.
    pub(super) fn cut(mac: SecretBox<dyn Mac>, bytes: usize) -> Self {
        Self { mac, bytes }
    }
}

/// Reads the length of a MAC: from one byte to the whole tag.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn judge_length(params: &Params, full: usize) -> Result<usize> {
    match params {
        Params::MacLength(bytes) => usize::try_from(*bytes)
            .ok()
            .filter(|bytes| (1..=full).contains(bytes))
            .ok_or(Reason::MechanismParam("the length of the MAC is 0 or longer than the whole")),
        _ => Err(Reason::MechanismParam("CK_MAC_GENERAL_PARAMS is needed")),
    }
}

impl Signer for MacOperation {
    fn signature_bytes(&self) -> usize {
        self.bytes
    }
    fn multi_part(&self) -> bool {
        true
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        self.mac.update(data)?;
        Signer::finish(self, env)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.mac.update(data)?)
    }
    fn finish(&mut self, _env: &Env<'_>) -> Result<Vec<u8>> {
        let mut tag = self.mac.finish()?;
        tag.truncate(self.bytes);
        Ok(tag)
    }
    fn save(&self) -> Option<SecretBytes> {
        self.mac.save()
    }
    fn resume(&mut self, state: &[u8]) -> Result<()> {
        resume(&mut *self.mac, state)
    }
}

impl Verifier for MacOperation {
    fn multi_part(&self) -> bool {
        true
    }
    fn verify(&mut self, env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        self.mac.update(data)?;
        Verifier::finish(self, env, signature)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.mac.update(data)?)
    }
    fn finish(&mut self, _env: &Env<'_>, signature: &[u8]) -> Result<()> {
        // Exactly the length agreed on: a shorter tag would be easier to guess than the caller believes.
        if signature.len() != self.bytes {
            return Err(Reason::SignatureLength);
        }
        faults::signature(self.mac.verify(signature))
    }
    fn save(&self) -> Option<SecretBytes> {
        self.mac.save()
    }
    fn resume(&mut self, state: &[u8]) -> Result<()> {
        resume(&mut *self.mac, state)
    }
}

fn resume(mac: &mut dyn Mac, state: &[u8]) -> Result<()> {
    mac.resume(state).map_err(|error| match error {
        // Another version of the library, or another engine, may have saved what this one does not understand.
        CryptoError::InvalidParameter(_) => Reason::SavedStateInvalid,
        other => Reason::Crypto(other),
    })
}
