//! Runs of messages with one key (v3.0, 5.9, 5.11, 5.14 and 5.16), and authenticated wrapping (v3.2, 5.18).
//!
//! Owns: how a run is tied to its key and login. Does not know: the mechanisms (`mechanisms`), which call may follow which
//! (`operation`). A run holds its key until it ends: with the login that the key needs, by its Final, or with the session.

use super::crypto::known_kind;
use crate::access;
use crate::hsm::Hsm;
use crate::keys;
use crate::mechanisms::messages::{key_for_messages, signs_messages};
use crate::mechanisms::rules::Usage;
use crate::mechanisms::{self, Signer, Verifier};
use crate::message::{MessageParams, MessageReply, MessageShape};
use crate::operation::StartMessage;
use crate::reason::{Reason, Result};
use crate::session::Session;
use crate::template::Template;
use crate::types::{Destination, Mechanism, ObjectHandle, OperationKind, Params, Reply, Room, SessionHandle};

impl Hsm {
    /// C_MessageEncryptInit.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, `MechanismUnknown`, `Key*`, the store's.
    pub fn message_encrypt_init(&self, session: SessionHandle, kind: u64, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let mechanism = Mechanism { kind, params: Params::None };
            let (key, tie) = self.begin(session, OperationKind::MessageEncrypt, &mechanism, key)?;
            let key = key_for_messages(session.policy(), kind, key, Usage::Encrypt)?;
            session.operations.start_message_encrypt(key, tie);
            Ok(())
        })
    }

    /// C_EncryptMessage.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `BufferTooSmall`, `IvsUsedUp`,
    /// `DataLength`.
    pub fn encrypt_message(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        aad: &[u8],
        data: &[u8],
        place: impl Destination,
    ) -> Result<MessageReply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.encrypt_message(&self.platform.env(session.policy()), now, params, aad, data, place)
        })
    }

    /// C_EncryptMessageBegin: returns the IV, where it was generated.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `IvsUsedUp`.
    pub fn begin_encrypt_message(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        aad: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.begin_encrypt_message(&self.platform.env(session.policy()), now, params, aad)
        })
    }

    /// C_EncryptMessageNext; `last` with CKF_END_OF_MESSAGE.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `MechanismParam`, `BufferTooSmall`, `DataLength`.
    pub fn encrypt_message_part(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        data: &[u8],
        last: bool,
        place: impl Destination,
    ) -> Result<MessageReply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.encrypt_message_part(now, params, data, last, place)
        })
    }

    /// C_MessageDecryptInit.
    ///
    /// # Errors
    /// As `message_encrypt_init`.
    pub fn message_decrypt_init(&self, session: SessionHandle, kind: u64, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            let mechanism = Mechanism { kind, params: Params::None };
            let (key, tie) = self.begin(session, OperationKind::MessageDecrypt, &mechanism, key)?;
            let key = key_for_messages(session.policy(), kind, key, Usage::Decrypt)?;
            session.operations.start_message_decrypt(key, tie);
            Ok(())
        })
    }

    /// C_DecryptMessage.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `ContextLoginNeeded`, `BufferTooSmall`,
    /// `MessageForged`.
    pub fn decrypt_message(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        tag: &[u8],
        aad: &[u8],
        data: &[u8],
        place: impl Destination,
    ) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_message(&self.platform.env(session.policy()), now, params, tag, aad, data, place)
        })
    }

    /// C_DecryptMessageBegin.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `MechanismParam`, `ContextLoginNeeded`.
    pub fn begin_decrypt_message(&self, session: SessionHandle, params: &MessageParams, aad: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.begin_decrypt_message(&self.platform.env(session.policy()), now, params, aad)
        })
    }

    /// C_DecryptMessageNext; the last part (CKF_END_OF_MESSAGE) comes with the tag.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `MechanismParam`, `BufferTooSmall`, `EncryptedDataLength`, `MessageForged`.
    pub fn decrypt_message_part(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        tag: Option<&[u8]>,
        data: &[u8],
        place: impl Destination,
    ) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.decrypt_message_part(now, params, tag, data, place)
        })
    }

    /// The parameter that the messages of the active run have, to encrypt or to decrypt.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`.
    pub fn message_shape(&self, session: SessionHandle, encrypt: bool) -> Result<MessageShape> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.message_shape(encrypt, now)
        })
    }

    /// C_MessageEncryptFinal and its sisters: ends the run, and the message under way in it.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`.
    pub fn message_final(&self, session: SessionHandle, run: OperationKind) -> Result<()> {
        if self.cancel_active(session, run)? { Ok(()) } else { Err(Reason::OperationNotInitialized) }
    }

    /// C_MessageSignInit.
    ///
    /// # Errors
    /// As `sign_init`.
    pub fn message_sign_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            if !signs_messages(mechanism.kind) {
                return Err(Reason::MechanismUnknown(mechanism.kind));
            }
            let (key, tie) = self.begin(session, OperationKind::MessageSign, mechanism, key)?;
            let mechanism = mechanism.clone();
            let start: StartMessage<dyn Signer> = Box::new(move |env| mechanisms::start_sign(env, &mechanism, &key));
            let first = start(&self.platform.env(session.policy()))?;
            session.operations.start_message_sign(start, first, tie);
            Ok(())
        })
    }

    /// C_SignMessage.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign_message(&self, session: SessionHandle, data: &[u8], room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            let Session { token, operations, .. } = session;
            operations.sign_message(&self.indices(token).env(), now, data, room)
        })
    }

    /// C_SignMessageBegin.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `SinglePartOnly`, `ContextLoginNeeded`.
    pub fn begin_sign_message(&self, session: SessionHandle) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.begin_sign_message(&self.platform.env(session.policy()), now)
        })
    }

    /// C_SignMessageNext with more to follow.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, the mechanism's.
    pub fn sign_message_part(&self, session: SessionHandle, data: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_message_part(now, data)
        })
    }

    /// C_SignMessageNext with the last part.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `BufferTooSmall`, the mechanism's.
    pub fn sign_message_last(&self, session: SessionHandle, data: &[u8], room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.sign_message_last(&self.platform.env(session.policy()), now, data, room)
        })
    }

    /// C_MessageVerifyInit.
    ///
    /// # Errors
    /// As `verify_init`.
    pub fn message_verify_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            if !signs_messages(mechanism.kind) {
                return Err(Reason::MechanismUnknown(mechanism.kind));
            }
            let (key, tie) = self.begin(session, OperationKind::MessageVerify, mechanism, key)?;
            let mechanism = mechanism.clone();
            let start: StartMessage<dyn Verifier> =
                Box::new(move |env| mechanisms::start_verify(env, &mechanism, &key));
            let first = start(&self.platform.env(session.policy()))?;
            session.operations.start_message_verify(start, first, tie);
            Ok(())
        })
    }

    /// C_VerifyMessage.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_message(&self, session: SessionHandle, data: &[u8], signature: &[u8]) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_message(&self.platform.env(session.policy()), now, data, signature)
        })
    }

    /// C_VerifyMessageBegin.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `OperationActive`, `SinglePartOnly`.
    pub fn begin_verify_message(&self, session: SessionHandle) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.begin_verify_message(&self.platform.env(session.policy()), now)
        })
    }

    /// C_VerifyMessageNext; the last part comes with the signature.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_message_part(&self, session: SessionHandle, data: &[u8], signature: Option<&[u8]>) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.verify_message_part(&self.platform.env(session.policy()), now, data, signature)
        })
    }

    /// C_WrapKeyAuthenticated. The size is that of the wrapped key itself, so asking for it does the work; IV and tag come with
    /// the wrapped key only.
    ///
    /// # Errors
    /// `SessionUnknown`, `WrappingKeyUnknown`, `KeyUnknown`, `BufferTooSmall`, and as `keys::wrap_key_authenticated`.
    #[expect(clippy::too_many_arguments, reason = "the standard's")]
    pub fn wrap_key_authenticated(
        &self,
        session: SessionHandle,
        kind: u64,
        params: &MessageParams,
        wrapping: ObjectHandle,
        key: ObjectHandle,
        aad: &[u8],
        room: Room,
    ) -> Result<MessageReply> {
        self.with_session(session, |session| {
            known_kind(session.policy(), kind)?;
            self.catalogue.refresh()?;
            let wrapping = self.key(session, wrapping, Reason::WrappingKeyUnknown)?;
            let key = self.key(session, key, Reason::KeyUnknown)?;
            let wrapped =
                keys::wrap_key_authenticated(&self.platform.env(session.policy()), kind, params, aad, &wrapping, &key)?;
            let bytes = wrapped.key.len();
            match room {
                Room::Ask => Ok(Reply::Size(bytes).into()),
                Room::Bytes(have) if have < bytes => Err(Reason::BufferTooSmall { need: bytes }),
                Room::Bytes(_) => {
                    Ok(MessageReply { reply: Reply::Data(wrapped.key), iv: wrapped.iv, tag: Some(wrapped.tag) })
                }
            }
        })
    }

    /// C_UnwrapKeyAuthenticated.
    ///
    /// # Errors
    /// As `create_object`, `UnwrappingKeyUnknown`, and as `keys::unwrap_key_authenticated`.
    #[expect(clippy::too_many_arguments, reason = "the standard's")]
    pub fn unwrap_key_authenticated(
        &self,
        session: SessionHandle,
        kind: u64,
        params: &MessageParams,
        tag: &[u8],
        unwrapping: ObjectHandle,
        wrapped: &[u8],
        template: &Template,
        aad: &[u8],
    ) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            known_kind(session.policy(), kind)?;
            self.catalogue.refresh()?;
            let unwrapping = self.key(session, unwrapping, Reason::UnwrappingKeyUnknown)?;
            access::check_template(session.subject(), template)?;
            let (env, actor) = (self.platform.env(session.policy()), session.actor());
            let key =
                keys::unwrap_key_authenticated(&env, actor, kind, params, tag, aad, &unwrapping, wrapped, template)?;
            self.keep_one(session, key)
        })
    }
}
