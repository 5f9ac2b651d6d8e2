//! C_GetOperationState and C_SetOperationState (v2.40, 5.6).
//!
//! Owns: that a state leaves sealed for this token and comes back unchanged or not at all, and that it goes on with the key that it was
//! begun with. Does not know: what is in it (`operation`), the keys that seal it (the store's).
//!
//! A state is sealed with a key of the store, so any session of any process on the same token can take it; whoever has the
//! bytes alone learns their length. One that has operations of a private key takes a login to open, as the key itself does.

use crate::api::crypto::tie_of;
use crate::hsm::Hsm;
use crate::mechanisms;
use crate::object::Object;
use crate::operation::{Began, Fingerprint, Restored, SavedOperation, SavedWork, parse_saved};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::session::Session;
use crate::types::{Mechanism, ObjectHandle, OperationKind, Reply, Room, SessionHandle};
use ffi_headers::*;
use hsm_crypto::{Hash, SecretBytes, hash};
use std::sync::Arc;

/// The keys that a caller gives with a state.
#[derive(Debug, Clone, Copy, Default)]
pub struct StateKeys {
    /// `hEncryptionKey`, unless it is no handle.
    pub cipher: Option<ObjectHandle>,
    /// `hAuthenticationKey`, unless it is no handle.
    pub authentication: Option<ObjectHandle>,
}

impl Hsm {
    /// C_GetOperationState. Takes the state out without changing it; so asking for its size does the work.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `StateUnsaveable` (also when a key is gone), `BufferTooSmall`.
    pub fn operation_state(&self, session: SessionHandle, room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            let mut fingerprints = [None; 2];
            for (key, fingerprint) in session.operations.keys_to_save(now)?.into_iter().zip(&mut fingerprints) {
                let Some(handle) = key else { continue };
                let (key, _) = self.key_for_use(session, handle).map_err(|reason| match reason {
                    Reason::KeyUnknown(_) => Reason::StateUnsaveable,
                    other => other,
                })?;
                *fingerprint = Some(self.fingerprint(session, &key)?);
            }
            let saved = session.operations.save(fingerprints)?;
            let (epoch, key) = match session.token.private_key() {
                Some((epoch, key)) if saved.ends_with_login => (epoch, Some(key)),
                // The login ended since, and the operations with it.
                None if saved.ends_with_login => return Err(Reason::OperationNotInitialized),
                Some(_) | None => (session.token.epoch(), None),
            };
            let place = (session.token.partition, key.as_ref());
            let sealed = self.platform.store.seal_for_partition(place, &epoch, &saved.bytes)?;
            match room {
                Room::Ask => Ok(Reply::Size(sealed.len())),
                Room::Bytes(have) if have < sealed.len() => Err(Reason::BufferTooSmall { need: sealed.len() }),
                Room::Bytes(_) => Ok(Reply::Data(sealed)),
            }
        })
    }

    /// C_SetOperationState. An operation whose key asks for a context-specific login asks for it again.
    ///
    /// # Errors
    /// `SessionUnknown`, `SavedStateInvalid`, `KeyNeeded`, `KeyNotNeeded`, `KeyUnknown`, `KeyChanged`, and what the beginning of the
    /// operations answers; then nothing has changed.
    pub fn set_operation_state(&self, session: SessionHandle, sealed: &[u8], keys: StateKeys) -> Result<()> {
        self.with_session(session, |session| {
            let (epoch, key) = session.token.private_key().unzip();
            let epoch = epoch.unwrap_or_else(|| session.token.epoch());
            let place = (session.token.partition, key.as_ref());
            let saved = self.platform.store.open_for_partition(place, &epoch, sealed);
            let saved = saved.ok_or(Reason::SavedStateInvalid)?;
            let saved = parse_saved(saved.expose()).ok_or(Reason::SavedStateInvalid)?;
            judge_keys(&saved, keys)?;
            let mut restored = Restored::default();
            for operation in saved {
                self.take_up(session, operation, keys, &mut restored)?;
            }
            session.operations.restore(restored);
            Ok(())
        })
    }

    /// Begins one operation again, and brings it to where it was.
    fn take_up(
        &self,
        session: &mut Session,
        operation: SavedOperation<'_>,
        keys: StateKeys,
        restored: &mut Restored,
    ) -> Result<()> {
        let env = self.platform.env(session.policy());
        match operation {
            SavedOperation::Digest(work) => {
                let mut digest = mechanisms::start_digest(&env, &work.mechanism)?;
                if !work.state.is_empty() {
                    // Another version of the library may have sealed what this one does not understand.
                    digest.1 = hash::resume(digest.0, work.state).map_err(|_| Reason::SavedStateInvalid)?;
                } else if !work.fresh {
                    return Err(Reason::SavedStateInvalid);
                }
                restored.digest(digest, work.fresh);
            }
            SavedOperation::Sign(fingerprint, work) => {
                let given = (keys.authentication, OperationKind::Sign, fingerprint);
                let (key, began) = self.same_key(session, given, &work.mechanism)?;
                let mut signer = mechanisms::start_sign(&env, &work.mechanism, &key)?;
                signer.resume(work.state)?;
                restored.sign(signer, began, work.fresh);
            }
            SavedOperation::Verify(fingerprint, work) => {
                let given = (keys.authentication, OperationKind::Verify, fingerprint);
                let (key, began) = self.same_key(session, given, &work.mechanism)?;
                let mut verifier = mechanisms::start_verify(&env, &work.mechanism, &key)?;
                verifier.resume(work.state)?;
                restored.verify(verifier, began, work.fresh);
            }
            SavedOperation::Encrypt(fingerprint, work) => {
                let given = (keys.cipher, OperationKind::Encrypt, fingerprint);
                let (key, began) = self.same_key(session, given, &work.mechanism)?;
                let crypter = mechanisms::start_encrypt(&env, &work.mechanism, &key)?;
                restored.encrypt(led(crypter, &work)?, began, work.fresh);
            }
            SavedOperation::Decrypt(fingerprint, work) => {
                let given = (keys.cipher, OperationKind::Decrypt, fingerprint);
                let (key, began) = self.same_key(session, given, &work.mechanism)?;
                let crypter = mechanisms::start_decrypt(&env, &work.mechanism, &key)?;
                restored.decrypt(led(crypter, &work)?, began, work.fresh);
            }
        }
        Ok(())
    }

    /// The key that a caller gives, which must be the one that the operation was begun with, and how the operation begins anew.
    fn same_key(
        &self,
        session: &mut Session,
        (handle, kind, fingerprint): (Option<ObjectHandle>, OperationKind, Fingerprint),
        mechanism: &Mechanism,
    ) -> Result<(Arc<Object>, Began)> {
        let handle = handle.ok_or(Reason::KeyNeeded)?;
        let (key, now) = self.key_for_use(session, handle)?;
        if self.fingerprint(session, &key)? != fingerprint {
            return Err(Reason::KeyChanged);
        }
        let began = Began::new(tie_of(kind, &key, now), mechanism, handle);
        Ok((key, began))
    }

    /// What tells a key from others: a hash of what it is made of. It leaves the token sealed only.
    fn fingerprint(&self, session: &Session, key: &Object) -> Result<Fingerprint> {
        const PARTS: [u64; 6] =
            [CKA_VALUE, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT];
        const NUMBERS: [u64; 3] = [CKA_CLASS, CKA_KEY_TYPE, CKA_PARAMETER_SET];
        let env: Env<'_> = self.platform.env(session.policy());
        let mut digest = (env.engine.digest)(Hash::Sha256);
        for kind in NUMBERS {
            digest.update(&key.number(kind).unwrap_or(u64::MAX).to_be_bytes());
        }
        for kind in PARTS {
            let part = key.bytes(kind).unwrap_or_default();
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        // SHA-256 has so many bytes.
        digest.finish().try_into().map_err(|_| Reason::Internal("a digest has a wrong length"))
    }
}

/// Judges whether there is a key for each operation that has one, and no other.
fn judge_keys(saved: &[SavedOperation<'_>], keys: StateKeys) -> Result<()> {
    let ciphers = saved.iter().any(|one| matches!(one, SavedOperation::Encrypt(..) | SavedOperation::Decrypt(..)));
    let authentications = saved.iter().any(|one| matches!(one, SavedOperation::Sign(..) | SavedOperation::Verify(..)));
    let pairs = [(ciphers, keys.cipher), (authentications, keys.authentication)];
    if pairs.iter().any(|(needed, given)| *needed && given.is_none()) {
        return Err(Reason::KeyNeeded);
    }
    if pairs.iter().any(|(needed, given)| !needed && given.is_some()) {
        return Err(Reason::KeyNotNeeded);
    }
    Ok(())
}

/// Has a cipher take in what its state begins with; what comes of it has left already.
fn led(mut crypter: Box<dyn mechanisms::Crypter>, work: &SavedWork<'_>) -> Result<Box<dyn mechanisms::Crypter>> {
    if !crypter.multi_part() {
        return Err(Reason::SavedStateInvalid);
    }
    if !work.state.is_empty() {
        let mut left = SecretBytes::zeroed(crypter.update_bytes(work.state.len()));
        crypter.update(work.state, left.expose_mut())?;
    }
    Ok(crypter)
}
