//! Verifications whose signature is given at their start: C_VerifySignatureInit and on.
//!
//! Owns: their life, and the signature until the data is there. Does not know: algorithms. Called only from `api/`, under the session's
//! lock. They are a kind of their own, beside the verifications of C_VerifyInit.
//! Rule source: PKCS#11 v3.2, 5.15 (C_VerifySignatureInit to C_VerifySignatureFinal).

use super::{Active, After, Operations, Stage, Tie, step};
use crate::mechanisms::Verifier;
use crate::platform::Env;
use crate::reason::Result;
use crate::token::Standing;

/// A verification, and the signature that it is about.
pub(super) struct Given {
    verifier: Box<dyn Verifier>,
    signature: Vec<u8>,
}

impl Operations {
    /// Starts a verification of this signature.
    pub fn start_verify_signature(&mut self, verifier: Box<dyn Verifier>, signature: &[u8], tie: Tie) {
        self.verify_signature = Some(Active::new(Given { verifier, signature: signature.to_vec() }, tie));
    }

    /// C_VerifySignature; ends the operation whatever it answers.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive` after parts, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_signature(&mut self, env: &Env<'_>, now: Standing, data: &[u8]) -> Result<()> {
        step(&mut self.verify_signature, now, |active| {
            active.fresh()?;
            let Given { verifier, signature } = &mut active.work;
            verifier.verify(env, data, signature).map(After::Ends)
        })
    }

    /// C_VerifySignatureUpdate.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, the mechanism's.
    pub fn verify_signature_update(&mut self, now: Standing, data: &[u8]) -> Result<()> {
        step(&mut self.verify_signature, now, |active| {
            active.open(active.work.verifier.multi_part())?;
            active.work.verifier.update(data)?;
            active.stage = Stage::Updating;
            Ok(After::Goes(()))
        })
    }

    /// C_VerifySignatureFinal; ends the operation whatever it answers.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_signature_final(&mut self, env: &Env<'_>, now: Standing) -> Result<()> {
        step(&mut self.verify_signature, now, |active| {
            active.open(active.work.verifier.multi_part())?;
            let Given { verifier, signature } = &mut active.work;
            verifier.finish(env, signature).map(After::Ends)
        })
    }
}
