//! Key management: generate, wrap, unwrap and derive keys (v2.40, 5.14).
//!
//! Owns: which handle is looked up as what, and that access is judged before a key is made in vain.
//! Does not know: the rules of wrapping and templates (`keys`, `attributes`).

use super::crypto::known;
use crate::access::{self, Verb};
use crate::derivation::{Derived, Sources};
use crate::hsm::Hsm;
use crate::keys;
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::session::Session;
use crate::stateful;
use crate::template::Template;
use crate::token::Standing;
use crate::types::{Mechanism, ObjectHandle, Params, Reply, Room, SessionHandle};
use std::sync::Arc;

impl Hsm {
    /// C_GenerateKey.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionReadOnly`, `NotLoggedIn`, `Mechanism*`, `Template*`, `Attribute*`, the store's.
    pub fn generate_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        template: &Template,
    ) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.look_for_new(&[template])?;
            access::check_key_template(session.subject(), template)?;
            let key = keys::generate_key(&self.platform.env(session.policy()), session.actor(), mechanism, template)?;
            self.keep_one(session, key)
        })
    }

    /// C_GenerateKeyPair: returns the handles of the public and of the private key, which are kept together or
    /// not at all.
    ///
    /// # Errors
    /// As `generate_key`.
    pub fn generate_key_pair(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        public: &Template,
        private: &Template,
    ) -> Result<(ObjectHandle, ObjectHandle)> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.look_for_new(&[public, private])?;
            access::check_template(session.subject(), public)?;
            access::check_key_template(session.subject(), private)?;
            let env = self.platform.env(session.policy());
            let (public, private) = keys::generate_key_pair(&env, session.actor(), mechanism, public, private)?;
            let private = stateful::bind(private, session.token.partition)?;
            let [public, private] = self.keep(session, [public, private])?;
            Ok((public, private))
        })
    }

    /// C_WrapKey. The size is that of the wrapped key itself, so asking for it does the work.
    ///
    /// # Errors
    /// `SessionUnknown`, `WrappingKeyUnknown`, `KeyUnknown`, `BufferTooSmall`, and as `keys::wrap_key`.
    pub fn wrap_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        wrapping: ObjectHandle,
        key: ObjectHandle,
        room: Room,
    ) -> Result<Reply> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.catalogue.refresh()?;
            let wrapping = self.key(session, wrapping, Reason::WrappingKeyUnknown)?;
            let key = self.key(session, key, Reason::KeyUnknown)?;
            let wrapped = keys::wrap_key(&self.platform.env(session.policy()), mechanism, &wrapping, &key)?;
            match room {
                Room::Ask => Ok(Reply::Size(wrapped.len())),
                Room::Bytes(have) if have < wrapped.len() => Err(Reason::BufferTooSmall { need: wrapped.len() }),
                Room::Bytes(_) => Ok(Reply::Data(wrapped)),
            }
        })
    }

    /// C_UnwrapKey.
    ///
    /// # Errors
    /// As `create_object`, `UnwrappingKeyUnknown`, and as `keys::unwrap_key`.
    pub fn unwrap_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        unwrapping: ObjectHandle,
        wrapped: &[u8],
        template: &Template,
    ) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.catalogue.refresh()?;
            let unwrapping = self.key(session, unwrapping, Reason::UnwrappingKeyUnknown)?;
            access::check_template(session.subject(), template)?;
            let env = self.platform.env(session.policy());
            let key = keys::unwrap_key(&env, session.actor(), mechanism, &unwrapping, wrapped, template)?;
            self.keep_one(session, key)
        })
    }

    /// C_DeriveKey: all new objects are kept, or none. A handle in the parameter that is no key's is answered as one of the call.
    ///
    /// # Errors
    /// As `create_object`, `KeyUnknown`, and as `keys::derive_key`.
    pub fn derive_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        base: ObjectHandle,
        template: &Template,
    ) -> Result<Derived<ObjectHandle>> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.catalogue.refresh()?;
            let base = self.key(session, base, Reason::KeyUnknown)?;
            let (handles, templates) = match &mechanism.params {
                Params::Derive(params) => (params.keys(), params.templates()),
                _ => (Vec::new(), &[][..]),
            };
            let mut further = Vec::with_capacity(handles.len());
            for handle in handles {
                further.push((handle, self.key(session, handle, Reason::KeyUnknown)?));
            }
            for template in core::iter::once(template).chain(templates) {
                access::check_template(session.subject(), template)?;
            }
            let sources = Sources { base: &base, further: &further };
            let made =
                keys::derive_key(&self.platform.env(session.policy()), session.actor(), mechanism, sources, template)?;
            self.keep_derived(session, made)
        })
    }

    fn keep_derived(&self, session: &Session, made: Derived<Object>) -> Result<Derived<ObjectHandle>> {
        let mut objects = Vec::new();
        let places = made.try_map(|object| {
            objects.push(Arc::new(object));
            Ok::<_, Reason>(objects.len() - 1)
        })?;
        let handles = self.keep_all(session, &objects)?;
        places.try_map(|place| handles.get(place).copied().ok_or(Reason::Internal("a key was kept without a handle")))
    }

    /// The key behind a handle; `unknown` names the handle's part in the call. A handle of an object that is no key
    /// is answered as an unknown one (v2.40, 5.1.6, CKR_KEY_HANDLE_INVALID).
    pub(super) fn key(
        &self,
        session: &Session,
        handle: ObjectHandle,
        unknown: fn(u64) -> Reason,
    ) -> Result<Arc<Object>> {
        match self.held(session, handle, Verb::Use) {
            Ok(held) if held.object.is_key() => Ok(held.object),
            Ok(_) | Err(Reason::ObjectUnknown(_)) => Err(unknown(handle.0)),
            Err(reason) => Err(reason),
        }
    }

    /// As `key`, with the shorter way of `held_for_use`, for an operation that begins.
    pub(super) fn key_for_use(&self, session: &mut Session, handle: ObjectHandle) -> Result<(Arc<Object>, Standing)> {
        match self.held_for_use(session, handle) {
            Ok((object, standing)) if object.is_key() => Ok((object, standing)),
            Ok(_) | Err(Reason::ObjectUnknown(_)) => Err(Reason::KeyUnknown(handle.0)),
            Err(reason) => Err(reason),
        }
    }
}
