//! Signatures that carry their data: C_SignRecover and C_VerifyRecover.
//!
//! Owns: their life, which is that of an encryption and of a decryption in one part. Does not know: algorithms.
//! Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v2.40, 5.11 and 5.12. A bad signature outranks too small a buffer: the size of what is recovered is known
//! only after the work, so that the signature is judged first.

use super::{Active, Announced, Operations, Tie, step};
use crate::mechanisms::Crypter;
use crate::platform::Env;
use crate::reason::Result;
use crate::token::Standing;
use crate::types::{Destination, Reply};

impl Operations {
    /// Starts a signature with data recovery.
    pub fn start_sign_recover(&mut self, signer: Box<dyn Crypter>, tie: Tie) {
        self.started += 1;
        self.sign_recover = Some(Active::new(signer, tie));
    }

    /// C_SignRecover.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign_recover(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        data: &[u8],
        mut place: impl Destination,
    ) -> Result<Reply> {
        step(&mut self.sign_recover, now, |active| active.one_shot(env, data, &mut place, Announced::Exactly))
    }

    /// Starts a verification with data recovery.
    pub fn start_verify_recover(&mut self, verifier: Box<dyn Crypter>, tie: Tie) {
        self.verify_recover = Some(Active::new(verifier, tie));
    }

    /// C_VerifyRecover.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SignatureInvalid`, `SignatureLength`, `BufferTooSmall`.
    pub fn verify_recover(
        &mut self,
        env: &Env<'_>,
        now: Standing,
        signature: &[u8],
        mut place: impl Destination,
    ) -> Result<Reply> {
        step(&mut self.verify_recover, now, |active| active.one_shot(env, signature, &mut place, Announced::AtMost))
    }
}
