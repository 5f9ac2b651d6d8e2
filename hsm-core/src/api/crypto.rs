//! Encrypt, decrypt, digest, sign and verify (v2.40, 5.8 to 5.13).
//!
//! Owns: how an operation is tied to its key and login. Does not know: the mechanisms (`mechanisms`),
//! which call may follow which (`operation`). After an init, a call touches its session and nothing
//! shared that is written: no lock but the session's, no look at the store. An init with a key of the
//! session does not look at the store either: no other process can change such a key.

use crate::hsm::Hsm;
use crate::mechanisms;
use crate::object::Object;
use crate::operation::{Began, Tie};
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::session::Session;
use crate::token::Standing;
use crate::types::{Destination, Mechanism, ObjectHandle, OperationKind, Reply, Room, SessionHandle};
use ffi_headers::{CKA_ALWAYS_AUTHENTICATE, CKA_VALUE, CKO_SECRET_KEY};
use std::sync::Arc;

impl Hsm {
    /// C_EncryptInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`, `Key*`, the store's.
    pub fn encrypt_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, began) = self.begin_saveable(session, OperationKind::Encrypt, mechanism, key)?;
            let work = mechanisms::start_encrypt(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_encrypt(work, began);
            Ok(())
        })
    }

    /// C_Encrypt.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `BufferTooSmall`, the mechanism's.
    pub fn encrypt(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.encrypt(&self.platform.env(session.policy()), now, data, place)
        })
    }

    /// C_EncryptUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `BufferTooSmall`, the mechanism's.
    pub fn encrypt_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.encrypt_update(now, data, place)
        })
    }

    /// C_EncryptFinal.
    ///
    /// # Errors
    /// As `encrypt_update`.
    pub fn encrypt_final(&self, session: SessionHandle, place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.encrypt_final(&self.platform.env(session.policy()), now, place)
        })
    }

    /// C_DecryptInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`, `Key*`, the store's.
    pub fn decrypt_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, began) = self.begin_saveable(session, OperationKind::Decrypt, mechanism, key)?;
            let work = mechanisms::start_decrypt(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_decrypt(work, began);
            Ok(())
        })
    }

    /// C_Decrypt.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn decrypt(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt(&self.platform.env(session.policy()), now, data, place)
        })
    }

    /// C_DecryptUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn decrypt_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_update(now, data, place)
        })
    }

    /// C_DecryptFinal.
    ///
    /// # Errors
    /// As `decrypt_update`.
    pub fn decrypt_final(&self, session: SessionHandle, place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_final(&self.platform.env(session.policy()), now, place)
        })
    }

    /// C_DigestInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`.
    pub fn digest_init(&self, session: SessionHandle, mechanism: &Mechanism) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.ensure_idle(OperationKind::Digest, now)?;
            let work = mechanisms::start_digest(&self.platform.env(session.policy()), mechanism)?;
            session.operations.start_digest(work);
            Ok(())
        })
    }

    /// C_Digest.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `BufferTooSmall`.
    pub fn digest(&self, session: SessionHandle, data: &[u8], room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.digest(now, data, room)
        })
    }

    /// C_DigestUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`.
    pub fn digest_update(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.digest_update(now, data)
        })
    }

    /// C_DigestKey: digests the value of a secret key, sensitive or not, as the standard allows.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `KeyUnknown`, `KeyIndigestible` for any other object, the store's.
    pub fn digest_key(&self, session: SessionHandle, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            self.catalogue.refresh()?;
            let key = self.key(session, key, Reason::KeyUnknown);
            let value = key.and_then(|key| match key.bytes(CKA_VALUE) {
                Some(_) if key.class() == CKO_SECRET_KEY => Ok(key),
                Some(_) | None => Err(Reason::KeyIndigestible),
            });
            let now = session.standing();
            match value {
                Ok(key) => session.operations.digest_update(now, key.bytes(CKA_VALUE).unwrap_or_default()),
                Err(reason) => {
                    session.operations.cancel(OperationKind::Digest);
                    Err(reason)
                }
            }
        })
    }

    /// C_DigestFinal.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `BufferTooSmall`.
    pub fn digest_final(&self, session: SessionHandle, room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.digest_final(now, room)
        })
    }

    /// C_SignInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`, `Key*`, the store's.
    pub fn sign_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, began) = self.begin_saveable(session, OperationKind::Sign, mechanism, key)?;
            let work = mechanisms::start_sign(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_sign(work, began);
            Ok(())
        })
    }

    /// C_Sign.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign(&self, session: SessionHandle, data: &[u8], room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            let Session { token, operations, .. } = session;
            operations.sign(&self.indices(token).env(), now, data, room)
        })
    }

    /// C_SignUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `ContextLoginNeeded`, the mechanism's.
    pub fn sign_update(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_update(now, data)
        })
    }

    /// C_SignFinal.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `ContextLoginNeeded`, `BufferTooSmall`.
    pub fn sign_final(&self, session: SessionHandle, room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_final(&self.platform.env(session.policy()), now, room)
        })
    }

    /// C_VerifyInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`, `Key*`, the store's.
    pub fn verify_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, began) = self.begin_saveable(session, OperationKind::Verify, mechanism, key)?;
            let work = mechanisms::start_verify(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_verify(work, began);
            Ok(())
        })
    }

    /// C_Verify; the operation is over afterwards, whatever it answers.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `SignatureInvalid`, `SignatureLength`, `DataLength`.
    pub fn verify(&self, session: SessionHandle, data: &[u8], signature: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify(&self.platform.env(session.policy()), now, data, signature)
        })
    }

    /// C_VerifyUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, the mechanism's.
    pub fn verify_update(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_update(now, data)
        })
    }

    /// C_VerifyFinal; the operation is over afterwards, whatever it answers.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `SignatureInvalid`, `SignatureLength`.
    pub fn verify_final(&self, session: SessionHandle, signature: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_final(&self.platform.env(session.policy()), now, signature)
        })
    }

    /// Judges what every init with a key has in common: nothing of the kind is active, the mechanism exists, the
    /// key is there. Returns the key and what ties the operation to the login.
    pub(super) fn begin(
        &self,
        session: &mut Session,
        kind: OperationKind,
        mechanism: &Mechanism,
        key: ObjectHandle,
    ) -> Result<(Arc<Object>, Tie)> {
        session.operations.ensure_idle(kind, session.token.standing())?;
        known(session.policy(), mechanism)?;
        let (key, now) = self.key_for_use(session, key)?;
        let tie = tie_of(kind, &key, now);
        Ok((key, tie))
    }

    /// As `begin`, for an operation whose state may be saved.
    fn begin_saveable(
        &self,
        session: &mut Session,
        kind: OperationKind,
        mechanism: &Mechanism,
        key: ObjectHandle,
    ) -> Result<(Arc<Object>, Began)> {
        let (object, tie) = self.begin(session, kind, mechanism, key)?;
        Ok((object, Began::new(tie, mechanism, key)))
    }
}

/// What ties an operation with a key to the login.
pub(super) fn tie_of(kind: OperationKind, key: &Object, now: Standing) -> Tie {
    let private_use = matches!(
        kind,
        OperationKind::Sign
            | OperationKind::Decrypt
            | OperationKind::SignRecover
            | OperationKind::MessageSign
            | OperationKind::MessageDecrypt
    );
    let context = private_use && key.flag(CKA_ALWAYS_AUTHENTICATE);
    if key.is_private() || context { Tie::to_login(now, context) } else { Tie::FREE }
}

/// Refuses a mechanism that is in no row or that the token does not have, before any handle is looked at.
pub(super) fn known(policy: Policy, mechanism: &Mechanism) -> Result<()> {
    known_kind(policy, mechanism.kind)
}

/// As `known`, by the mechanism's number.
pub(super) fn known_kind(policy: Policy, kind: u64) -> Result<()> {
    let row = mechanisms::find(kind).ok_or(Reason::MechanismUnknown(kind))?;
    policy.judge(row, u64::MAX)
}
