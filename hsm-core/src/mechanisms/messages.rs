//! What a mechanism with messages is: authenticated encryption with the IV and the tag apart from the ciphertext.
//!
//! Owns: the column of the table, and a key that is ready for messages. Does not know: which message may come when, where IVs come
//! from. Called from the kernel (runs of messages) and from [`crate::keys`] (authenticated wrapping).
//! Rule source: PKCS#11 v3.1, 5.9, 5.11 and 6.13.

use super::rules::Usage;
use super::{Row, find, rules};
use crate::limits::MESSAGE_TAG_BYTES_MAX;
use crate::message::{MessageParams, MessageShape};
use crate::object::Object;
use crate::platform::Env;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use ffi_headers::*;
use hsm_crypto::CryptoError;
use hsm_crypto::cipher::{Aead, Direction};
use hsm_crypto::secret::SecretBox;
use std::sync::Arc;

/// The messages of a mechanism.
#[derive(Clone, Copy)]
pub struct Messages {
    /// Their parameter.
    pub shape: MessageShape,
    /// Judges the lengths of IV and tag.
    pub judge: fn(&MessageParams) -> Result<()>,
    /// Starts one message with a key that passed the row's rules.
    pub start: StartMessage,
}

/// Starts one message with a key that passed the row's rules.
pub type StartMessage = fn(&Env<'_>, &Message<'_>, Direction, &Object) -> Result<SecretBox<dyn Aead>>;

/// What one message begins with.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The whole IV.
    pub iv: &'a [u8],
    /// Associated data.
    pub aad: &'a [u8],
    /// Length of the tag.
    pub tag_bytes: usize,
    /// Length of the plaintext, where the parameter tells it.
    pub data_bytes: Option<u64>,
}

/// A key with which messages are encrypted, or decrypted.
pub struct MessageKey {
    key: Arc<Object>,
    messages: Messages,
    direction: Direction,
}

impl MessageKey {
    /// The parameter of its messages.
    #[must_use]
    pub fn shape(&self) -> MessageShape {
        self.messages.shape
    }

    /// Judges the parameter of a message; returns the length of its tag in bytes.
    ///
    /// # Errors
    /// `MechanismParam`.
    pub fn judge(&self, params: &MessageParams) -> Result<usize> {
        (self.messages.judge)(params)?;
        tag_bytes(params)
    }

    /// Starts one message.
    ///
    /// # Errors
    /// `MechanismParam`, the engine's.
    pub fn start(&self, env: &Env<'_>, params: &MessageParams, iv: &[u8], aad: &[u8]) -> Result<SecretBox<dyn Aead>> {
        let message = Message { iv, aad, tag_bytes: tag_bytes(params)?, data_bytes: params.data_bytes };
        (self.messages.start)(env, &message, self.direction, &self.key)
    }
}

/// The length of a tag in whole bytes.
fn tag_bytes(params: &MessageParams) -> Result<usize> {
    usize::try_from(params.tag_bits / 8)
        .ok()
        .filter(|bytes| (1..=MESSAGE_TAG_BYTES_MAX).contains(bytes) && params.tag_bits.is_multiple_of(8))
        .ok_or(Reason::MechanismParam("the tag has not 1 to 16 whole bytes"))
}

/// Finds the messages of a mechanism, which the token's policy must allow for this use.
///
/// To wrap with associated data is to encrypt a message: unlike C_WrapKey, it lets the token make the IV.
///
/// # Errors
/// `MechanismUnknown`, `MechanismNotPermitted`.
pub(crate) fn messages(policy: Policy, kind: u64, usage: Usage) -> Result<(&'static Row, Messages)> {
    let row = find(kind).ok_or(Reason::MechanismUnknown(kind))?;
    let messages = row.messages.ok_or(Reason::MechanismUnknown(kind))?;
    policy.judge(row, if encrypts(usage) { CKF_MESSAGE_ENCRYPT } else { CKF_MESSAGE_DECRYPT })?;
    Ok((row, messages))
}

const fn encrypts(usage: Usage) -> bool {
    matches!(usage, Usage::Encrypt | Usage::Wrap)
}

/// Judges mechanism and key for a run of messages.
///
/// # Errors
/// `MechanismUnknown`, `MechanismNotPermitted`, `KeyTypeInconsistent`, `KeyLacksUsage`, `KeySize`.
pub(crate) fn key_for_messages(policy: Policy, kind: u64, key: Arc<Object>, usage: Usage) -> Result<MessageKey> {
    let (row, messages) = messages(policy, kind, usage)?;
    rules::judge_key(policy, row, &key, usage)?;
    let direction = if encrypts(usage) { Direction::Encrypt } else { Direction::Decrypt };
    Ok(MessageKey { key, messages, direction })
}

/// The engine's answer while a message is encrypted.
pub(crate) fn sealed<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    super::faults::data(result)
}

/// The engine's answer while a message is decrypted: a wrong tag has a return value of its own here.
pub(crate) fn opened<T>(result: hsm_crypto::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        CryptoError::InputLength => Reason::EncryptedDataLength,
        CryptoError::DecryptionFailed => Reason::MessageForged,
        other => Reason::Crypto(other),
    })
}

/// Whether a mechanism that signs does so for runs of messages. Those cannot whose parameter or key is for one message alone.
pub(crate) fn signs_messages(kind: u64) -> bool {
    !matches!(kind, CKM_AES_GMAC | CKM_POLY1305)
}
