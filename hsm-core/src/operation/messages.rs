//! Runs of messages that are encrypted or decrypted with one key: C_MessageEncryptInit and C_MessageDecryptInit, and on.
//!
//! Owns: which call may follow which, what ends a message and what ends the run, that no plaintext leaves before its tag was
//! checked. Does not know: modes, how IVs are made. Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v3.1, 5.9 and 5.11.
//!
//! An error ends the message under way, if there is one, and never the run. A question for the size and too little room
//! use up no IV and end nothing.

use super::ivs::Ivs;
use super::{ASKED_FOR, After, Made, Operations, Tie, buffer, made, sized};
use crate::mechanisms::messages::{MessageKey, opened, sealed};
use crate::message::{MessageParams, MessageReply, MessageShape};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::token::Standing;
use crate::types::{Destination, Reply, Room};
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::Aead;
use hsm_crypto::secret::SecretBox;

/// A run of messages: what each begins with, and the one under way.
pub(super) struct Run<S, M> {
    pub(super) source: S,
    pub(super) current: Option<M>,
    pub(super) tie: Tie,
}

/// A run of messages, if one is active.
pub(super) type Slot<S, M> = Option<Box<Run<S, M>>>;

/// Messages that are encrypted.
pub(super) type Encrypting = Slot<(MessageKey, Ivs), Parts>;

/// Messages that are decrypted.
pub(super) type Decrypting = Slot<MessageKey, Parts>;

/// A message that comes in parts.
pub(super) struct Parts {
    aead: SecretBox<dyn Aead>,
    tag_bits: u64,
    tag_bytes: usize,
}

impl<S, M> Run<S, M> {
    pub(super) fn boxed(source: S, tie: Tie) -> Box<Self> {
        Box::new(Self { source, current: None, tie })
    }

    /// Refuses a message beside one that is under way; that one goes on.
    pub(super) fn idle(&self) -> Result<()> {
        if self.current.is_none() { Ok(()) } else { Err(Reason::OperationActive) }
    }

    /// Takes one step of the message under way and ends it as the step and the standard say.
    pub(super) fn step<R>(&mut self, take: impl FnOnce(&mut M) -> Result<After<R>>) -> Result<R> {
        let message = self.current.as_mut().ok_or(Reason::OperationNotInitialized)?;
        match take(message) {
            Ok(After::Goes(answer)) => Ok(answer),
            Err(reason @ Reason::BufferTooSmall { .. }) => Err(reason),
            ended => {
                self.current = None;
                self.tie.used();
                match ended? {
                    After::Goes(answer) | After::Ends(answer) => Ok(answer),
                }
            }
        }
    }
}

/// The run in a slot; one whose login has ended is none.
pub(super) fn running<S, M>(slot: &mut Slot<S, M>, now: Standing) -> Result<&mut Run<S, M>> {
    if slot.as_ref().is_some_and(|run| !run.tie.holds(now)) {
        *slot = None;
    }
    slot.as_deref_mut().ok_or(Reason::OperationNotInitialized)
}

/// Refuses to start a run beside another.
pub(super) fn no_run<S, M>(slot: &mut Slot<S, M>, now: Standing) -> Result<()> {
    match running(slot, now) {
        Ok(_) => Err(Reason::OperationActive),
        Err(_none) => Ok(()),
    }
}

/// Ends the message under way, if there is one.
pub(super) fn end_message<S, M>(slot: &mut Slot<S, M>) {
    if let Some(run) = slot
        && run.current.take().is_some()
    {
        run.tie.used();
    }
}

/// Refuses to start a message beside another.
pub(super) fn no_message<S, M>(slot: &mut Slot<S, M>, now: Standing) -> Result<()> {
    match running(slot, now) {
        Ok(run) => run.idle(),
        Err(_none) => Ok(()),
    }
}

/// Answers a question for the size, or an offer that is too small.
fn asked(room: Room, bytes: usize) -> Result<Option<Reply>> {
    Ok(match sized(room, bytes)? {
        Some(After::Goes(reply) | After::Ends(reply)) => Some(reply),
        None => None,
    })
}

/// A result as the caller gets it.
fn handed_out(made: Made) -> Result<Reply> {
    Ok(match made {
        Made::There(written) => Reply::Written(written),
        Made::Here(output) => Reply::Data(output.into_public(ASKED_FOR)?),
    })
}

/// Encrypts the last part; returns its ciphertext and the tag.
fn seal_last(
    aead: &mut dyn Aead,
    data: &[u8],
    tag_bytes: usize,
    place: &mut impl Destination,
) -> Result<(Reply, Vec<u8>)> {
    let (early, late) = (aead.update_bytes(data.len()), aead.finish_bytes(data.len()));
    let broken = Reason::Internal("a tag is not as long as it was to be");
    if late == tag_bytes {
        let text = made(place, early, |out| sealed(aead.update_into(data, out)))?;
        let mut tag = vec![0; tag_bytes];
        let written = sealed(aead.finish_into(&mut tag))?;
        return if written == tag_bytes { Ok((handed_out(text)?, tag)) } else { Err(broken) };
    }
    // The mode gives nothing before it has all: text and tag come together.
    let mut whole = buffer(early.saturating_add(late))?;
    let first = sealed(aead.update_into(data, whole.expose_mut()))?;
    let rest = whole.expose_mut().get_mut(first..).unwrap_or_default();
    let total = first + sealed(aead.finish_into(rest))?;
    let text_bytes = total.checked_sub(tag_bytes).ok_or(broken)?;
    let tag = whole.expose().get(text_bytes..total).unwrap_or_default().to_vec();
    whole.truncate(text_bytes);
    Ok((Reply::Data(whole.into_public(ASKED_FOR)?), tag))
}

impl Operations {
    // --- encryption ---

    /// Starts a run of messages to encrypt.
    pub fn start_message_encrypt(&mut self, key: MessageKey, tie: Tie) {
        self.message_encrypt = Some(Run::boxed((key, Ivs::default()), tie));
    }

    /// C_EncryptMessage.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `BufferTooSmall`, `IvsUsedUp`, `DataLength`.
    pub fn encrypt_message(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        params: &MessageParams,
        aad: &[u8],
        data: &[u8],
        mut place: impl Destination,
    ) -> Result<MessageReply> {
        let run = running(&mut self.message_encrypt, now)?;
        run.idle()?;
        let (key, ivs) = &mut run.source;
        let tag_bytes = key.judge(params)?;
        if let Some(size) = asked(place.room(), data.len())? {
            return Ok(size.into());
        }
        let iv = ivs.next(env, params)?;
        let mut aead = key.start(env, params, iv.as_deref().unwrap_or(&params.iv), aad)?;
        let (reply, tag) = seal_last(&mut *aead, data, tag_bytes, &mut place)?;
        Ok(MessageReply { reply, iv, tag: Some(tag) })
    }

    /// C_EncryptMessageBegin: returns the IV, where it was generated.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `IvsUsedUp`.
    pub fn begin_encrypt_message(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        params: &MessageParams,
        aad: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let run = running(&mut self.message_encrypt, now)?;
        run.idle()?;
        let (key, ivs) = &mut run.source;
        let tag_bytes = key.judge(params)?;
        let iv = ivs.next(env, params)?;
        let aead = key.start(env, params, iv.as_deref().unwrap_or(&params.iv), aad)?;
        run.current = Some(Parts { aead, tag_bits: params.tag_bits, tag_bytes });
        Ok(iv)
    }

    /// C_EncryptMessageNext.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `MechanismParam`, `BufferTooSmall`, `DataLength`.
    pub fn encrypt_message_part(
        &mut self,
        now: Standing,
        params: &MessageParams,
        data: &[u8],
        last: bool,
        mut place: impl Destination,
    ) -> Result<MessageReply> {
        running(&mut self.message_encrypt, now)?.step(|message| {
            message.goes_on(params)?;
            let (early, late) = (message.aead.update_bytes(data.len()), message.aead.finish_bytes(data.len()));
            let bytes = if last { early.saturating_add(late).saturating_sub(message.tag_bytes) } else { early };
            if let Some(size) = asked(place.room(), bytes)? {
                return Ok(After::Goes(size.into()));
            }
            if last {
                let (reply, tag) = seal_last(&mut *message.aead, data, message.tag_bytes, &mut place)?;
                return Ok(After::Ends(MessageReply { reply, iv: None, tag: Some(tag) }));
            }
            let text = made(&mut place, early, |out| sealed(message.aead.update_into(data, out)))?;
            Ok(After::Goes(handed_out(text)?.into()))
        })
    }

    // --- decryption ---

    /// Starts a run of messages to decrypt.
    pub fn start_message_decrypt(&mut self, key: MessageKey, tie: Tie) {
        self.started += 1;
        self.message_decrypt = Some(Run::boxed(key, tie));
    }

    /// C_DecryptMessage.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `ContextLoginNeeded`, `BufferTooSmall`, `MessageForged`.
    #[expect(clippy::too_many_arguments, reason = "a message has as many parts")]
    pub fn decrypt_message(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        params: &MessageParams,
        tag: &[u8],
        aad: &[u8],
        data: &[u8],
        mut place: impl Destination,
    ) -> Result<Reply> {
        let run = running(&mut self.message_decrypt, now)?;
        run.idle()?;
        run.source.judge(params)?;
        if let Some(size) = asked(place.room(), data.len())? {
            return Ok(size);
        }
        run.tie.ready()?;
        run.tie.used();
        let mut aead = run.source.start(env, params, &params.iv, aad)?;
        let mut whole = buffer(data.len().saturating_add(tag.len()))?;
        let (text, rest) = whole.expose_mut().split_at_mut(data.len());
        text.copy_from_slice(data);
        rest.copy_from_slice(tag);
        made(&mut place, data.len(), |out| opened(aead.one_shot_into(whole.expose(), out))).and_then(handed_out)
    }

    /// C_DecryptMessageBegin.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `ContextLoginNeeded`.
    pub fn begin_decrypt_message(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        params: &MessageParams,
        aad: &[u8],
    ) -> Result<()> {
        let run = running(&mut self.message_decrypt, now)?;
        run.idle()?;
        let tag_bytes = run.source.judge(params)?;
        run.tie.ready()?;
        let aead = run.source.start(env, params, &params.iv, aad)?;
        run.current = Some(Parts { aead, tag_bits: params.tag_bits, tag_bytes });
        Ok(())
    }

    /// C_DecryptMessageNext; `tag` is there with the last part, which gives the whole plaintext.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `MechanismParam`, `BufferTooSmall`, `EncryptedDataLength`, `MessageForged`.
    pub fn decrypt_message_part(
        &mut self,
        now: Standing,
        params: &MessageParams,
        tag: Option<&[u8]>,
        data: &[u8],
        mut place: impl Destination,
    ) -> Result<Reply> {
        running(&mut self.message_decrypt, now)?.step(|message| {
            message.goes_on(params)?;
            let Some(tag) = tag else {
                if let Some(size) = asked(place.room(), 0)? {
                    return Ok(After::Goes(size));
                }
                message.hold(data)?;
                return Ok(After::Goes(Reply::Data(Vec::new())));
            };
            let bytes = message.aead.finish_bytes(data.len().saturating_add(tag.len()));
            if let Some(size) = asked(place.room(), bytes)? {
                return Ok(After::Goes(size));
            }
            message.hold(data)?;
            message.hold(tag)?;
            let text = made(&mut place, bytes, |out| opened(message.aead.finish_into(out)))?;
            Ok(After::Ends(handed_out(text)?))
        })
    }

    // --- for both ---

    /// The parameter that the messages of the run have.
    ///
    /// # Errors
    /// `OperationNotInitialized`.
    pub fn message_shape(&mut self, encrypt: bool, now: Standing) -> Result<MessageShape> {
        if encrypt {
            running(&mut self.message_encrypt, now).map(|run| run.source.0.shape())
        } else {
            running(&mut self.message_decrypt, now).map(|run| run.source.shape())
        }
    }
}

impl Parts {
    /// Refuses a part whose parameter is not that of the message.
    fn goes_on(&self, params: &MessageParams) -> Result<()> {
        if params.tag_bits == self.tag_bits {
            Ok(())
        } else {
            Err(Reason::MechanismParam("the length of the tag is not that of the message's beginning"))
        }
    }

    /// Takes in ciphertext or tag, of which nothing comes out before the end.
    fn hold(&mut self, data: &[u8]) -> Result<()> {
        let mut nothing = SecretBytes::try_zeroed(self.aead.update_bytes(data.len()))?;
        let written = opened(self.aead.update_into(data, nothing.expose_mut()))?;
        if written == 0 { Ok(()) } else { Err(Reason::Internal("plaintext came before its tag was checked")) }
    }
}
