//! Two operations in one call, signatures with data recovery, and verification with the signature first.
//!
//! Owns: how these meet the session. Does not know: the mechanisms (`mechanisms`), which call may follow which (`operation`).
//! Rule source: PKCS#11 v2.40, 5.11 and 5.12; v3.2, 5.15.

use crate::hsm::Hsm;
use crate::mechanisms;
use crate::reason::Result;
use crate::types::{Destination, Mechanism, ObjectHandle, OperationKind, Reply, SessionHandle};

impl Hsm {
    /// C_DigestEncryptUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `BufferTooSmall`, the mechanisms'.
    pub fn digest_encrypt_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.digest_encrypt(now, data, place)
        })
    }

    /// C_DecryptDigestUpdate.
    ///
    /// # Errors
    /// As `digest_encrypt_update`, and `ContextLoginNeeded`.
    pub fn decrypt_digest_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_digest(now, data, place)
        })
    }

    /// C_SignEncryptUpdate.
    ///
    /// # Errors
    /// As `digest_encrypt_update`, and `ContextLoginNeeded`.
    pub fn sign_encrypt_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_encrypt(now, data, place)
        })
    }

    /// C_DecryptVerifyUpdate.
    ///
    /// # Errors
    /// As `decrypt_digest_update`.
    pub fn decrypt_verify_update(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_verify(now, data, place)
        })
    }

    /// C_SignRecoverInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `MechanismParam`, `Key*`, the store's.
    pub fn sign_recover_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, tie) = self.begin(session, OperationKind::SignRecover, mechanism, key)?;
            let work = mechanisms::start_sign_recover(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_sign_recover(work, tie);
            Ok(())
        })
    }

    /// C_SignRecover.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign_recover(&self, session: SessionHandle, data: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_recover(&self.platform.env(session.policy()), now, data, place)
        })
    }

    /// C_VerifyRecoverInit.
    ///
    /// # Errors
    /// As `sign_recover_init`.
    pub fn verify_recover_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let (key, tie) = self.begin(session, OperationKind::VerifyRecover, mechanism, key)?;
            let work = mechanisms::start_verify_recover(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_verify_recover(work, tie);
            Ok(())
        })
    }

    /// C_VerifyRecover.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SignatureInvalid`, `SignatureLength`, `BufferTooSmall`.
    pub fn verify_recover(&self, session: SessionHandle, signature: &[u8], place: impl Destination) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_recover(&self.platform.env(session.policy()), now, signature, place)
        })
    }

    /// C_VerifySignatureInit.
    ///
    /// # Errors
    /// As `verify_init`. A signature that is none is told when it is verified.
    pub fn verify_signature_init(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
        signature: &[u8],
    ) -> Result<()> {
        self.with_session(session, |session| {
            let (key, tie) = self.begin(session, OperationKind::VerifySignature, mechanism, key)?;
            let work = mechanisms::start_verify(&self.platform.env(session.policy()), mechanism, &key)?;
            session.operations.start_verify_signature(work, signature, tie);
            Ok(())
        })
    }

    /// C_VerifySignature; the operation is over afterwards, whatever it answers.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `SignatureInvalid`, `SignatureLength`, `DataLength`.
    pub fn verify_signature(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_signature(&self.platform.env(session.policy()), now, data)
        })
    }

    /// C_VerifySignatureUpdate.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, the mechanism's.
    pub fn verify_signature_update(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_signature_update(now, data)
        })
    }

    /// C_VerifySignatureFinal; the operation is over afterwards, whatever it answers.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SinglePartOnly`, `SignatureInvalid`, `SignatureLength`.
    pub fn verify_signature_final(&self, session: SessionHandle) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_signature_final(&self.platform.env(session.policy()), now)
        })
    }
}
