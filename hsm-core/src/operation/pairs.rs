//! Two operations in one call: a cipher, and a digest or signature of the same plaintext.
//!
//! Owns: that both take a part or neither does. Does not know: algorithms. Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v2.40, 5.12 (dual-function cryptographic functions).
//!
//! The cipher comes first: where it makes no output (a question for the size, too little room, an error), the plaintext
//! does not reach the other operation. An error of either ends both, as it would end the one that it came from.

use super::{Active, After, Operations};
use crate::reason::{Reason, Result};
use crate::token::Standing;
use crate::types::{Destination, Reply};

/// Takes one step of two operations at once; whatever is no size answer ends both when it fails.
fn both<A, B>(
    first: &mut Option<Active<A>>,
    second: &mut Option<Active<B>>,
    now: Standing,
    take: impl FnOnce(&mut Active<A>, &mut Active<B>) -> Result<After<Reply>>,
) -> Result<Reply> {
    let alive = first.as_mut().filter(|active| active.tie.holds(now));
    let answer = match (alive, second.as_mut().filter(|active| active.tie.holds(now))) {
        (Some(one), Some(other)) => take(one, other),
        _ => Err(Reason::OperationNotInitialized),
    };
    match answer {
        Ok(After::Goes(answer) | After::Ends(answer)) => Ok(answer),
        Err(reason @ Reason::BufferTooSmall { .. }) => Err(reason),
        Err(reason) => {
            *first = None;
            *second = None;
            Err(reason)
        }
    }
}

impl Operations {
    /// C_DigestEncryptUpdate.
    ///
    /// # Errors
    /// `OperationNotInitialized` when either is missing, `SinglePartOnly`, `BufferTooSmall`, the mechanisms'.
    pub fn digest_encrypt(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        both(&mut self.encrypt, &mut self.digest, now, |cipher, digest| {
            cipher.update_beside(data, &mut place, |_ciphertext| {
                digest.take_part(data);
                Ok(())
            })
        })
    }

    /// C_DecryptDigestUpdate.
    ///
    /// # Errors
    /// As `digest_encrypt`, and `ContextLoginNeeded`.
    pub fn decrypt_digest(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        both(&mut self.decrypt, &mut self.digest, now, |cipher, digest| {
            cipher.update_beside(data, &mut place, |plaintext| {
                digest.take_part(plaintext);
                Ok(())
            })
        })
    }

    /// C_SignEncryptUpdate.
    ///
    /// # Errors
    /// As `digest_encrypt`, and `ContextLoginNeeded`.
    pub fn sign_encrypt(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        both(&mut self.encrypt, &mut self.sign, now, |cipher, signer| {
            signer.open(signer.work.multi_part())?;
            cipher.update_beside(data, &mut place, |_ciphertext| signer.take_part(data))
        })
    }

    /// C_DecryptVerifyUpdate.
    ///
    /// # Errors
    /// As `decrypt_digest`.
    pub fn decrypt_verify(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        both(&mut self.decrypt, &mut self.verify, now, |cipher, verifier| {
            verifier.open(verifier.work.multi_part())?;
            cipher.update_beside(data, &mut place, |plaintext| verifier.take_part(plaintext))
        })
    }
}
