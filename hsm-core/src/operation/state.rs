//! The state of a session's operations, taken out and put back: C_GetOperationState and C_SetOperationState.
//!
//! Owns: which operations have a state that can leave, and its form before it is sealed. Does not know: how it is sealed, tokens,
//! keys. Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v2.40, 5.6 (C_GetOperationState, C_SetOperationState).
//!
//! Digests can. Operations with a key cannot: what a MAC, a signature or a cipher has under way is as good as its key, or holds
//! plaintext, and would outlive key and login. Clients ask for the state to make a second digest of a common beginning.

use super::{Active, Operations, Stage, Tie};
use crate::mechanisms;
use crate::reason::{Reason, Result};
use crate::token::Standing;
use hsm_crypto::{SecretBytes, hash};

/// The form of this version: this byte, the mechanism's number (8 bytes, the highest first), whether parts were taken in, and then
/// the state of the hash.
const FORM: u8 = 1;
/// Bytes before the state of the hash.
const HEAD_BYTES: usize = 10;

impl Operations {
    /// The state of what is under way.
    ///
    /// # Errors
    /// `OperationNotInitialized` when nothing is, `StateUnsaveable` when it is more than a digest, or a digest whose state cannot leave.
    pub fn save(&mut self, now: Standing) -> Result<SecretBytes> {
        self.end_void(now);
        let others = [
            self.sign.is_some(),
            self.verify.is_some(),
            self.encrypt.is_some(),
            self.decrypt.is_some(),
            self.sign_recover.is_some(),
            self.verify_recover.is_some(),
            self.verify_signature.is_some(),
            self.message_encrypt.is_some(),
            self.message_decrypt.is_some(),
            self.message_sign.is_some(),
            self.message_verify.is_some(),
        ];
        if others.contains(&true) {
            return Err(Reason::StateUnsaveable);
        }
        let active = self.digest.as_ref().ok_or(Reason::OperationNotInitialized)?;
        let kind = mechanisms::digest_number(active.work.0).ok_or(Reason::StateUnsaveable)?;
        let fresh = matches!(active.stage, Stage::Fresh);
        let state = match active.work.1.save() {
            Some(state) => state,
            // Nothing was taken in: there is nothing to save.
            None if fresh => SecretBytes::default(),
            None => return Err(Reason::StateUnsaveable),
        };
        let mut saved = SecretBytes::zeroed(HEAD_BYTES + state.len());
        let (head, rest) = saved.expose_mut().split_at_mut(HEAD_BYTES);
        head[0] = FORM;
        head[1..9].copy_from_slice(&kind.to_be_bytes());
        head[9] = u8::from(!fresh);
        rest.copy_from_slice(state.expose());
        Ok(saved)
    }

    /// Goes on with a digest that was saved; what was under way is given up, as a state is that of the whole session.
    pub fn restore(&mut self, digest: (hsm_crypto::Hash, Box<dyn hash::Digest>), fresh: bool) {
        let (find, started) = (self.find.take(), self.started);
        *self = Operations { find, started, ..Operations::default() };
        let mut active = Active::new(digest, Tie::FREE);
        if !fresh {
            active.stage = Stage::Updating;
        }
        self.digest = Some(active);
    }
}

/// A state, taken apart.
pub struct SavedDigest<'a> {
    /// The digest's mechanism.
    pub kind: u64,
    /// Whether nothing was taken in.
    pub fresh: bool,
    /// The state of the hash.
    pub state: &'a [u8],
}

impl<'a> SavedDigest<'a> {
    /// Takes apart what [`Operations::save`] made; `None` for anything else.
    pub fn parse(saved: &'a [u8]) -> Option<Self> {
        let (head, state) = saved.split_first_chunk::<HEAD_BYTES>()?;
        let [FORM, kind @ .., updating] = head else { return None };
        let updating = match updating {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { kind: u64::from_be_bytes(*kind), fresh: !updating, state })
    }
}
