//! Runs of messages that are signed or verified with one key: C_MessageSignInit and C_MessageVerifyInit, and on.
//!
//! Owns: which call may follow which, what ends a message and what ends the run. Does not know: algorithms, keys. Called only
//! from `api/`, under the session's lock.
//! Rule source: PKCS#11 v3.1, 5.14 and 5.16.
//!
//! An error ends the message under way, if there is one, and never the run. A key that asks for a context-specific
//! login asks for one before each message.

use super::messages::{Run, Slot, running};
use super::{After, Operations, Tie, sized};
use crate::mechanisms::{Signer, Verifier};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::token::Standing;
use crate::types::{Reply, Room};

/// Starts the work of one message.
pub type StartMessage<T> = Box<dyn Fn(&Env<'_>) -> Result<Box<T>> + Send>;

/// Where the work of messages comes from.
pub(super) struct Source<T: ?Sized> {
    start: StartMessage<T>,
    /// Started and not used yet.
    ready: Option<Box<T>>,
}

/// Messages that are signed.
pub(super) type Signing = Slot<Source<dyn Signer>, Box<dyn Signer>>;

/// Messages that are verified.
pub(super) type Verifying = Slot<Source<dyn Verifier>, Box<dyn Verifier>>;

impl<T: ?Sized> Source<T> {
    /// Lends the work of the next message.
    fn next(&mut self, env: &Env<'_>) -> Result<&mut Box<T>> {
        match &mut self.ready {
            Some(ready) => Ok(ready),
            none => Ok(none.insert((self.start)(env)?)),
        }
    }

    /// Takes it out.
    fn take(&mut self, env: &Env<'_>) -> Result<Box<T>> {
        match self.ready.take() {
            Some(ready) => Ok(ready),
            None => (self.start)(env),
        }
    }
}

impl Operations {
    // --- sign ---

    /// Starts a run of messages to sign; `first` is the work of the first.
    pub fn start_message_sign(&mut self, start: StartMessage<dyn Signer>, first: Box<dyn Signer>, tie: Tie) {
        self.started += 1;
        self.message_sign = Some(Run::boxed(Source { start, ready: Some(first) }, tie));
    }

    /// C_SignMessage.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign_message(&mut self, env: &Env<'_>, now: Standing, data: &[u8], room: Room) -> Result<Reply> {
        let run = running(&mut self.message_sign, now)?;
        run.idle()?;
        let bytes = run.source.next(env)?.signature_bytes();
        if let Some(After::Goes(size) | After::Ends(size)) = sized(room, bytes)? {
            return Ok(size);
        }
        run.tie.ready()?;
        run.tie.used();
        run.source.take(env)?.sign(env, data).map(Reply::Data)
    }

    /// C_SignMessageBegin.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `SinglePartOnly`, `ContextLoginNeeded`.
    pub fn begin_sign_message(&mut self, env: &Env<'_>, now: Standing) -> Result<()> {
        let run = running(&mut self.message_sign, now)?;
        run.idle()?;
        if !run.source.next(env)?.multi_part() {
            return Err(Reason::SinglePartOnly);
        }
        run.tie.ready()?;
        run.current = Some(run.source.take(env)?);
        Ok(())
    }

    /// C_SignMessageNext with more to follow.
    ///
    /// # Errors
    /// `OperationNotInitialized`, the mechanism's.
    pub fn sign_message_part(&mut self, now: Standing, data: &[u8]) -> Result<()> {
        running(&mut self.message_sign, now)?.step(|signer| signer.update(data).map(After::Goes))
    }

    /// C_SignMessageNext with the last part.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `BufferTooSmall`, the mechanism's.
    pub fn sign_message_last(&mut self, env: &Env<'_>, now: Standing, data: &[u8], room: Room) -> Result<Reply> {
        running(&mut self.message_sign, now)?.step(|signer| {
            if let Some(answer) = sized(room, signer.signature_bytes())? {
                return Ok(answer);
            }
            signer.update(data)?;
            signer.finish(env).map(|signature| After::Ends(Reply::Data(signature)))
        })
    }

    // --- verify ---

    /// Starts a run of messages to verify; `first` is the work of the first.
    pub fn start_message_verify(&mut self, start: StartMessage<dyn Verifier>, first: Box<dyn Verifier>, tie: Tie) {
        self.message_verify = Some(Run::boxed(Source { start, ready: Some(first) }, tie));
    }

    /// C_VerifyMessage.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_message(&mut self, env: &Env<'_>, now: Standing, data: &[u8], signature: &[u8]) -> Result<()> {
        let run = running(&mut self.message_verify, now)?;
        run.idle()?;
        run.source.take(env)?.verify(env, data, signature)
    }

    /// C_VerifyMessageBegin.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive`, `SinglePartOnly`.
    pub fn begin_verify_message(&mut self, env: &Env<'_>, now: Standing) -> Result<()> {
        let run = running(&mut self.message_verify, now)?;
        run.idle()?;
        if !run.source.next(env)?.multi_part() {
            return Err(Reason::SinglePartOnly);
        }
        run.current = Some(run.source.take(env)?);
        Ok(())
    }

    /// C_VerifyMessageNext; the last part comes with the signature.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_message_part(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        data: &[u8],
        signature: Option<&[u8]>,
    ) -> Result<()> {
        running(&mut self.message_verify, now)?.step(|verifier| {
            verifier.update(data)?;
            match signature {
                Some(signature) => verifier.finish(env, signature).map(After::Ends),
                None => Ok(After::Goes(())),
            }
        })
    }
}
